"""Gauge: the bytes held while code runs, and their peak, by CUDA's own count or by living tensors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from safe_train.parity.memory import CUDA, LIVE_TENSORS, LiveTensors
from safe_train.profiling.result import PassMemory

NOT_COUNTED = {
    CUDA: "what libraries take past PyTorch's allocator, such as the context; it is counted with the process",
    LIVE_TENSORS: "what an operation takes within itself, and what the system's allocator keeps",
}


class Gauge(Protocol):
    """Bytes beyond what was there before: now, and at most so far."""

    @property
    def now(self) -> int: ...

    @property
    def peak(self) -> int: ...


class CudaGauge:
    """The count of PyTorch's allocator on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()  # so that what is reserved is of this pass
        torch.cuda.reset_peak_memory_stats(device)
        self._before = torch.cuda.memory_allocated(device)

    @property
    def now(self) -> int:
        torch.cuda.synchronize(self._device)
        return torch.cuda.memory_allocated(self._device) - self._before

    @property
    def peak(self) -> int:
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - self._before


@contextmanager
def gauging(device: torch.device) -> Iterator[Gauge]:
    """Count what is held within the block."""
    if device.type == "cuda":
        yield CudaGauge(device)
        return
    with LiveTensors() as live:
        yield live


def counted_by(device: torch.device) -> str:
    """How memory is counted on a device."""
    return CUDA if device.type == "cuda" else LIVE_TENSORS


def pass_memory(device: torch.device, run: Callable[[Gauge], int | None]) -> PassMemory:
    """The memory of a pass, which is told the gauge and returns what it held between its two halves."""
    with gauging(device) as gauge:
        held = run(gauge)
    reserved = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
    return PassMemory(gauge.peak, held, reserved)


def held_by(values: Any) -> int:
    """The bytes of the storages of these tensors; one that is shared counts once."""
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in values}
    return sum(storages.values())


def beside_tensors(device: torch.device, tensors: int, resident: int | None) -> int | None:
    """What a process holds beside its tensors: libraries, data, a GPU's context; None if nobody knows.

    On a GPU it is what is in use there and not PyTorch's, so also what other processes have there.

    >>> beside_tensors(torch.device("cpu"), tensors=100, resident=350)
    250
    >>> beside_tensors(torch.device("cpu"), tensors=100, resident=90)  # weights on disk that nobody has read
    0
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return max(total - free - torch.cuda.memory_reserved(device), 0)
    return None if resident is None else max(resident - tensors, 0)
