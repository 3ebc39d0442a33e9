"""YamnetEncoder: the embeddings of YAMNet, read from its TensorFlow checkpoint and computed in torch."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError, require_extra
from safe_data.core.files import file_sha256
from safe_data.encoders import yamnet_mel
from safe_data.encoders.inference import MelChange, Pipeline, device, precision, to_float16
from safe_data.encoders.standardisation import LIMIT, read_standardisation, standardisation_of
from safe_data.encoders.tensor_bundle import INDEX, TensorBundle, open_tensor_bundle
from safe_data.encoders.yamnet_mel import PATCH_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor

_VERSION = 1  # of what is done with a clip
# Of the first layer, and of the depthwise layer of each of the 13 blocks after it.
STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
EPSILON = 1e-4  # of batch normalisation
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_FIRST = f"layer_with_weights-0/kernel{_VALUE}"
Samples = Float32[ndarray, " samples"]
Vector = Float32[ndarray, " dims"]


class YamnetEncoder:
    """Encode sounds at 16 kHz as the mean over their patches of YAMNet's last layer, averaged over its grid.

    A patch is 0.96 seconds of 64 mel bands, and begins every 0.48 seconds; a clip is followed by silence
    until its last patch is full. A clip longer than a minute is heard in patches that are spread over it.

    **Level:** a clip is scaled so that its peak is 1, as corpora differ in their recording level. So an
    embedding does not tell how loud a sound was. Digital silence is left as it is.

    **Standardisation:** no feature is below 0, and all sounds share a large mean, on which a linear layer
    trains badly. Where the folder holds standardisation.safetensors (`fit_standardisation` writes it), an
    embedding is (x - mean) / deviation, both of the train split, within ±1000.

    **Source:** Plakal and Ellis, tensorflow/models, research/audioset/yamnet; Howard et al. 2017, arXiv
    1704.04861 (MobileNet).
    **Differs:** level, standardisation, and clips longer than a minute, as said; the reference gives a vector
    per patch.
    """

    name = "yamnet"
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, source: str | Path) -> None:
        """Open a folder that holds `variables/variables.index`, or that file: of a TensorFlow SavedModel.

        Raises:
            InputError: torch is missing, it is no such folder, its variables are not YAMNet's, or the
                standardisation in it is not of them.
        """
        require_extra("the yamnet encoder", "train", "torch", "safetensors")
        self._directory = Path(source).expanduser()
        self._bundle = open_tensor_bundle(_variables(self._directory))
        self._layers = _layers(self._bundle)
        self.shape = (self._layers[-1].width,)
        self._standardisation = read_standardisation(self._directory, self.shape[0])

    @cached_property
    def fingerprint(self) -> str:
        fitted = self._standardisation
        parts = {
            "encoder": self.name,
            "version": _VERSION,
            "precision": precision(),
            "mel": {name: getattr(yamnet_mel, name) for name in yamnet_mel.PARAMETERS},
            "strides": STRIDES,
            "epsilon": EPSILON,
            "peak": 1,
            "standardisation": fitted and {"sha256": fitted.sha256, "limit": LIMIT},
            "variables_sha256": [file_sha256(path) for path in (self._bundle.index, self._bundle.data)],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def encode(
        self, clips: Sequence[Samples], changes: Sequence[MelChange | None] = ()
    ) -> Float16[ndarray, "clips dims"]:
        embeddings = np.empty((len(clips), *self.shape), np.float16)
        for row, raw in enumerate(self.raw(clips, changes)):
            embedding = self._standardisation.apply(raw) if self._standardisation else raw
            embeddings[row] = to_float16(embedding, str(self._directory))
        return embeddings

    def raw(self, clips: Sequence[Samples], changes: Sequence[MelChange | None] = ()) -> Iterator[Vector]:
        """The embeddings of clips before they are standardised."""
        levelled = [_at_peak_one(clip) for clip in clips]
        for _, states in self.pipeline.run(levelled, changes):
            yield states.mean(axis=0)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The model, loaded on first use."""
        layers = [(layer, *layer.folded(self._bundle)) for layer in self._layers]

        def states(features: "Tensor") -> "Tensor":
            from torch.nn.functional import conv2d, pad

            for layer, kernel, bias in layers:
                # TensorFlow pads as little as it can, first at the end: an even side, halved, gets one row.
                if layer.stride == 2:
                    features = pad(features, (0, 1, 0, 1))
                around = kernel.shape[-1] // 2 if layer.stride == 1 else 0
                groups = layer.width if layer.is_depthwise else 1
                features = conv2d(features, kernel, bias, layer.stride, around, groups=groups).relu()
            return features.float().mean((2, 3))

        return Pipeline(
            samples=PATCH_SAMPLES,
            sample_rate_hz=SAMPLE_RATE_HZ,
            fill=_fill,
            features=yamnet_mel.yamnet_mel,
            states=states,
            mel=lambda row, samples: row[0, : yamnet_mel.heard_frames(samples)],
            starts=yamnet_mel.patch_starts,
        )


