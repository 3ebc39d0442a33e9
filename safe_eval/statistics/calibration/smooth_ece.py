"""Smooth ECE: the calibration error without bins, with a kernel width that the error itself sets."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.calibration.reliability import Confidences, Correct, check_confidences

_POINTS = 4096  # of the grid on [0, 1]; the kernel is never narrower than 4 of them
_NARROWEST = 0.001  # width
_HALVINGS = 20


def smooth_ece(confidence: Confidences, correct: Correct) -> float:
    """The calibration error in [0, 1], smoothed by a Gaussian whose width equals that error.

    The residuals (confidence − correct) are smoothed over the confidences, with reflection at 0 and 1, and
    their absolute value is integrated. A wider kernel gives a smaller error, so exactly one width equals its
    error.

    Raises:
        InputError: see `check_confidences`.

    Source: Błasiok & Nakkiran 2023, "Smooth ECE: principled reliability diagrams via kernel smoothing".
    Differs from their relplot by at most 0.002: relplot searches the width in ten halvings, and counts a
    confidence of exactly 0 or 1 once, which the reflection counts twice.

    >>> round(smooth_ece(np.full(10, 0.9), np.tile([0.0, 1.0], 5)), 2)
    0.4
    """
    check_confidences(confidence, correct)
    return _smooth_ece_of(_residuals_on_grid(confidence, correct) / len(confidence))


def _residuals_on_grid(confidence: Confidences, correct: Correct) -> Float[ndarray, " points"]:
    """The residuals on the grid, each shared between its two nearest points."""
    place = confidence * _POINTS - 0.5
    lower = np.floor(place).astype(int)
    share = place - lower
    residual = confidence - correct
    below, above = np.clip(lower, 0, _POINTS - 1), np.clip(lower + 1, 0, _POINTS - 1)
    return np.bincount(below, residual * (1 - share), _POINTS) + np.bincount(above, residual * share, _POINTS)


def _smooth_ece_of(points: Float[ndarray, " points"]) -> float:
    """The smooth ECE of residuals on the grid, divided by the number of items."""
    from scipy.fft import dct, idct

    waves = dct(points, type=2, norm="ortho")
    frequencies = np.pi * np.arange(_POINTS)

    def error(width: float) -> float:
        smoothed = idct(waves * np.exp(-0.5 * (frequencies * width) ** 2), type=2, norm="ortho")
        return float(np.abs(smoothed).sum())

    narrow, wide = _NARROWEST, 1.0
    if error(narrow) <= narrow:
        return error(narrow)
    for _ in range(_HALVINGS):
        middle = (narrow + wide) / 2
        narrow, wide = (narrow, middle) if error(middle) <= middle else (middle, wide)
    return error(wide)
