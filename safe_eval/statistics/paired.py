"""Paired differences: what changed between two scores of the same items, and whether by chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters, portions
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.intervals import (
    DIFFERENCE,
    Interval,
    clustered_stderr,
    mean_totals,
)
from safe_eval.statistics.paired_score import difference_interval, one_sided_p_value

MCNEMAR, SIGN_FLIP = "exact McNemar", "cluster sign-flip permutation"  # how a p value was made
_FEW_SIZES = 64  # different totals, up to which the flips of each size are drawn at once


@dataclass(frozen=True)
class PairedDifference:
    """a − b over the same items, with its interval and p values.

    `p_value` flips the signs of whole clusters. McNemar's p values are None unless every score is 0 or 1.
    They take items as independent, and reject too often if items share clusters.
    """

    difference: float
    stderr: float | None
    interval: Interval
    gained: int
    lost: int
    p_value: float
    mcnemar: float | None
    mcnemar_mid_p: float | None
    n: int
    clusters: int


def paired_difference(
    a: Values, b: Values, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = DIFFERENCE
) -> PairedDifference:
    """Compare two scores of each item, with the interval of `difference_interval`.

    Raises:
        InputError: the arrays differ in length.

    >>> better = paired_difference(np.ones(20), np.zeros(20), np.arange(20), Sampling())
    >>> better.difference, better.gained, better.lost, better.p_value < 0.001
    (1.0, 20, 0, True)
    """
    if not len(a) == len(b) == len(clusters):
        raise InputError(f"{len(a)} scores and {len(b)} in {len(clusters)} clusters are not paired")
    differences = a - b
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    exact, mid_p = mcnemar_p_values(a, b)
    return PairedDifference(
        difference=float(differences.mean()),
        stderr=clustered_stderr(differences, clusters),
        interval=difference_interval(differences, clusters, sampling.confidence, scale=scale),
        gained=gained,
        lost=lost,
        p_value=sign_flip(differences, clusters, sampling),
        mcnemar=exact,
        mcnemar_mid_p=mid_p,
        n=len(a),
        clusters=count_clusters(clusters),
    )


def paired_test(a: Values, b: Values, clusters: Labels, sampling: Sampling) -> tuple[float, str]:
    """The p value of a paired difference, and the name of its test.

    It is McNemar's exact test if every score is 0 or 1 and no two changed items share a cluster, or else
    `sign_flip`. On clustered items, McNemar's test would reject a true null hypothesis in 19 % of trials
    (`python -m benchmarks coverage_simulation`).
    """
    changed = clusters[a != b]
    if _right_or_wrong(a, b) and len(np.unique(changed)) == len(changed):
        return mcnemar(int((a > b).sum()), int((a < b).sum())), MCNEMAR
    return sign_flip(a - b, clusters, sampling), SIGN_FLIP


def mcnemar_p_values(a: Values, b: Values) -> tuple[float | None, float | None]:
    """McNemar's exact p value and mid-p, which ignore clusters. None unless every score is 0 or 1.

    >>> mcnemar_p_values(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    (1.0, 0.5)
    >>> mcnemar_p_values(np.array([1.0, 0.3]), np.array([0.0, 1.0]))
    (None, None)
    """
    if not _right_or_wrong(a, b):
        return None, None
    gained, lost = int((a > b).sum()), int((a < b).sum())
    return mcnemar(gained, lost), mcnemar_mid_p(gained, lost)


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p value: are gains and losses equally likely? 1 if nothing changed.

    The test treats items as independent, so report a clustered interval with it.

    Raises:
        ValueError: a count is negative.

    Source: McNemar 1947, with the binomial distribution instead of the normal one.

    >>> round(mcnemar(3, 11), 6), mcnemar(7, 7), mcnemar(0, 0)
    (0.057373, 1.0, 1.0)
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"counts of changes cannot be negative: gained {gained}, lost {lost}")
    from scipy.special import bdtr

    if gained == lost:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def mcnemar_mid_p(gained: int, lost: int) -> float:
    """McNemar's mid-p value: half the probability of the observed split counts. 1 without any change.

    At the 5 % level it rejects a true null hypothesis closer to 5 % of the time than the exact test does.

    Source: Fagerland, Lydersen & Laake 2013, "The McNemar test for binary matched-pairs data: mid-p and
    asymptotic are better than exact conditional".

    >>> round(mcnemar_mid_p(3, 11), 8), round(mcnemar_mid_p(7, 7), 6), mcnemar_mid_p(0, 0)
    (0.03515625, 0.895264, 1.0)
    """
    exact, changes = mcnemar(gained, lost), gained + lost
    if not changes:
        return 1.0
    from scipy.special import gammaln  # scipy.stats takes half a second to load

    ways = gammaln(changes + 1) - gammaln(gained + 1) - gammaln(lost + 1)
    observed = math.exp(ways - changes * math.log(2))
    return 1 - observed / 2 if gained == lost else exact - observed


def sign_flip(differences: Values, clusters: Labels, sampling: Sampling) -> float:
    """The two-sided p value of a mean difference when the sign of each cluster is random.

    The data itself counts as one of the draws, so the smallest p value is 1 / (resamples + 1).

    Source: Fisher 1935, "The Design of Experiments", section 21, on clusters.

    >>> sign_flip(np.full(10, 0.3), np.arange(10), Sampling()) < 0.01
    True
    """
    totals = mean_totals(differences, clusters)[:, 0]
    observed = abs(totals.sum()) - 1e-9  # sums in another order may differ in their last bits
    flipped = _flipped_totals(np.abs(totals).round(12), sampling)
    return (int((np.abs(flipped) >= observed).sum()) + 1) / (sampling.resamples + 1)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of a mean difference against ± margin, as an interval and its p value.

    Equivalent: the interval (90 % for tests at 5 %) lies inside the margin. Different: it lies outside.
    Undecided: it crosses an end of the margin or was not measured; more items may decide.
    """

    margin: float
    difference: float
    interval: Interval
    p_value: float | None  # None without any spread, where Wilson's limit decides
    verdict: Literal["equivalent", "different", "undecided"]


def equivalence(
    differences: Values,
    clusters: Labels,
    margin: float,
    sampling: Sampling,
    *,
    scale: tuple[float, float] = DIFFERENCE,
) -> Equivalence:
    """Test whether a mean difference lies within ± margin, in the unit of the scores (0.005 is half a point).

    Raises:
        InputError: the margin is not above 0, or the confidence is too low for two one-sided tests.

    Source: Schuirmann 1987, "A comparison of the two one-sided tests procedure …"; Student's t with C − 1
    degrees of freedom for C clusters, on scales wider than [0, 1]. Differs: scores in [0, 1] are tested by
    the bounds of a bounded mean: see `difference_interval`.

    >>> noise = np.random.default_rng(0).normal(0, 0.1, 10_000)
    >>> equivalence(noise, np.arange(10_000), 0.005, Sampling()).verdict
    'equivalent'
    """
    if not (np.isfinite(margin) and margin > 0):
        raise InputError(f"margin {margin} is not above 0; half a point of accuracy is 0.005")
    interval = difference_interval(differences, clusters, _two_one_sided(sampling), scale=scale)
    difference = float(differences.mean())
    p_value = _p_value(difference, clustered_stderr(differences, clusters), clusters, margin)
    if interval.method == BOUNDED:
        p_value = one_sided_p_value(differences, clusters, margin)
    return Equivalence(
        margin=margin,
        difference=difference,
        interval=interval,
        p_value=p_value,
        verdict=equivalence_verdict(interval, margin),
    )


def equivalence_verdict(interval: Interval, margin: float) -> Literal["equivalent", "different", "undecided"]:
    """Whether the interval of two one-sided tests lies inside ± margin, outside it, or across an end."""
    if interval.low is None or interval.high is None:
        return "undecided"
    if -margin < interval.low and interval.high < margin:
        return "equivalent"
    return "different" if interval.low > margin or interval.high < -margin else "undecided"


@dataclass(frozen=True)
class Flips:
    """How many items of one question type changed from wrong to right, from right to wrong, or not at all."""

    question_type: str
    n: int
    stayed_right: int
    gained: int
    lost: int
    stayed_wrong: int


def flips(
    before: Values, after: Values, question_types: Sequence[str], *, right_from: float
) -> tuple[Flips, ...]:
    """Count gained and lost items by question type, between two sets of scores of the same items.

    A score of `right_from` or more is right.

    Raises:
        InputError: the arrays differ in length, or there are no items.

    >>> flips(np.array([0.0, 1.0]), np.array([1.0, 1.0]), ["what", "what"], right_from=0.5)[0].gained
    1
    """
    if len(before) != len(after):
        raise InputError(f"{len(before)} scores before and {len(after)} after are not of the same items")
    types = _types(question_types, len(before))
    was, is_now = before >= right_from, after >= right_from
    rows = []
    for name in np.unique(types):
        of_type = types == name
        outcomes = (was & is_now, ~was & is_now, was & ~is_now, ~was & ~is_now)
        rows.append(Flips(str(name), int(of_type.sum()), *(int((of_type & of).sum()) for of in outcomes)))
    return tuple(rows)


def _right_or_wrong(a: Values, b: Values) -> bool:
    return bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())


