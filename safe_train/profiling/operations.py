"""Operations: where a pass spends its time, by torch.profiler."""

import os
from collections.abc import Callable

import torch

from safe_train.profiling.result import Operation, Operations

SHOWN = 8
_SILENT = "6"


def operations_of(what: str, run: Callable[[], object], device: torch.device) -> Operations:
    """Run a pass under the profiler, and take the operations that it spends the most time in.

    On a GPU it is the time of its kernels, elsewhere that of the processor.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", _SILENT)  # it would print when it starts and stops
    from torch.profiler import ProfilerActivity, profile

    on_card = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]
    run()  # the first pass is another one
    with profile(activities=activities) as profiled:
        run()
    field = "self_device_time_total" if on_card else "self_cpu_time_total"
    events = {
        event.key: (int(event.count), float(getattr(event, field))) for event in profiled.key_averages()
    }
    return Operations(what, sum(count for count, _ in events.values()), largest_of(events))


def largest_of(events: dict[str, tuple[int, float]], most: int = SHOWN) -> tuple[Operation, ...]:
    """The operations of the most microseconds, each with its share of all.

    >>> found = largest_of({"aten::mm": (4, 3000.0), "aten::add": (2, 1000.0)}, most=1)
    >>> found[0].name, found[0].self_ms, found[0].share
    ('aten::mm', 3.0, 0.75)
    """
    total = sum(time for _, time in events.values())
    order = sorted(events, key=lambda name: (-events[name][1], name))[:most]
    return tuple(
        Operation(name, events[name][0], events[name][1] / 1000, events[name][1] / total if total else 0.0)
        for name in order
    )
