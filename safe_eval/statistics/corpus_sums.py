"""Corpus sums: metrics such as BLEU and METEOR, computed from the summed counts of a corpus, not as a mean.

Each resample of clusters sums their counts and is scored like the corpus. Two sides of a comparison are
resampled together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_totals, portions, resampled_totals
from safe_eval.statistics.intervals import Interval, percentile_interval, without_spread

RANDOMISATION = "cluster approximate randomisation"  # how a p value was made
NO_SPREAD = 1e-4  # a BLEU of 0 is made of tiny constants, which vary a little
Counts = Shaped[ndarray, "items counts"]
Score = Callable[[Shaped[ndarray, "*rows counts"]], Float[ndarray, "*rows"]]  # of summed counts


@dataclass(frozen=True)
class SumsDifference:
    """The difference of two corpus values, with an interval for each confidence.

    A single cluster gives empty intervals and no p value.
    """

    difference: float
    intervals: tuple[Interval, ...]
    p_value: float | None


def corpus_value(score: Score, counts: Counts) -> float:
    """The value of a metric on the corpus of all items: here three of four words are right.

    >>> right_and_words = np.array([[1, 2], [2, 2]])
    >>> corpus_value(lambda sums: sums[..., 0] / sums[..., 1], right_and_words)
    0.75
    """
    return float(score(counts.sum(axis=0)))


def corpus_interval(
    score: Score, counts: Counts, clusters: Labels, sampling: Sampling, highest: float
) -> Interval:
    """The percentile interval of a corpus value under the cluster bootstrap; empty for a single cluster.

    Source: Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation", section 3, on
    clusters. If all resamples agree, it says what clusters not yet seen could do, as for a mean.
    """
    totals = cluster_totals(counts.astype(float), clusters)
    drawn = score(whole_counts(resampled_totals(totals, sampling)))
    return _intervals(drawn, len(totals), (sampling.confidence,), (0.0, highest))[0]


def sums_difference(
    score: Score, a: Counts, b: Counts, clusters: Labels, sampling: Sampling, confidences: Sequence[float]
) -> SumsDifference:
    """a − b on the same items, both sides drawn together, and the p value of swapping whole clusters.

    Source: Koehn 2004, section 4; Riezler and Maxwell 2005, "On Some Pitfalls in Automatic Evaluation and
    Significance Testing for MT", section 4, approximate randomisation, on clusters.
    """
    width = a.shape[1]
    totals = cluster_totals(np.concatenate([a, b], axis=1).astype(float), clusters)
    drawn = whole_counts(resampled_totals(totals, sampling))
    differences = score(drawn[:, :width]) - score(drawn[:, width:])
    return SumsDifference(
        difference=corpus_value(score, a) - corpus_value(score, b),
        intervals=tuple(_intervals(differences, len(totals), confidences, (-1.0, 1.0))),
        p_value=swap_test(score, totals[:, None, :width], totals[:, None, width:], sampling)
        if len(totals) > 1
        else None,
    )


def swap_test(
    score: Score,
    a: Float[ndarray, "clusters seeds counts"],
    b: Float[ndarray, "clusters seeds counts"],
    sampling: Sampling,
) -> float:
    """The share of random swaps of whole clusters that give as large a difference; the data counts as one."""
    both, apart = (a + b).sum(axis=0), a - b
    apart = apart[(apart != 0).any(axis=(1, 2))]
    observed = abs(_mean_difference(score, a.sum(axis=0), b.sum(axis=0))) - 1e-9
    rng = np.random.default_rng(sampling.seed)
    as_large = 0
    for resamples in portions(sampling.resamples, max(1, len(apart))):
        drawn = rng.integers(0, 256, size=(resamples, -(-len(apart) // 8)), dtype=np.uint8)
        signs = 2.0 * np.unpackbits(drawn, axis=1, count=len(apart)) - 1
        moved = np.tensordot(signs, apart, axes=1)
        as_large += int(
            (np.abs(_mean_difference(score, (both + moved) / 2, (both - moved) / 2)) >= observed).sum()
        )
    return (as_large + 1) / (sampling.resamples + 1)


def _mean_difference(
    score: Score, a: Float[ndarray, "*rows seeds counts"], b: Float[ndarray, "*rows seeds counts"]
) -> Float[ndarray, "*rows"]:
    return np.asarray((score(a) - score(b)).mean(axis=-1))


def _intervals(
    drawn: Float[ndarray, " resamples"],
    clusters: int,
    confidences: Sequence[float],
    scale: tuple[float, float],
) -> list[Interval]:
    if clusters < 2 or np.ptp(drawn) < NO_SPREAD:
        alike = np.tile([float(np.clip(drawn.mean(), *scale)), 1.0], (clusters, 1))
        return [without_spread(alike, confidence, scale) or Interval() for confidence in confidences]
    return [percentile_interval(drawn, clusters, confidence) for confidence in confidences]


def whole_counts(sums: Float[ndarray, "resamples counts"]) -> Float[ndarray, "resamples counts"]:
    """Round sums of counts to whole numbers, because the bootstrap adds them up in 32 bits."""
    return np.asarray(np.maximum(np.rint(sums), 0.0))