def _flipped_totals(totals: Float[ndarray, " clusters"], sampling: Sampling) -> Float[ndarray, " resamples"]:
    """The sum of all totals under random signs: how many of each size flip, or one bit per cluster."""
    sizes, counts = np.unique(totals[totals > 0], return_counts=True)
    rng = np.random.default_rng(sampling.seed)
    flipped = []
    if len(sizes) < max(_FEW_SIZES, counts.sum() / 16):
        for resamples in portions(sampling.resamples, max(1, len(sizes))):
            heads = rng.binomial(counts, 0.5, size=(resamples, len(sizes)))
            flipped.append((2 * heads - counts) @ sizes)
        return np.concatenate(flipped)
    every = np.repeat(sizes, counts)
    for resamples in portions(sampling.resamples, len(every)):
        drawn = rng.integers(0, 256, size=(resamples, -(-len(every) // 8)), dtype=np.uint8)
        bits = np.unpackbits(drawn, axis=1, count=len(every)).astype(float)
        flipped.append(2 * (bits @ every) - every.sum())
    return np.concatenate(flipped)


def _two_one_sided(sampling: Sampling) -> float:
    if sampling.equivalence_confidence <= 0.5:
        raise InputError(f"confidence {sampling.confidence} is too low for two one-sided tests; give 0.95")
    return sampling.equivalence_confidence


def _p_value(difference: float, stderr: float | None, clusters: Labels, margin: float) -> float | None:
    """The larger of the two one-sided p values."""
    from scipy.special import stdtr

    if not stderr:
        return None
    return float(stdtr(count_clusters(clusters) - 1, (abs(difference) - margin) / stderr))


def _types(question_types: Sequence[str], items: int) -> ndarray:
    if len(question_types) != items or not items:
        raise InputError(f"{len(question_types)} question types of {items} items do not match")
    return np.asarray(question_types)
