"""Frontier: which of several points cost least for what they score, and how sure that is.

Every point is a mean score and a mean cost of the same items. Their intervals hold all at once, so that a
reader may look for the best point among them.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_codes
from safe_eval.statistics.intervals import CLUSTER_T, DIFFERENCE, FRACTION, Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import effective_clusters, score_interval

Table = Float[ndarray, "points items"]
Draws = Float[ndarray, "resamples points"]

_NEARLY = 1e-9  # sums in another order may differ in their last bits


@dataclass(frozen=True)
class Point:
    """A mean score and a mean cost. The intervals of all points and both axes hold at once."""

    value: float
    value_interval: Interval
    cost: float
    cost_interval: Interval


@dataclass(frozen=True)
class Standing:
    """Whether another point makes one needless.

    `dominated_by` is the place of a point that scores no less for no more, and one of both better, if there
    is one in this sample. `is_shown`: intervals show that. `share` is how often resamples have the point on
    the frontier.
    """

    dominated_by: int | None
    is_shown: bool
    share: float


@dataclass(frozen=True)
class Joint:
    """Scores and costs of the same items by point, their means, and how far resamples move all means at once.

    `pulls` is what each cluster adds to the errors, first those of the values, then those of the costs.
    """

    scores: Table = field(repr=False)
    spent: Table = field(repr=False)
    clusters: Labels = field(repr=False)
    confidence: float
    values: Float[ndarray, " points"]
    costs: Float[ndarray, " points"]
    pulls: Draws = field(repr=False)
    errors: Draws = field(repr=False)
    freedom: float


def jointly(scores: Table, spent: Table, clusters: Labels, sampling: Sampling) -> Joint:
    """Resample whole clusters, for all points and both axes together.

    A cost is NaN where it is not known; its mean is that of the others. The clusters have normal weights,
    whose sums are drawn from their own distribution, with the tails of Student's t for few clusters.

    Raises:
        InputError: the tables differ in shape, a point has no cost at all, or there is one effective cluster.

    Source: Chernozhukov, Chetverikov & Kato 2013, "Gaussian approximations and multiplier bootstrap for
    maxima of sums of high-dimensional random vectors".

    >>> jointly(np.ones((2, 6)), np.array([[1.0] * 6, [2.0] * 6]), np.arange(6), Sampling()).costs.tolist()
    [1.0, 2.0]
    """
    if scores.shape != spent.shape or scores.shape[1:] != clusters.shape or not scores.size:
        of_all = f"{scores.shape} scores, {spent.shape} costs and {clusters.shape} clusters"
        raise InputError(f"{of_all} do not match")
    known = np.isfinite(spent)
    if not known.any(axis=1).all():
        raise InputError("a point has no cost, so it is no point")
    codes, count = cluster_codes(clusters)
    freedom = effective_clusters(np.bincount(codes).astype(float)) - 1
    if freedom <= _NEARLY:
        raise InputError("all items are in one cluster, which does not show how much another would differ")
    filled = np.where(known, spent, 0.0)
    values, costs = scores.mean(axis=1), filled.sum(axis=1) / known.sum(axis=1)
    errors = [(scores - values[:, None]) / scores.shape[1]]
    errors.append(np.where(known, filled - costs[:, None], 0.0) / known.sum(axis=1)[:, None])
    pulls = np.stack([np.bincount(codes, weights=row) for row in np.concatenate(errors)], axis=1)
    pulls *= np.sqrt(count / (count - 1))
    freedom = max(freedom, 1.0)
    drawn = _drawn(pulls, freedom, sampling)
    return Joint(scores, spent, clusters, sampling.confidence, values, costs, pulls, drawn, freedom)


def joint_points(
    joint: Joint, *, scale: tuple[float, float] = FRACTION, highest_cost: float | None = None
) -> list[Point]:
    """Each point with intervals that hold for all points and both axes at once.

    Costs lie between 0 and `highest_cost`, if anything bounds them. Of all coordinates the largest error, in
    standard errors, is exceeded in 5 % of resamples. At that level each interval is the usual one of a score,
    or Student's t where nothing bounds a cost.

    Source: Montiel Olea & Plagborg-Møller 2019, "Simultaneous confidence bands: theory, implementation, and
    an application to SVARs".

    >>> right = (np.arange(400) % 10 < np.array([[9], [5]])).astype(float)
    >>> cost = np.array([[8.0], [0.0]]) + np.zeros(400)
    >>> joint = jointly(right, cost, np.arange(400), Sampling())
    >>> for point in joint_points(joint, highest_cost=8):
    ...     print(point.value, round(point.value_interval.low, 2), round(point.value_interval.high, 2))
    0.9 0.86 0.93
    0.5 0.44 0.56
    """
    stderrs = _stderrs(joint.pulls)
    level = _level(_in_errors(joint.errors, stderrs), joint)
    reach = _quantile(level, joint.freedom) * stderrs[len(joint.values) :]
    return [
        Point(
            value=float(joint.values[at]),
            value_interval=score_interval(joint.scores[at], joint.clusters, level, scale=scale),
            cost=float(joint.costs[at]),
            cost_interval=_cost_interval(
                joint.spent[at], joint.clusters, level, float(reach[at]), highest_cost
            ),
        )
        for at in range(len(joint.values))
    ]


def standings(joint: Joint, *, scale: tuple[float, float] = FRACTION) -> list[Standing]:
    """Which points another one dominates, and whether the intervals of both differences show it.

    These intervals are at a level at which those of all pairs of points hold at once. Costs that are the same
    in every item count as the same. Scores that are the same in every item do not: other items may differ.

    >>> right = (np.arange(400) % 10 < np.array([[9], [5], [4]])).astype(float)
    >>> cost = np.array([[8.0], [0.0], [8.0]]) + np.zeros(400)
    >>> standings(jointly(right, cost, np.arange(400), Sampling()))[2]
    Standing(dominated_by=0, is_shown=True, share=0.0)
    """
    standing = []
    for at, (better, level) in enumerate(_dominators(joint)):
        shown = False
        if better is not None and level is not None:
            shown = _shows(joint, (better, at), level, scale)
        standing.append(Standing(better, shown, _share(joint, at)))
    return standing


def _drawn(pulls: Draws, freedom: float, sampling: Sampling) -> Draws:
    rng = np.random.default_rng(sampling.seed)
    stderrs = _stderrs(pulls)
    correlated = _root((pulls / np.where(stderrs > 0, stderrs, np.inf)).T)
    normal = rng.standard_normal((sampling.resamples, len(stderrs)))
    tails = np.sqrt(rng.chisquare(freedom, (sampling.resamples, 1)) / freedom)
    drawn: Draws = normal @ correlated.T * stderrs / tails
    return drawn


def _root(rows: Float[ndarray, "points2 clusters"]) -> Float[ndarray, "points2 points2"]:
    """Cholesky's factor of the products of all rows, in which a row that follows from others adds nothing.

    Eigenvectors would do as well, but their signs differ from machine to machine.
    """
    products = rows @ rows.T
    root: Float[ndarray, "points2 points2"] = np.zeros_like(products)
    for at in range(len(products)):
        left = products[at:, at] - root[at:, :at] @ root[at, :at]
        if left[0] > _NEARLY:
            root[at:, at] = left / np.sqrt(left[0])
    return root


def _stderrs(pulls: Draws) -> Float[ndarray, " points2"]:
    stderrs: Float[ndarray, " points2"] = np.sqrt((pulls**2).sum(axis=0))
    stderrs[stderrs <= _NEARLY * np.abs(pulls).max(initial=1e-300)] = 0.0
    return stderrs


def _in_errors(errors: Draws, stderrs: Float[ndarray, " points2"]) -> Float[ndarray, " resamples"]:
    """The largest error of each resample in standard errors; what has no spread errs like a stranger."""
    spread = stderrs > 0
    largest: Float[ndarray, " resamples"] = np.zeros(len(errors))
    if spread.any():
        largest = np.abs(errors[:, spread] / stderrs[spread]).max(axis=1)
    if not spread.all():
        strangers = np.random.default_rng(len(stderrs)).standard_normal((len(errors), int((~spread).sum())))
        largest = np.maximum(largest, np.abs(strangers).max(axis=1))
    return largest


def _level(largest: Float[ndarray, " resamples"], joint: Joint) -> float:
    """The confidence at which intervals of single coordinates hold all at once."""
    from scipy.special import stdtr  # scipy.stats takes half a second to load

    reach = float(np.quantile(largest, joint.confidence))
    return max(joint.confidence, float(2 * stdtr(joint.freedom, reach) - 1))


def _quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def _cost_interval(
    costs: Float[ndarray, " items"], clusters: Labels, level: float, reach: float, highest: float | None
) -> Interval:
    known = np.isfinite(costs)
    if highest is not None:
        scale = (0.0, max(highest, 1.0))
        return score_interval(costs[known], clusters[known], level, scale=scale)
    if not reach:
        return Interval()
    mean = float(costs[known].mean())
    return Interval(max(0.0, mean - reach), mean + reach, CLUSTER_T)


def _dominates(values: Draws, costs: Draws, better: int, worse: int) -> Bool[ndarray, "*resamples"]:
    """Whether a point scores no less for no more than another, and one of both better."""
    gain, saving = values[..., better] - values[..., worse], costs[..., worse] - costs[..., better]
    at_cost, at_value = _NEARLY * (np.abs(costs[..., worse]) + 1e-300), _NEARLY
    no_worse = (gain >= -at_value) & (saving >= -at_cost)
    found: Bool[ndarray, "*resamples"] = no_worse & ((gain > at_value) | (saving > at_cost))
    return found


def _share(found: Joint, at: int) -> float:
    """How often a point is on the frontier when all are moved by their resampled errors."""
    count = len(found.values)
    values, costs = found.values + found.errors[:, :count], found.costs + found.errors[:, count:]
    dominated = np.zeros(len(values), dtype=bool)
    for other in range(count):
        if other != at:
            dominated |= _dominates(values, costs, other, at)
    return float(1 - dominated.mean())


def _dominators(found: Joint) -> list[tuple[int | None, float | None]]:
    """The point that most clearly dominates each in this sample, and the level at which to look closer.

    The level is None where a look at standard errors says that nothing will be shown.
    """
    count = len(found.values)
    pairs = [(i, j) for i in range(count) for j in range(i)]
    distances, largest = {}, np.zeros(len(found.errors))
    for i, j in pairs:
        for axis in (0, count):
            pull = (found.pulls[:, axis + i] - found.pulls[:, axis + j])[:, None]
            error = (found.errors[:, axis + i] - found.errors[:, axis + j])[:, None]
            stderr = _stderrs(pull)
            if stderr[0]:
                largest = np.maximum(largest, _in_errors(error, stderr))
            distances[i, j, axis] = distances[j, i, axis] = float(stderr[0])
    level = _level(largest, found)
    reach = _quantile(level, found.freedom)
    dominators: list[tuple[int | None, float | None]] = []
    for worse in range(count):
        clear = {
            better: min(
                _clear(found.values[better] - found.values[worse], distances[better, worse, 0]),
                _clear(found.costs[worse] - found.costs[better], distances[better, worse, count]),
            )
            for better in range(count)
            if better != worse and _dominates(found.values, found.costs, better, worse)
        }
        best = max(clear, key=clear.__getitem__, default=None)
        dominators.append((best, level if best is not None and clear[best] > reach else None))
    return dominators


def _clear(difference: float, stderr: float) -> float:
    """A difference in standard errors; the same in every cluster is as clear as can be."""
    return difference / stderr if stderr else float("inf")


def _shows(joint: Joint, pair: tuple[int, int], level: float, scale: tuple[float, float]) -> bool:
    """Whether the intervals of both differences show the first of a pair to score more for no more."""
    better, worse = pair
    values, costs, clusters = joint.scores, joint.spent, joint.clusters
    both = np.isfinite(costs[better]) & np.isfinite(costs[worse])
    saved = (costs[worse] - costs[better])[both]
    if np.abs(saved).max(initial=0.0) > 0:
        width = float(np.nanmax(costs))
        between = DIFFERENCE if width <= 1 else (-width, width)
        low = difference_interval(saved, clusters[both], level, scale=between).low
        if low is None or low < 0:
            return False
    height = scale[1] - scale[0]
    gained = (values[better] - values[worse]) / height
    low = difference_interval(gained, clusters, level).low
    return low is not None and low > 0
