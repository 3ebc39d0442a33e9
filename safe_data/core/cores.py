"""Cores: how many threads of a process can run at the same time."""

import os


def cores() -> int:
    """The cores that this process may use, at least 1; not every system knows a process's own."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
