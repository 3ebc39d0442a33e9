"""A checkpoint's weights: safetensors only, and only those of the part that is wanted."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from safe_data.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Model = TypeVar("Model", bound=nn.Module)

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


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
