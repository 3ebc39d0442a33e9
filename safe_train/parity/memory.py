"""Memory: the peak of a forward pass, by CUDA's own count, or by the tensors that live at a time."""

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from safe_train.base.int8 import parts_of

CUDA, LIVE_TENSORS = "torch.cuda.max_memory_allocated", "tensors alive at a time, by dispatch"


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the pathway takes, and the peak of a forward pass above the weights, with and without it."""

    pathway_bytes: int
    base_bytes: int
    base_peak_bytes: int
    gate_off_peak_bytes: int
    measured_by: str


def bytes_of(module: nn.Module) -> int:
    """The bytes of a module's weights and buffers."""
    tensors = (*module.parameters(), *module.buffers())
    return sum(part.nbytes for tensor in tensors for part in parts_of(tensor))


def peak_bytes(run: Callable[[], None], device: torch.device) -> tuple[int, str]:
    """The most bytes that a run takes at a time beyond what was there before, and how they were counted."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before, CUDA
    with LiveTensors() as live:
        run()
    return live.peak, LIVE_TENSORS


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make, while they live.

    What an operation allocates within itself is not seen, nor are tensors that were there before.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self.now = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and count what it makes."""
        for storage in _storages((args, kwargs)):
            self._remember(storage, 0)
        made = func(*args, **(kwargs or {}))
        for storage in _storages(made):
            self._remember(storage, storage.nbytes())
        return made

    def _remember(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata
        if key in self._known:
            return

        def forget(_: Any) -> None:
            self._known.pop(key, None)
            self.now -= size

        self._known[key] = weakref.ref(storage, forget)
        self.now += size
        self.peak = max(self.peak, self.now)


def _storages(values: Any) -> Iterator[torch.UntypedStorage]:
    for leaf in tree_leaves(values):
        if isinstance(leaf, Tensor):
            for part in parts_of(leaf):
                yield part.untyped_storage()
