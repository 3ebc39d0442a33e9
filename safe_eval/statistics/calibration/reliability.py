"""Reliability: confidence against accuracy in bins, and the calibration errors of binned confidences."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError

Confidences = Float[ndarray, " items"]
Correct = Float[ndarray, " items"]
Probabilities = Float[ndarray, "items classes"]
Classes = Int[ndarray, " items"]
BinTotals = Float[ndarray, "*rows columns"]  # items of each bin, then sums of confidence, then of correct

Spacing = Literal["equal width", "equal mass"]
BINS = 15


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: confidences in (low, high]. The means of an empty bin are None."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal width"
) -> tuple[Bin, ...]:
    """The data of a reliability diagram.

    A bin contains its upper edge and not its lower one; the first bin also contains 0. With equal mass, the
    sorted confidences are cut into equal parts (the first parts may have one item more), and edges lie half
    way between neighbours. Equal confidences stay in one bin, so bins may be fewer, uneven or empty.

    Raises:
        InputError: see `check_confidences`; or there is less than one bin.

    >>> [bar.n for bar in reliability(np.array([0.0, 0.5, 0.6, 1.0]), np.array([0.0, 1, 0, 1]), bins=2)]
    [2, 2]
    """
    check_confidences(confidence, correct)
    inner = inner_edges(confidence, bins, spacing)
    n, confidences, rights = _split(bin_columns(confidence, correct, inner).sum(axis=0))
    outer = np.r_[0.0, inner, 1.0]
    return tuple(
        Bin(
            low=float(outer[i]),
            high=float(outer[i + 1]),
            n=int(n[i]),
            confidence=float(confidences[i] / n[i]) if n[i] else None,
            accuracy=float(rights[i] / n[i]) if n[i] else None,
        )
        for i in range(len(n))
    )


def ece(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal width"
) -> float:
    """The expected calibration error in [0, 1]: the mean |accuracy − confidence| of the bins, by their items.

    It uses the bins of `reliability`.

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.

    >>> round(ece(np.array([0.8, 0.8, 0.8, 0.8]), np.array([1.0, 1, 0, 0])), 3)
    0.3
    """
    return float(ece_of(_totals(confidence, correct, bins, spacing)))


def mce(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal width"
) -> float:
    """The maximum calibration error in [0, 1]: the largest |accuracy − confidence| of any bin, however small.

    Source: Guo et al. 2017, equation 5.

    >>> round(mce(np.array([0.8, 0.8, 0.3]), np.array([1.0, 1.0, 1.0])), 3)
    0.7
    """
    return float(mce_of(_totals(confidence, correct, bins, spacing)))


def debiased_ece(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal mass"
) -> float:
    """The root mean square calibration error of the bins, corrected for what chance adds to it.

    The sampling variance of a bin's accuracy is subtracted from its squared error. A bin of one item has no
    variance and counts as 0, and so does a negative sum.

    Source: Kumar, Liang & Ma 2019, "Verified uncertainty calibration", section 5. Differs from `ece`: errors
    are squared, so it is at least as large as ECE would be without noise.

    >>> debiased_ece(np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0]))
    0.0
    """
    return float(debiased_ece_of(_totals(confidence, correct, bins, spacing)))


def classwise_ece(probabilities: Probabilities, labels: Classes, *, bins: int = BINS) -> float:
    """The mean over classes of the ECE of "it is this class", with bins of equal width as in `reliability`.

    Raises:
        InputError: see `check_probabilities`.

    Source: Kull et al. 2019, "Beyond temperature scaling".

    >>> round(classwise_ece(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([0, 1])), 3)
    0.45
    """
    check_probabilities(probabilities, labels)
    classes = probabilities.shape[1]
    errors = [ece(probabilities[:, k], (labels == k).astype(float), bins=bins) for k in range(classes)]
    return float(np.mean(errors))


def inner_edges(confidence: Confidences, bins: int, spacing: Spacing) -> Float[ndarray, " edges"]:
    """The edges between the bins, in ascending order.

    Raises:
        InputError: there is less than one bin.
    """
    if bins < 1:
        raise InputError(f"{bins} bins hold nothing; give 1 or more")
    if spacing == "equal width":
        return np.arange(1, bins) / bins
    parts = np.array_split(np.sort(confidence), min(bins, len(confidence)))
    return np.unique([(low[-1] + high[0]) / 2 for low, high in pairwise(parts)])


def bin_columns(
    confidence: Confidences, correct: Correct, inner: Float[ndarray, " edges"]
) -> Float[ndarray, "items columns"]:
    """One row per item with its values in the columns of its bin. Sums of rows are `BinTotals`."""
    check_confidences(confidence, correct)
    is_in = np.searchsorted(inner, confidence, side="left")[:, None] == np.arange(len(inner) + 1)
    return np.hstack([is_in, is_in * confidence[:, None], is_in * correct[:, None]])


def ece_of(totals: BinTotals) -> Float[ndarray, "*rows"]:
    """`ece` from sums by bin."""
    n, confidences, rights = _split(totals)
    return np.asarray(np.abs(rights - confidences).sum(axis=-1) / n.sum(axis=-1))


def mce_of(totals: BinTotals) -> Float[ndarray, "*rows"]:
    """`mce` from sums by bin."""
    n, confidences, rights = _split(totals)
    return np.asarray((np.abs(rights - confidences) / np.maximum(n, 1)).max(axis=-1))


def debiased_ece_of(totals: BinTotals) -> Float[ndarray, "*rows"]:
    """`debiased_ece` from sums by bin."""
    n, confidences, rights = _split(totals)
    at_least_one = np.maximum(n, 1)
    accuracy = np.clip(rights / at_least_one, 0, 1)
    chance = accuracy * (1 - accuracy) / np.maximum(n - 1, 1)
    squares = np.where(n > 1.5, ((rights - confidences) / at_least_one) ** 2 - chance, 0)
    return np.asarray(np.sqrt(np.maximum((n * squares).sum(axis=-1) / n.sum(axis=-1), 0)))


def as_if_calibrated(drawn: BinTotals, whole: BinTotals) -> BinTotals:
    """Resampled sums by bin without the errors of the data: what a calibrated model would show."""
    n, confidences, rights = _split(drawn)
    _, expected, observed = _split(whole)
    return np.concatenate([n, confidences, rights - (observed - expected)], axis=-1)


def check_confidences(confidence: Confidences, correct: Correct) -> None:
    """Refuse confidences that have no calibration.

    Raises:
        InputError: there are no items, the lengths differ, or a confidence or score is outside [0, 1].
    """
    if len(confidence) != len(correct) or not len(confidence):
        raise InputError(f"{len(confidence)} confidences of {len(correct)} answers have no calibration")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError("a confidence is outside [0, 1]; write probabilities, not logits")
    if not ((correct >= 0) & (correct <= 1)).all():
        raise InputError("a score is outside [0, 1]; calibration needs right or wrong")


def check_probabilities(probabilities: Probabilities, labels: Classes) -> None:
    """Refuse distributions that have no calibration.

    Raises:
        InputError: there are no items, the lengths differ, a row is not a distribution, or a label is not a
        class.
    """
    if len(probabilities) != len(labels) or not len(labels):
        raise InputError(f"{len(probabilities)} distributions of {len(labels)} labels have no calibration")
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise InputError("the probabilities of an item are negative or do not sum to 1; give all choices")
    if not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise InputError(f"a label is not one of the {probabilities.shape[1]} classes")


def _totals(
    confidence: Confidences, correct: Correct, bins: int, spacing: Spacing
) -> Float[ndarray, " columns"]:
    check_confidences(confidence, correct)
    columns = bin_columns(confidence, correct, inner_edges(confidence, bins, spacing))
    return np.asarray(columns.sum(axis=0))


def _split(totals: BinTotals) -> list[Float[ndarray, "*rows bins"]]:
    return np.split(totals, 3, axis=-1)
