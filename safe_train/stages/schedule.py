"""Schedules: the learning rate of every training stage and of the toy backbone, and how the gate opens."""

import math
from typing import Literal


def rate_at(step: int, steps: int, *, warm_up: int, kind: Literal["cosine", "constant"] = "cosine") -> float:
    """The fraction of the peak rate at a step, counted from 0: linear warm-up, and cosine decay to 0.

    A step is one global batch, however many processes and forward passes it takes.

    >>> [round(rate_at(step, 100, warm_up=20), 3) for step in (0, 19, 50, 99)]
    [0.05, 0.914, 0.5, 0.0]
    """
    rising = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
    return rising * (0.5 * (1 + math.cos(math.pi * step / steps)) if kind == "cosine" else 1.0)


def gate_at(step: int, kind: Literal["none", "linear", "cosine", "step"], warm_up: int) -> float:
    """How far the gate is open at a step of training, counted from 0; it is never quite closed.

    >>> [gate_at(step, "linear", 4) for step in (0, 1, 3, 9)]
    [0.25, 0.5, 1.0, 1.0]
    >>> [gate_at(step, "step", 4) for step in (0, 3, 4)]
    [0.1, 0.1, 1.0]
    """
    if kind == "none" or step >= warm_up:
        return 1.0
    if kind == "step":
        return 0.1
    part = (step + 1) / warm_up
    return part if kind == "linear" else 0.5 * (1 - math.cos(math.pi * part))
