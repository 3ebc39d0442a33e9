"""Smooth ECE: the calibration error without bins, at the one width that the error itself chooses."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.calibration.reliability import Confidences, Correct, check_confidences

_CELLS = 4096  # of [0, 1]; the kernel is never narrower than 4 of them
_NARROWEST = 0.001
_HALVINGS = 20


def smooth_ece(confidence: Confidences, correct: Correct) -> float:
    """The calibration error smoothed by a Gaussian of a width equal to that error, reflected at 0 and 1.

    The residuals (confidence − correct) are smoothed over the confidences and their absolute value is
    integrated. A wider kernel gives a smaller error, so one width equals its own error: that is the value.

    Source: Błasiok & Nakkiran 2023, "Smooth ECE: principled reliability diagrams via kernel smoothing".
    Differs from their relplot by at most 0.002: it looks for the width in ten
    halvings, and counts a confidence of exactly 0 or 1 once where the reflection counts it twice.

    >>> round(smooth_ece(np.full(10, 0.9), np.tile([0.0, 1.0], 5)), 2)
    0.4
    """
    check_confidences(confidence, correct)
    return smooth_ece_of(residual_cells(confidence, correct) / len(confidence))


def residual_cells(confidence: Confidences, correct: Correct) -> Float[ndarray, " cells"]:
    """The residuals on a grid of cells, each shared between the two nearest cell centres."""
    place = confidence * _CELLS - 0.5
    lower = np.floor(place).astype(int)
    share = place - lower
    residual = confidence - correct
    below, above = np.clip(lower, 0, _CELLS - 1), np.clip(lower + 1, 0, _CELLS - 1)
    return np.bincount(below, residual * (1 - share), _CELLS) + np.bincount(above, residual * share, _CELLS)


def smooth_ece_of(cells: Float[ndarray, " cells"]) -> float:
    """The smooth ECE of residuals on the grid, their weights summing to 1."""
    from scipy.fft import dct, idct

    waves = dct(cells, type=2, norm="ortho")
    frequencies = np.pi * np.arange(_CELLS)

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
