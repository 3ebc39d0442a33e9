"""Reliability: confidence against accuracy in bins, and the calibration errors that bins give."""

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
BinTotals = Float[ndarray, "*rows columns"]  # per bin the items, the sum of confidences, the sum of correct

Spacing = Literal["equal width", "equal mass"]
BINS = 15


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: confidences in (low, high]; means are None in an empty bin."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal width"
) -> tuple[Bin, ...]:
    """The data of a reliability diagram.

    Edge rule: a bin holds its upper edge, not its lower one; the first holds 0 too. Equal mass: the sorted
    confidences are cut in equal parts, the first ones larger by an item, edges half way between neighbours;
    equal confidences stay together, so bins may be fewer, uneven or empty.

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
    """The expected calibration error: |accuracy − confidence| of the bins, weighted by their items.

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3. Edges as `reliability`.

    >>> round(ece(np.array([0.8, 0.8, 0.8, 0.8]), np.array([1.0, 1, 0, 0])), 3)
    0.3
    """
    return float(ece_of(_totals(confidence, correct, bins, spacing)))


def mce(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal width"
) -> float:
    """The maximum calibration error: the largest |accuracy − confidence| of a bin, however few its items.

    Source: Guo et al. 2017, equation 5.

    >>> round(mce(np.array([0.8, 0.8, 0.3]), np.array([1.0, 1.0, 1.0])), 3)
    0.7
    """
    return float(mce_of(_totals(confidence, correct, bins, spacing)))


def debiased_ece(
    confidence: Confidences, correct: Correct, *, bins: int = BINS, spacing: Spacing = "equal mass"
) -> float:
    """The root mean square calibration error of the bins, less what chance alone would add to it.

    From each squared gap goes the sampling variance of the bin's accuracy; a bin of one item, which has
    none, counts 0. A negative sum is 0.

    Source: Kumar, Liang & Ma 2019, "Verified uncertainty calibration", section 5. Differs from `ece`:
    squares, so it is no smaller than ECE would be without noise.

    >>> debiased_ece(np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0]))
    0.0
    """
    return float(debiased_ece_of(_totals(confidence, correct, bins, spacing)))


def classwise_ece(probabilities: Probabilities, labels: Classes, *, bins: int = BINS) -> float:
    """The ECE of each class's probability against "it is this class", averaged over the classes.

    Source: Kull et al. 2019, "Beyond temperature scaling". Equal width, edges as `reliability`.

    >>> round(classwise_ece(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([0, 1])), 3)
    0.45
    """
    check_probabilities(probabilities, labels)
    classes = probabilities.shape[1]
    errors = [ece(probabilities[:, k], (labels == k).astype(float), bins=bins) for k in range(classes)]
    return float(np.mean(errors))


def inner_edges(confidence: Confidences, bins: int, spacing: Spacing) -> Float[ndarray, " edges"]:
    """The edges between the bins, ascending."""
    if bins < 1:
        raise InputError(f"{bins} bins hold nothing; give 1 or more")
    if spacing == "equal width":
        return np.arange(1, bins) / bins
    parts = np.array_split(np.sort(confidence), min(bins, len(confidence)))
    return np.unique([(low[-1] + high[0]) / 2 for low, high in pairwise(parts)])


def bin_columns(
    confidence: Confidences, correct: Correct, inner: Float[ndarray, " edges"]
) -> Float[ndarray, "items columns"]:
    """Each item in the columns of its bin, so that sums over items are `BinTotals`."""
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


def without_gaps(drawn: BinTotals, whole: BinTotals) -> BinTotals:
    """Resampled sums by bin with the gaps of the data taken off, as a calibrated model would show them."""
    n, confidences, rights = _split(drawn)
    _, expected, observed = _split(whole)
    return np.concatenate([n, confidences, rights - (observed - expected)], axis=-1)


def check_confidences(confidence: Confidences, correct: Correct) -> None:
    """Refuse what has no calibration: nothing, unequal lengths, confidences or scores outside [0, 1]."""
    if len(confidence) != len(correct) or not len(confidence):
        raise InputError(f"{len(confidence)} confidences of {len(correct)} answers have no calibration")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError("a confidence is outside [0, 1]; write probabilities, not logits")
    if not ((correct >= 0) & (correct <= 1)).all():
        raise InputError("a score is outside [0, 1]; calibration needs right or wrong")


def check_probabilities(probabilities: Probabilities, labels: Classes) -> None:
    """Refuse rows that are no distributions, or whose label is none of the classes."""
    if len(probabilities) != len(labels) or not len(labels):
        raise InputError(f"{len(probabilities)} distributions of {len(labels)} labels have no calibration")
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise InputError("the probabilities of an item are negative or do not sum to 1; give all choices")
    if not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise InputError(f"a label is none of the {probabilities.shape[1]} classes")


def _totals(
    confidence: Confidences, correct: Correct, bins: int, spacing: Spacing
) -> Float[ndarray, " columns"]:
    check_confidences(confidence, correct)
    columns = bin_columns(confidence, correct, inner_edges(confidence, bins, spacing))
    return np.asarray(columns.sum(axis=0))


def _split(totals: BinTotals) -> list[Float[ndarray, "*rows bins"]]:
    return np.split(totals, 3, axis=-1)
