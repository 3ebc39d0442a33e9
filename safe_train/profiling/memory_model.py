"""Memory model: a line of memory against the rows of a pass, its error, and the most rows that fit."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from safe_data.core.errors import InputError

FEWEST_SIZES = 4  # three make a line with an error, and a fourth is predicted by it


class MemoryModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The peak of a pass = intercept + bytes per row · rows, by least squares.

    Errors are shares of all tensors, those that are always there included: what is to be predicted is whether
    a size fits. `worst_error` and `rms_error` are those of the line at the sizes it was drawn through, and
    `pass_error` is the worst as a share of the pass alone. `left_out_error` is that of a line through all
    sizes but the largest, which it predicts: how far a line can be trusted beyond what was run.
    """

    intercept_bytes: float
    bytes_per_row: float
    sizes: tuple[int, ...]
    always_bytes: int
    worst_error: float
    worst_at: int
    rms_error: float
    pass_error: float
    left_out_rows: int
    left_out_error: float

    def bytes_of(self, rows: int) -> float:
        """The bytes that a pass of so many rows takes."""
        return self.intercept_bytes + self.bytes_per_row * rows

    @property
    def error(self) -> float:
        """The larger of the two errors that count: the worst at a size, and that of the size left out."""
        return max(self.worst_error, abs(self.left_out_error))

    def rows_within(self, limit: float) -> int | None:
        """The most rows whose pass stays within a limit of bytes; None if not one does, or rows are free.

        >>> model_of({1: 12, 2: 14, 4: 18, 8: 26}, always=0).rows_within(31)
        10
        """
        if not self.bytes_per_row > 0:
            return None
        # The line itself is not exact to the last bit, and a limit may lie on it.
        rows = math.floor((limit - self.intercept_bytes) / self.bytes_per_row + 1e-9)
        return rows if rows >= 1 else None


def model_of(peaks: Mapping[int, float], always: int) -> MemoryModel:
    """The line through the peaks of passes by their rows, beside `always` bytes.

    Raises:
        InputError: fewer than four sizes were run, or one took no memory.

    >>> found = model_of({1: 12, 2: 14, 4: 18, 8: 28}, always=72)
    >>> round(found.left_out_error, 6), round(found.worst_error, 4), round(found.pass_error, 4)
    (-0.02, 0.0064, 0.0319)
    """
    sizes = sorted(peaks)
    if len(sizes) < FEWEST_SIZES:
        raise InputError(f"{len(sizes)} sizes were run; a line and its error need {FEWEST_SIZES}")
    rows = np.array(sizes, np.float64)
    taken = np.array([peaks[size] for size in sizes], np.float64)
    if not (taken > 0).all():
        raise InputError("a size took no memory, so an error has no scale; was anything run?")
    slope, intercept = map(float, np.polyfit(rows, taken, 1))
    without, before = map(float, np.polyfit(rows[:-1], taken[:-1], 1))
    residuals, whole = intercept + slope * rows - taken, taken + always
    errors = np.abs(residuals) / whole
    worst = int(errors.argmax())
    return MemoryModel(
        intercept_bytes=intercept,
        bytes_per_row=slope,
        sizes=tuple(sizes),
        always_bytes=always,
        worst_error=float(errors[worst]),
        worst_at=sizes[worst],
        rms_error=float(np.sqrt(np.square(errors).mean())),
        pass_error=float((np.abs(residuals) / taken).max()),
        left_out_rows=sizes[-1],
        left_out_error=float((before + without * rows[-1] - taken[-1]) / whole[-1]),
    )
