"""A pretrained model's directory: found, checked and hashed; nothing stored in it is run."""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safe_data.core.errors import InputError, require_extra

if TYPE_CHECKING:
    from torch import Tensor, nn

    Model = TypeVar("Model", bound=nn.Module)

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
PROCESSOR, PREPROCESSOR = "processor_config.json", "preprocessor_config.json"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HUB_FILES = [CONFIG, PROCESSOR, PREPROCESSOR, WEIGHTS, INDEX, "model-*-of-*.safetensors"]

# Who wrote a file, and where it lay: these change without any embedding changing.
VOLATILE = {"_name_or_path", "architectures", "processor_class", "transformers_version"}


@dataclass(frozen=True)
class Checkpoint:
    """The files of a model; its weights are safetensors."""

    directory: Path
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    weights: tuple[Path, ...]

    def fingerprint(self, **policy: object) -> str:
        """16 hexadecimal digits of the weights, both configurations and our policy; not of names or dates."""
        parts = {
            "policy": policy,
            "config": _lasting(self.config),
            "preprocessing": _lasting(self.preprocessing),
            "weights_sha256": self._weights_sha256,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def _weights_sha256(self) -> list[str]:
        digests = []
        for path in self.weights:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return digests

    def parse(self, reader: Any, name: str = CONFIG) -> Any:
        """The configuration, or the feature extractor's settings, as a class of transformers reads them."""
        settings = self.config if name == CONFIG else self.preprocessing
        try:
            return reader.from_dict(copy.deepcopy(settings))
        except Exception as error:  # transformers checks each field with exceptions of its own
            raise InputError(
                f"{self.directory / name}: {_short(error)}; fetch the checkpoint again"
            ) from error


def open_checkpoint(source: str, model_type: str) -> Checkpoint:
    """The checkpoint in a directory, or on the Hugging Face hub if `owner/name` is no directory here.

    Raises:
        InputError: torch or transformers is missing, or there is no such checkpoint, or it is of another
            model, or its weights are only there as pickles.
    """
    require_extra(f"the {model_type} encoder", "train", "torch", "transformers", "safetensors")
    directory = checkpoint_directory(source, model_type, HUB_FILES)
    config = _json(directory / CONFIG)
    if config.get("model_type") != model_type:
        raise InputError(
            f"{directory / CONFIG}: model_type is {config.get('model_type')!r}, not {model_type!r}; "
            f"give a checkpoint that {model_type.capitalize()}Model can load"
        )
    return Checkpoint(directory, config, _preprocessing(directory), weight_files(directory))


def checkpoint_directory(source: str, kind: str, files: list[str]) -> Path:
    """The directory, or a local copy of `owner/name` from the Hugging Face hub, fetched if need be.

    Args:
        source: a path, or a hub id that is no directory here
        kind: of model, for the messages
        files: patterns of the files that are needed

    Raises:
        InputError: neither a directory nor to be had from the hub.
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
    except Exception as error:  # the hub client passes on the exceptions of several network libraries
        raise InputError(
            f"{kind} checkpoint {source!r} is not a directory, nor could it be had from the hub: "
            f"{_short(error)}; check the path, or fetch the model where there is a network"
        ) from error


def _preprocessing(directory: Path) -> dict[str, Any]:
    """The feature extractor's settings; newer checkpoints keep them inside the processor's."""
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


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def weight_files(directory: Path) -> tuple[Path, ...]:
    """The safetensors of a checkpoint, one or as many as its index names.

    Raises:
        InputError: there are none, or not all; or there are only pickles.
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
    """The built model with the weights of the files, in float32, for inference only.

    Only tensors under a prefix are read, and named with what the prefix maps to; a stored text tower or
    decoder costs nothing.

    Raises:
        InputError: a weight is missing, left over, or of another shape.
    """
    import torch
    from safetensors import SafetensorError

    files = list(files)
    try:
        with torch.device("meta"):
            model = build()
        model.load_state_dict(_tensors(files, prefixes), assign=True)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{files[0].parent}: the weights do not fit config.json: {reason}; give a complete checkpoint, "
            "as save_pretrained writes it"
        ) from error
    return model.eval().requires_grad_(False)


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
                # A copy is aligned alike wherever the tensor lies in the file; matrix kernels may sum in
                # another order where memory is not.
                tensors[prefixes[prefix] + key.removeprefix(prefix)] = stored.to(dtype, copy=True)
    return tensors


def _indexed(directory: Path) -> tuple[Path, ...]:
    """The files an index names; a name that is no file beside the index is refused, so none can lead away."""
    try:
        names = sorted(set(json.loads((directory / INDEX).read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{directory / INDEX}: is no index of weights: {error!r}; fetch it again") from error
    beside = {path.name for path in directory.glob("*.safetensors")}
    missing = [name for name in names if name not in beside]
    if missing or not names:
        raise InputError(f"{directory / INDEX}: names weights that are not here: {missing[:5]}; fetch them")
    return tuple(directory / name for name in names)
