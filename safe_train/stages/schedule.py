"""Schedules: the learning rate of stages and of the toy backbone, how the gate opens, tokens of a step."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

_STREAM = 17  # the stream of random numbers that draws the budget of a step


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


def budget_at(step: int, budgets: Sequence[int], seed: int) -> int:
    """The audio tokens of a step, one of the budgets; the same in all its passes and processes.

    It follows from the seed and the step alone, so a resumed run draws what it would have drawn.

    >>> [budget_at(step, (4, 8, 12), seed=0) for step in range(6)]
    [4, 4, 4, 8, 12, 8]
    """
    return budgets[int(np.random.default_rng((seed, _STREAM, step)).integers(len(budgets)))]
