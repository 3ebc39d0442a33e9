"""Seeds: what changes when nothing but the seed does, apart from what other questions would change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import clustered_stderr
from safe_eval.statistics.sampling import Interval, Labels, Sampling, Values

SeedScores = Float[ndarray, "seeds items"]


@dataclass(frozen=True)
class SeedSpread:
    """A metric over several trained seeds, all scored on the same items.

    `std` is what is reported as mean ± std: between the seeds' means, on these items. Part of it is the
    items: `noise_std` is what the scatter of single answers would give seeds of equal worth, `seed_std` what
    is left. `sampling_stderr` is how far the mean may be off for other items, whatever the seed.
    """

    means: tuple[float, ...]
    mean: float
    std: float | None  # None for one seed
    noise_std: float | None
    seed_std: float | None
    sampling_stderr: float | None
    interval: Interval  # over clusters and seeds at once
    n: int
    clusters: int


def always_right(scores: SeedScores, *, right_from: float) -> Bool[ndarray, " items"]:
    """The items that every seed gets right: scores of `right_from` or more.

    >>> always_right(np.array([[0.0, 0.3, 1.0], [0.0, 1.0, 1.0]]), right_from=0.5).tolist()
    [False, False, True]
    """
    return np.asarray((scores >= right_from).all(axis=0))


def always_wrong(scores: SeedScores, *, right_from: float) -> Bool[ndarray, " items"]:
    """The items that every seed gets wrong: scores below `right_from`.

    >>> always_wrong(np.array([[0.0, 0.3, 1.0], [0.0, 1.0, 1.0]]), right_from=0.5).tolist()
    [True, False, False]
    """
    return np.asarray((scores < right_from).all(axis=0))


@dataclass(frozen=True)
class Stability:
    """The items of one question type by how many seeds got them right."""

    question_type: str
    n: int
    always_right: int
    always_wrong: int
    mixed: int


@dataclass(frozen=True)
class Flips:
    """What became of the items of one question type from one set of answers to another."""

    question_type: str
    n: int
    stayed_right: int
    gained: int
    lost: int
    stayed_wrong: int


def crossed(scores: Mapping[int, Mapping[str, float]]) -> tuple[tuple[str, ...], SeedScores]:
    """The example ids, ascending, and their scores by seed, from `{seed: {example id: score}}`.

    Raises:
        InputError: an example is missing from a seed, so that seeds would be compared on different items.
    """
    if not scores or not all(scores.values()):
        raise InputError("no seeds, or a seed without scores: nothing can be said of them")
    examples = sorted(set().union(*scores.values()))
    missing = {seed: len(examples) - len(scored) for seed, scored in scores.items()}
    if any(missing.values()):
        counts = ", ".join(f"seed {seed} lacks {count}" for seed, count in missing.items() if count)
        raise InputError(
            f"seeds have not answered the same {len(examples)} examples: {counts}; score those all share"
        )
    return tuple(examples), np.array([[scores[seed][name] for name in examples] for seed in sorted(scores)])


def seed_spread(scores: SeedScores, clusters: Labels, sampling: Sampling) -> SeedSpread:
    """Take the spread over seeds apart: seeds, scatter of single answers, choice of items.

    The scatter is the clustered standard error of what a seed's score of an item differs from the item's
    mean and the seed's mean: a two-way analysis of variance with one score a seed and item.

    Source: Searle, Casella & McCulloch 1992, "Variance components", on clusters.

    >>> spread = seed_spread(np.array([[1.0, 1, 0, 0], [1.0, 1, 1, 0]]), np.arange(4), Sampling())
    >>> spread.mean, round(spread.std, 3)
    (0.625, 0.177)
    """
    means = _check(scores, clusters).mean(axis=1)
    seeds = len(means)
    std = float((means - means[0]).std(ddof=1)) if seeds > 1 else None  # equal means: exactly 0
    noise = _noise_variance(scores, clusters) if seeds > 1 else None
    return SeedSpread(
        means=tuple(map(float, means)),
        mean=float(means.mean()),
        std=std,
        noise_std=None if noise is None else math.sqrt(noise),
        seed_std=None if noise is None or std is None else math.sqrt(max(0.0, std**2 - noise)),
        sampling_stderr=clustered_stderr(scores.mean(axis=0), clusters),
        interval=two_way_interval(
            scores.ravel(), np.tile(clusters, seeds), np.repeat(np.arange(seeds), len(clusters)), sampling
        ),
        n=scores.shape[1],
        clusters=count_clusters(clusters),
    )


def stability(
    scores: SeedScores, question_types: Sequence[str], *, right_from: float
) -> tuple[Stability, ...]:
    """How many items of each question type are right in every seed, wrong in every seed, or neither.

    >>> stability(np.array([[0.0, 1.0], [1.0, 1.0]]), ["count", "count"], right_from=0.5)[0].mixed
    1
    """
    types = _types(question_types, scores.shape[1])
    right, wrong = always_right(scores, right_from=right_from), always_wrong(scores, right_from=right_from)
    rows = []
    for name in np.unique(types):
        n, all_right, all_wrong = (int((of & (types == name)).sum()) for of in (types == name, right, wrong))
        rows.append(Stability(str(name), n, all_right, all_wrong, n - all_right - all_wrong))
    return tuple(rows)


def flips(
    before: Values, after: Values, question_types: Sequence[str], *, right_from: float
) -> tuple[Flips, ...]:
    """The flip table by question type, of two seeds or of any two sets of answers to the same items.

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


