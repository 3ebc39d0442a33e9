"""Checkpoint: find, check, hash and load the directory of a pretrained model, without running its code."""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safe_data.core.errors import InputError, require_extra
from safe_data.core.files import file_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

    Model = TypeVar("Model", bound=nn.Module)

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
PROCESSOR, PREPROCESSOR = "processor_config.json", "preprocessor_config.json"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HUB_FILES = [CONFIG, PROCESSOR, PREPROCESSOR, WEIGHTS, INDEX, "model-*-of-*.safetensors"]

# Keys about who wrote a file and where it was: they do not affect embeddings.
VOLATILE = {"_name_or_path", "architectures", "processor_class", "transformers_version"}


@dataclass(frozen=True)
class Checkpoint:
    """The configuration and the safetensors weights of a model."""

    directory: Path
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    weights: tuple[Path, ...]

    def fingerprint(self, **policy: object) -> str:
        """Hash the weights, both configurations and our policy, but no names or dates, to 16 hex digits."""
        parts = {
            "policy": policy,
            "config": _lasting(self.config),
            "preprocessing": _lasting(self.preprocessing),
            "weights_sha256": self._weights_sha256,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def _weights_sha256(self) -> list[str]:
        return [file_sha256(path) for path in self.weights]

    def parse(self, reader: Any, name: str = CONFIG) -> Any:
        """Read the configuration, or the settings of the feature extractor, by a class of transformers.

        Raises:
            InputError: the class refuses them.
        """
        settings = self.config if name == CONFIG else self.preprocessing
        try:
            return reader.from_dict(copy.deepcopy(settings))
        except Exception as error:  # transformers raises many kinds of exception
            raise InputError(
                f"{self.directory / name}: {_short(error)}; fetch the checkpoint again"
            ) from error


def open_checkpoint(source: str, model_type: str, more: Sequence[str] = ()) -> Checkpoint:
    """Open the checkpoint in a directory, or on the Hugging Face hub if no directory `owner/name` exists.

    `more` are name patterns of files to fetch from there besides configuration and weights.

    Raises:
        InputError: torch or transformers is missing, the checkpoint does not exist or is of another model, or
            it has only pickled weights.
    """
    require_extra(f"the {model_type} encoder", "train", "torch", "transformers", "safetensors")
    directory = checkpoint_directory(source, model_type, [*HUB_FILES, *more])
    config = _json(directory / CONFIG)
    if config.get("model_type") != model_type:
        raise InputError(
            f"{directory / CONFIG}: model_type is {config.get('model_type')!r}, not {model_type!r}; "
            f"give a checkpoint that {model_type.capitalize()}Model can load"
        )
    return Checkpoint(directory, config, _preprocessing(directory), weight_files(directory))


def checkpoint_directory(source: str, kind: str, files: list[str]) -> Path:
    """The directory itself, or a local copy of `owner/name` from the Hugging Face hub, fetched if need be.

    Args:
        source: a directory, or a hub id
        kind: the kind of model, for messages
        files: name patterns of the files to fetch

    Raises:
        InputError: it is not a directory, and the hub does not provide it.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not HUB_ID.fullmatch(source):
        raise InputError(
            f"{kind} checkpoint {source!r} is not a directory; give one that holds {', '.join(files[:4])}, "
            "or a hub id such as owner/name"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=files))
    except Exception as error:  # the hub client lets exceptions of several network libraries through
        raise InputError(
            f"{kind} checkpoint {source!r} is not a directory, nor could it be had from the hub: "
            f"{_short(error)}; check the path, or fetch the model where there is a network"
        ) from error


def weight_files(directory: Path) -> tuple[Path, ...]:
    """The safetensors files of a checkpoint: a single one, or all that its index names.

    Raises:
        InputError: a file is missing, or there are only pickled weights.
    """
    if (directory / WEIGHTS).is_file():
        return (directory / WEIGHTS,)
    if (directory / INDEX).is_file():
        return _indexed(directory)
    pickled = sorted(path.name for pattern in PICKLED for path in directory.glob(pattern))
    if pickled:
        raise InputError(
            f"{directory}: has only pickled weights ({', '.join(pickled[:3])}), and reading a pickle can run "
            f"code; where you trust it, load it once and save_pretrained it as {WEIGHTS}"
        )
    raise InputError(f"{directory}: has no {WEIGHTS}; give the directory that save_pretrained wrote")


def load_weights(build: Callable[[], "Model"], files: Iterable[Path], prefixes: Mapping[str, str]) -> "Model":
    """Build a model and load weights from the files, in float32, for inference only.

    Only tensors whose name begins with a key of `prefixes` are read; the key is replaced by its value. Other
    parts, such as a stored text tower or decoder, cost nothing.

    Raises:
        InputError: a weight is missing, left over, or has another shape.
    """
    import torch
    from safetensors import SafetensorError

    files = list(files)
    try:
        with torch.device("meta"):
            model = build()
        model.load_state_dict(_tensors(files, prefixes), assign=True)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, SafetensorError) as error:
        raise InputError(
            f"{files[0].parent}: the weights do not fit config.json: {_short(error)}; "
            "give a complete checkpoint, as save_pretrained writes it"
        ) from error
    return model.eval().requires_grad_(False)


def _preprocessing(directory: Path) -> dict[str, Any]:
    """The settings of the feature extractor; newer checkpoints store them inside the processor's."""
    if (directory / PROCESSOR).is_file():
        nested = _json(directory / PROCESSOR).get("feature_extractor")
        if isinstance(nested, dict):
            return nested
    return _json(directory / PREPROCESSOR)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent}: has no {path.name}; give the directory that save_pretrained wrote"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {_short(error)}; fetch the file again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a {type(value).__name__}, not an object; fetch the file again")
    return value


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _indexed(directory: Path) -> tuple[Path, ...]:
    """The files that an index names; only names of files beside the index are accepted."""
    try:
        names = sorted(set(json.loads((directory / INDEX).read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{directory / INDEX}: is no index of weights: {error!r}; fetch it again") from error
    beside = {path.name for path in directory.glob("*.safetensors")}
    missing = [name for name in names if name not in beside]
    if missing or not names:
        raise InputError(f"{directory / INDEX}: names weights that are not here: {missing[:5]}; fetch them")
    return tuple(directory / name for name in names)


def _tensors(files: Iterable[Path], prefixes: Mapping[str, str]) -> "dict[str, Tensor]":
    import torch
    from safetensors import safe_open

    tensors = {}
    for path in files:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 — not a mapping
                prefix = next((prefix for prefix in prefixes if key.startswith(prefix)), None)
                if prefix is None:
                    continue
                stored = file.get_tensor(key)
                dtype = torch.float32 if stored.is_floating_point() else stored.dtype
                # Copy, so that the alignment does not depend on the place in the file: matrix kernels may
                # sum in another order where memory is aligned differently.
                tensors[prefixes[prefix] + key.removeprefix(prefix)] = stored.to(dtype, copy=True)
    return tensors


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
