"""Agreement: how often a scorer and a person judge the same answers alike, and how far beyond chance."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Values, cluster_totals, count_clusters, resampled_totals
from safe_eval.statistics.intervals import Interval, percentile_interval
from safe_eval.statistics.score_interval import score_interval

UNDEFINED_AT_MOST = 0.05  # share of resamples that may have no kappa


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa and its standard error for independent items; None if both raters gave one label only."""

    value: float | None
    stderr: float | None


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How well a scorer agrees with a person, with intervals that respect the clusters."""

    n: int  # items with a label
    clusters: int
    both_right: int
    scorer_only: int  # right only according to the scorer
    person_only: int
    both_wrong: int
    agreement: float  # share of items that both judge alike
    agreement_low: float | None
    agreement_high: float | None
    kappa: float | None
    kappa_stderr: float | None  # analytic, for independent items
    kappa_low: float | None
    kappa_high: float | None
    confidence: float


def agreement(
    scorer: Bool[ndarray, " items"], person: Bool[ndarray, " items"], clusters: Labels, sampling: Sampling
) -> Agreement:
    """Compare a scorer's judgements (right or wrong) with a person's, item by item.

    Raises:
        InputError: there are no items, or the arrays differ in length.

    >>> judged = agreement(np.array([True, True, False, False]), np.array([True, False, False, False]),
    ...                    np.arange(4), Sampling())
    >>> judged.agreement, judged.kappa, judged.scorer_only
    (0.75, 0.5, 1)
    """
    kappa = cohens_kappa(scorer.tolist(), person.tolist())
    same = score_interval((scorer == person).astype(float), clusters, sampling.confidence)
    beyond = kappa_interval(scorer, person, clusters, sampling)
    return Agreement(
        n=len(scorer),
        clusters=count_clusters(clusters),
        both_right=int((scorer & person).sum()),
        scorer_only=int((scorer & ~person).sum()),
        person_only=int((~scorer & person).sum()),
        both_wrong=int((~scorer & ~person).sum()),
        agreement=float((scorer == person).mean()),
        agreement_low=same.low,
        agreement_high=same.high,
        kappa=kappa.value,
        kappa_stderr=kappa.stderr,
        kappa_low=beyond.low,
        kappa_high=beyond.high,
        confidence=sampling.confidence,
    )


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> Kappa:
    """Agreement of two raters beyond chance, given how often each uses each label: 1 is perfect, 0 is chance.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales"; the standard error is Fleiss, Cohen
    and Everitt 1969, equation 13.

    Raises:
        InputError: there are no items, or the raters labelled different numbers of items.

    >>> kappa = cohens_kappa([1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    >>> round(kappa.value, 4), round(kappa.stderr, 4)
    (0.4, 0.127)
    """
    if len(first) != len(second) or not first:
        raise InputError(
            f"{len(first)} and {len(second)} labels: kappa compares two raters of the same items"
        )
    labels = {label: place for place, label in enumerate(dict.fromkeys((*first, *second)))}
    table = np.zeros((len(labels), len(labels)))
    for a, b in zip(first, second, strict=True):
        table[labels[a], labels[b]] += 1
    shares = table / len(first)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, chance = float(np.trace(shares)), float(rows @ columns)
    if chance == 1:
        return Kappa(None, None)
    kappa = (observed - chance) / (1 - chance)
    # equation 13: the diagonal, the rest of the table, and the error of the chance level itself
    diagonal = (np.diag(shares) * (1 - (rows + columns) * (1 - kappa)) ** 2).sum()
    weights = (columns[:, None] + rows[None, :]) ** 2
    np.fill_diagonal(weights, 0)
    off_diagonal = (1 - kappa) ** 2 * (shares * weights).sum()
    variance = diagonal + off_diagonal - (kappa - chance * (1 - kappa)) ** 2
    return Kappa(kappa, float(np.sqrt(max(0.0, variance) / len(first)) / (1 - chance)))


def kappa_interval(
    scorer: Bool[ndarray, " items"], person: Bool[ndarray, " items"], clusters: Labels, sampling: Sampling
) -> Interval:
    """The percentile interval of kappa under the cluster bootstrap.

    Not measured for one cluster, for a perfect or undefined kappa (every resample repeats it), and if more
    than 5 % of the resamples have no kappa because both raters give one label only.
    """
    if count_clusters(clusters) < 2 or (scorer == person).all():
        return Interval()
    outcomes = np.stack([scorer & person, scorer & ~person, ~scorer & person, ~scorer & ~person], axis=1)
    totals = cluster_totals(outcomes.astype(float), clusters)
    drawn = _kappas(resampled_totals(totals, sampling))
    if np.isnan(drawn).mean() > UNDEFINED_AT_MOST:
        return Interval()
    return percentile_interval(drawn[~np.isnan(drawn)], len(totals), sampling.confidence)


def rank_correlation(a: Values, b: Values) -> float | None:
    """Spearman's correlation, from −1 to 1; None where all items of a side have the same score.

    Source: Spearman 1904, "The proof and measurement of association between two things"; items with the same
    score share the mean of their ranks.

    >>> rank_correlation(np.array([0.0, 0.2, 0.9]), np.array([1.0, 20.0, 300.0])).__round__(6)
    1.0
    >>> rank_correlation(np.array([0.0, 1.0]), np.array([1.0, 1.0])) is None
    True

    Raises:
        InputError: the two differ in length.
    """
    if len(a) != len(b):
        raise InputError(f"{len(a)} and {len(b)} scores: a correlation compares two scores of the same items")
    ranks_a, ranks_b = ranks(a), ranks(b)
    if not len(a) or np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return None
    return float(np.clip(np.corrcoef(ranks_a, ranks_b)[0, 1], -1.0, 1.0))


def ranks(values: Values) -> Float[ndarray, " items"]:
    """The rank of each score from 1; equal scores share the mean of their ranks.

    >>> ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Float[ndarray, " items"] = (last - (counts - 1) / 2)[place]
    return found


def _kappas(counts: Float[ndarray, "resamples 4"]) -> Float[ndarray, " resamples"]:
    """Kappa of each two-by-two table; NaN where it is undefined."""
    both, first, second, neither = counts.round(6).T
    n = both + first + second + neither
    observed = (both + neither) / n
    chance = ((both + first) * (both + second) + (second + neither) * (first + neither)) / n**2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas: Float[ndarray, " resamples"] = np.where(
            chance < 1, (observed - chance) / (1 - chance), np.nan
        )
    return kappas
