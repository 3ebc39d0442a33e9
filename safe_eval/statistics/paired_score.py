"""Paired score bounds: how many answers were lost, net of those gained, with one-sided bounds.

They hold for few changes and for none, where a bootstrap or Student's t sees no spread and claims certainty.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters
from safe_eval.statistics.bounded_mean import mean_bounds, tail_probabilities
from safe_eval.statistics.intervals import DIFFERENCE, Interval, mean_totals, t_interval, without_spread

_MOST_ITEMS = 10**9  # more than that nobody asks


@dataclass(frozen=True)
class PairedLoss:
    """The share of items lost minus the share gained, and its lower and upper one-sided bounds.

    `effective` is the number of independent items that would say as much as these do.
    """

    loss: float
    low: float
    high: float
    lost: int
    gained: int
    n: int
    effective: float


def paired_loss(before: Values, after: Values, clusters: Labels, confidence: float = 0.95) -> PairedLoss:
    """What was lost between two right-or-wrong scores of the same items; items in clusters count for less.

    Raises:
        InputError: there are no items, the arrays differ in length, or a score is neither 0 nor 1.

    >>> unchanged = paired_loss(np.ones(200), np.ones(200), np.arange(200))
    >>> unchanged.loss, unchanged.low.__round__(4), unchanged.high.__round__(4)
    (0.0, -0.0133, 0.0133)
    """
    if not len(before) == len(after) == len(clusters) > 0:
        raise InputError(f"{len(before)} scores and {len(after)} in {len(clusters)} clusters are not paired")
    if not np.isin(np.concatenate([before, after]), (0, 1)).all():
        raise InputError("scores other than 0 and 1 are neither lost nor gained")
    changes = np.asarray(before - after, np.float64)
    lost, gained, n = int((changes > 0).sum()), int((changes < 0).sum()), len(changes)
    counts = _counts(changes, clusters)
    low, high = score_bounds(*counts, confidence)
    return PairedLoss(float(changes.mean()), low, high, lost, gained, n, counts[2])


def difference_interval(
    differences: Values, clusters: Labels, confidence: float, *, scale: tuple[float, float] = DIFFERENCE
) -> Interval:
    """The interval of a mean difference: the one place where its method is chosen.

    At 95 % it is two-sided; at 90 % it is the interval of two one-sided tests at 5 %.

    - Of scores in [0, 1]: the bounds of a bounded mean, which hold for few changes and for none, and never
      pass a worse model where a better one fails. A bootstrap or Student's t sees no spread there.
    - Of other scores, whose scale is far wider than they are: Student's t, and Wilson's limit for clusters
      not yet seen where all clusters agree.

    >>> lost = -np.repeat([1.0, 0.0], [2, 598])
    >>> bounds = difference_interval(lost, np.arange(600), 0.9)
    >>> round(bounds.low, 4), bounds.method, round(t_interval(lost, np.arange(600), 0.9).low, 4)
    (-0.0105, 'bounded cluster mean', -0.0072)
    """
    if scale == DIFFERENCE:
        if count_clusters(clusters) < 2:
            return Interval()
        return mean_bounds(differences, clusters, (1 + confidence) / 2, scale=scale)
    certain = without_spread(mean_totals(differences, clusters), confidence, scale)
    return t_interval(differences, clusters, confidence, scale=scale) if certain is None else certain


def one_sided_p_value(differences: Values, clusters: Labels, margin: float) -> float:
    """The larger p value of the two tests of a mean difference against ± margin."""
    return max(tail_probabilities(differences, clusters, margin))


def score_bounds(lost: float, gained: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The one-sided lower and upper bounds of (lost − gained) / n, each at this confidence.

    A bound is the difference that the score test of these n pairs only just rejects. Counts may be fractions:
    divide all three by the design effect of clusters.

    Raises:
        InputError: there are no items, more changes than items, or no such confidence.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17, the score test and its interval.

    >>> [round(bound, 4) for bound in score_bounds(5, 0, 200)]
    [0.0113, 0.0505]
    """
    if not (n > 0 and lost >= 0 and gained >= 0 and lost + gained <= n * (1 + 1e-12)):
        raise InputError(f"{lost} lost and {gained} gained of {n} items cannot be")
    if not 0.5 < confidence < 1:
        raise InputError(f"confidence {confidence} is not between 0.5 and 1; 95 % is 0.95")
    z = NormalDist().inv_cdf(confidence)
    return -_upper(gained, lost, n, z), _upper(lost, gained, n, z)


def score_statistic(lost: float, gained: float, n: float, loss: float) -> float:
    """The score test of a true loss: how many standard errors the observed one lies above it.

    Tango's own example: 1 lost of 44 pairs, against a loss of 0.1.

    >>> round(score_statistic(1, 0, 44, 0.1), 3)
    -1.709
    """
    # The share gained that is likeliest under this loss solves 2n·q² + b·q + c = 0.
    b = (2 * n - lost + gained) * loss - lost - gained
    c = -gained * loss * (1 - loss)
    share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share + loss * (1 - loss))
    distance = lost - gained - n * loss
    if variance <= 0:
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def items_that_show(loss: PairedLoss, margin: float, confidence: float = 0.95) -> int | None:
    """About how many items of these clusters would bound the loss below a margin, if shares stay as they are.

    None if no number would: the share lost is not below the margin.

    >>> items_that_show(paired_loss(np.ones(200), np.ones(200), np.arange(200)), 0.01)
    268
    """
    if not loss.loss < margin:
        return None
    lost, gained = loss.lost / loss.n, loss.gained / loss.n

    def shows(items: int) -> bool:
        return score_bounds(lost * items, gained * items, items, confidence)[1] < margin

    few, many = 0, 1
    while not shows(many):
        few, many = many, 2 * many
        if many > _MOST_ITEMS:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if shows(middle) else (middle, many)
    return math.ceil(many * loss.n / loss.effective)


def _counts(changes: Values, clusters: Labels) -> tuple[float, float, float]:
    """The items lost, those gained, and all items, divided by the design effect of the clusters."""
    effect = _design_effect(changes, clusters)
    return int((changes > 0).sum()) / effect, int((changes < 0).sum()) / effect, len(changes) / effect


def _upper(lost: float, gained: float, n: float, z: float) -> float:
    """The loss, above the observed one, at which the statistic has fallen to −z; by halving."""
    low, high = (lost - gained) / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if score_statistic(lost, gained, n, middle) < -z else (middle, high)
    return high


def _design_effect(changes: Values, clusters: Labels) -> float:
    """By how many times clusters multiply the variance of the mean change, at least 1.

    One more cluster of typical size, changed as a whole, is added to those observed. So without any change
    the clusters are what counts, not their items, and with many changes the data decide. It has no source.
    """
    sums, sizes = mean_totals(changes - changes.mean(), clusters).T
    typical = float((sizes**2).sum() / sizes.sum())
    few = len(sums) / (len(sums) - 1) if len(sums) > 1 else 1.0
    seen = few * float((sums**2).sum()) + typical**2
    return max(1.0, seen / (float(((changes - changes.mean()) ** 2).sum()) + typical))
