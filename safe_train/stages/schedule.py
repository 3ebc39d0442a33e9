"""The learning-rate schedule of every training stage, and of the toy backbone."""

import math

WARM_UP_STEPS = 20


def warm_up_then_cosine(step: int, steps: int) -> float:
    """The fraction of the peak rate at a step, counted from 0: linear warm-up, then cosine decay to 0.

    >>> [round(warm_up_then_cosine(step, 100), 3) for step in (0, 19, 50, 99)]
    [0.05, 0.914, 0.5, 0.0]
    """
    return min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps))