def _noise_variance(scores: SeedScores, clusters: Labels) -> float | None:
    """The variance of a seed's mean that answers scattering about equal seeds would give."""
    seeds = len(scores)
    moved = scores - scores[0]  # what an item adds to all seeds is no scatter; equal seeds: exactly 0
    scatter = moved - moved.mean(axis=0) - moved.mean(axis=1, keepdims=True) + moved.mean()
    stderrs = [clustered_stderr(row, clusters) for row in scatter]
    variances = [stderr**2 for stderr in stderrs if stderr is not None]
    return float(np.mean(variances)) * seeds / (seeds - 1) if variances else None


def _check(scores: SeedScores, clusters: Labels) -> SeedScores:
    if scores.ndim != 2 or not scores.size or scores.shape[1] != len(clusters):
        raise InputError(
            f"scores of shape {scores.shape} beside {len(clusters)} clusters: give seeds × items"
        )
    return scores


def _types(question_types: Sequence[str], items: int) -> ndarray:
    if len(question_types) != items or not items:
        raise InputError(f"{len(question_types)} question types of {items} items do not match")
    return np.asarray(question_types)


TWO_WAY_T = "cluster and seed t"  # how an interval was made


def two_way_interval(values: Values, clusters: Labels, seeds: Labels, sampling: Sampling) -> Interval:
    """The interval of a mean over crossed clusters and seeds: for new clusters and new seeds at once.

    The variance by clusters and the variance by seeds, added; Student's t with the degrees of freedom of that
    sum. It may pass the ends of the scale. One cluster, one seed or no spread: not measured.

    Source: Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering", section 2;
    Satterthwaite 1946, "An approximate distribution of estimates of variance components". Differs: the
    variance of single answers is in both terms and stays so, since the difference could be below 0. Why no
    bootstrap: three seeds drawn with replacement (Owen 2007, the pigeonhole) held the truth in 80 % of trials
    where seeds differ most; this holds it in some 95 % (`python -m benchmarks coverage_simulation`).

    >>> import numpy as np
    >>> values, numbers = np.array([0.0, 1.0, 1.0, 1.0]), np.arange(4)
    >>> two_way_interval(values, numbers % 2, numbers // 2, Sampling()).method
    'cluster and seed t'
    """
    by_cluster, by_seed = clustered_stderr(values, clusters), clustered_stderr(values, seeds)
    if by_cluster is None or by_seed is None:
        return Interval()
    ways = ((by_cluster, count_clusters(clusters)), (by_seed, count_clusters(seeds)))
    return interval_of_ways(float(values.mean()), ways, sampling)


def interval_of_ways(value: float, ways: Sequence[tuple[float, int]], sampling: Sampling) -> Interval:
    """The interval of a value from its standard error each way, and the number of clusters that way."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    variance = sum(stderr**2 for stderr, _ in ways)
    if variance < 1e-24:
        return Interval()
    freedom = variance**2 / sum(stderr**4 / (count - 1) for stderr, count in ways)
    reach = float(stdtrit(freedom, (1 + sampling.confidence) / 2)) * math.sqrt(variance)
    return Interval(value - reach, value + reach, TWO_WAY_T)