def fit_standardisation(encoder: YamnetEncoder | str | Path, clips: Iterable[Samples]) -> Path:
    """Write the mean and the deviation of the embeddings of clips into the encoder's folder.

    The clips are those of the train split, at 16 kHz. An encoder that is opened after this standardises its
    embeddings; a file that is there is replaced. Returns the path of the file.

    Raises:
        InputError: there are fewer than two clips, an embedding is not finite, the encoder cannot be opened,
            or the folder may not be written to.
    """
    opened = encoder if isinstance(encoder, YamnetEncoder) else YamnetEncoder(encoder)
    return standardisation_of(raw for clip in clips for raw in opened.raw([clip])).write(opened._directory)


class _Layer(NamedTuple):
    """A convolution and the batch normalisation after it: the names of their variables, without the end."""

    kernel: str
    normalisation: str
    width: int
    stride: int
    is_depthwise: bool

    def folded(self, bundle: TensorBundle) -> "tuple[Tensor, Tensor]":
        """The kernel with the factor of the normalisation in it, as torch orders it, and the bias.

        Raises:
            InputError: a variable is damaged, or a number is not finite.
        """
        import torch

        kernel = bundle.read(self.kernel + _VALUE).astype(np.float64)
        beta, mean, variance = (
            bundle.read(f"{self.normalisation}/{part}{_VALUE}").astype(np.float64)
            for part in ("beta", "moving_mean", "moving_variance")
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = 1 / np.sqrt(variance + EPSILON)
        # From (height, width, in, out), or (height, width, out, 1), to (out, in or 1, height, width).
        turned = kernel.transpose((2, 3, 0, 1) if self.is_depthwise else (3, 2, 0, 1))
        weights, bias = turned * factor[:, None, None, None], beta - mean * factor
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise InputError(f"{bundle.data}: {self.kernel!r} or what follows is not finite; fetch it again")
        # New memory, whose alignment does not depend on the file: matrix kernels may sum in another order.
        tensors = (torch.from_numpy(part.astype(np.float32).copy()) for part in (weights, bias))
        kernel_tensor, bias_tensor = (tensor.to(device()) for tensor in tensors)
        return kernel_tensor, bias_tensor


def _variables(directory: Path) -> Path:
    for folder in (directory / "variables", directory):
        if (folder / INDEX).is_file():
            return folder
    raise InputError(
        f"yamnet checkpoint {str(directory)!r} has no variables/{INDEX}; give the folder of a TensorFlow "
        "SavedModel of YAMNet"
    )


def _layers(bundle: TensorBundle) -> list[_Layer]:
    """The 27 convolutions of YAMNet, found by their names; widths are those that the file has.

    Raises:
        InputError: a variable is missing or has another shape.
    """
    kernels = [
        name for name, tensor in bundle.tensors.items() if name.endswith(_FIRST) and len(tensor.shape) == 4
    ]
    if len(kernels) != 1:
        raise InputError(
            f"{bundle.index}: has {len(kernels)} variables '…{_FIRST}' of four axes, and YAMNet has one; "
            "give the SavedModel of YAMNet"
        )
    stem = kernels[0].removesuffix(_FIRST) + "layer_with_weights-"
    layers: list[_Layer] = []
    for index in range(2 * len(STRIDES) - 1):
        is_depthwise = index % 2 == 1
        is_square = index == 0 or is_depthwise
        name = f"{stem}{2 * index}/{'depthwise_kernel' if is_depthwise else 'kernel'}"
        before = layers[-1].width if layers else 1
        last = 1 if is_depthwise else _last_axis(bundle, name)
        _check(bundle, name, (3, 3, before, last) if is_square else (1, 1, before, last))
        width = before if is_depthwise else last
        stride = STRIDES[(index + 1) // 2] if is_square else 1
        layers.append(_Layer(name, f"{stem}{2 * index + 1}", width, stride, is_depthwise))
        for part in ("beta", "moving_mean", "moving_variance"):
            _check(bundle, f"{layers[-1].normalisation}/{part}", (width,))
    return layers


def _last_axis(bundle: TensorBundle, name: str) -> int:
    stored = bundle.tensors.get(name + _VALUE)
    return stored.shape[-1] if stored and stored.shape else 0


def _check(bundle: TensorBundle, name: str, wanted: tuple[int, ...]) -> None:
    stored = bundle.tensors.get(name + _VALUE)
    if stored is None:
        raise InputError(f"{bundle.index}: has no variable {name + _VALUE!r}; give the SavedModel of YAMNet")
    if stored.shape != wanted or 0 in wanted:
        raise InputError(
            f"{bundle.index}: {name!r} has the shape {stored.shape}, YAMNet's would be {wanted}; "
            "give the SavedModel of YAMNet"
        )


def _at_peak_one(clip: Samples) -> Samples:
    peak = np.abs(clip).max(initial=0)
    return np.divide(clip, peak) if 0 < peak < np.inf else clip


def _fill(clip: Samples) -> Samples:
    patch = np.zeros(PATCH_SAMPLES, np.float32)
    patch[: len(clip)] = clip
    return patch
