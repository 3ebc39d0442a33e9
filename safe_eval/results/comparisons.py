"""Comparison: two cells on the same examples, paired by their ids."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_eval.arms.arm import COMPARED_SLICES, Cell
from safe_eval.prediction import BASE
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.corpus_sums import RANDOMISATION, Counts, sums_difference
from safe_eval.statistics.intervals import clustered_stderr, mean_interval, t_interval
from safe_eval.statistics.paired import mcnemar_p_values, paired_test
from safe_eval.statistics.sampling import Labels, Sampling, Values


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """a − b, where a and b are "model/condition"; None where nothing could be measured."""

    metric: str
    dataset: str | None
    seed: int
    slice: str
    a: str
    b: str
    difference: float | None = None
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    equivalence_low: float | None = None  # the interval of two one-sided tests: 90 % beside 95 %
    equivalence_high: float | None = None
    p_value: float | None = None
    test: str | None = None  # that of p_value, which heeds the clusters
    mcnemar_p: float | None = None  # exact, items taken as independent; None for graded scores
    mcnemar_mid_p: float | None = None
    gained: int = 0  # examples on which a scores more than b
    lost: int = 0
    changed: int = 0  # examples whose answers are not the same text, or failed on either side
    n: int = 0
    clusters: int = 0
    only_a: int  # examples without a partner; in no other number
    only_b: int


def compare_cells(metric: str, cells: Sequence[Cell], sampling: Sampling) -> list[Comparison]:
    """What each condition changes within a model, and what each model changes over the base model.

    For every model m and condition c: m/full − m/c; for every m that is not the base: m/c − base/full.
    """
    return [row for a, b in _pairs(cells) for row in _by_slice(metric, a, b, sampling)]


def _by_slice(metric: str, a: Cell, b: Cell, sampling: Sampling) -> Iterator[Comparison]:
    whole = compare(metric, a, b, "all", sampling)
    for name in COMPARED_SLICES:
        if a.is_whole(name) and b.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name)
        elif name in a.slices or name in b.slices:
            yield compare(metric, a, b, name, sampling)


def compare(metric: str, a: Cell, b: Cell, slice_name: str, sampling: Sampling) -> Comparison:
    """Compare two cells on the examples of a slice that both answered."""
    in_a, in_b = np.flatnonzero(a.slices.get(slice_name, [])), np.flatnonzero(b.slices.get(slice_name, []))
    shared, places_a, places_b = np.intersect1d(
        a.examples[in_a], b.examples[in_b], assume_unique=True, return_indices=True
    )
    at_a, at_b = in_a[places_a], in_b[places_b]
    about = Comparison(
        metric=metric,
        dataset=a.key.dataset,
        seed=a.key.seed,
        slice=slice_name,
        a=a.key.name,
        b=b.key.name,
        confidence=sampling.confidence,
        only_a=len(in_a) - len(shared),
        only_b=len(in_b) - len(shared),
    )
    if not len(shared):
        return about
    scores_a, scores_b, clusters = a.scores[at_a], b.scores[at_b], a.clusters[at_a]
    if a.counts is not None and b.counts is not None:
        found = _of_sums(about, a.counts[at_a], b.counts[at_b], clusters, sampling)
    else:
        found = _of_means(about, scores_a, scores_b, clusters, sampling, a.highest)
    return msgspec.structs.replace(
        found,
        gained=int((scores_a > scores_b).sum()),
        lost=int((scores_a < scores_b).sum()),
        changed=_changed(_answers(a, at_a), _answers(b, at_b)),
        n=len(shared),
        clusters=count_clusters(clusters),
    )


def _of_means(
    about: Comparison, a: Values, b: Values, clusters: Labels, sampling: Sampling, highest: float
) -> Comparison:
    differences = a - b
    scale = (-highest, highest)
    interval = mean_interval(differences, clusters, sampling, scale=scale)
    equivalence = t_interval(differences, clusters, sampling.equivalence_confidence, scale=scale)
    p_value, test = paired_test(a, b, clusters, sampling)
    mcnemar_p, mcnemar_mid_p = mcnemar_p_values(a, b)
    return msgspec.structs.replace(
        about,
        difference=float(differences.mean()),
        stderr=clustered_stderr(differences, clusters),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        equivalence_low=equivalence.low,
        equivalence_high=equivalence.high,
        p_value=p_value,
        test=test,
        mcnemar_p=mcnemar_p,
        mcnemar_mid_p=mcnemar_mid_p,
    )


def _of_sums(about: Comparison, a: Counts, b: Counts, clusters: Labels, sampling: Sampling) -> Comparison:
    """Of a metric that is no mean of its items, such as BLEU: no standard error, and a test of its own."""
    confidences = (sampling.confidence, sampling.equivalence_confidence)
    found = sums_difference(about.metric, a, b, clusters, sampling, confidences)
    interval, equivalence = found.intervals
    return msgspec.structs.replace(
        about,
        difference=found.difference,
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        equivalence_low=equivalence.low,
        equivalence_high=equivalence.high,
        p_value=found.p_value,
        test=None if found.p_value is None else RANDOMISATION,
    )


def _answers(cell: Cell, places: Int[ndarray, " items"]) -> Iterator[str | None]:
    return map(cell.answers.__getitem__, places.tolist())


def _changed(a: Iterable[str | None], b: Iterable[str | None]) -> int:
    """How many answers differ; two failures are no agreement."""
    return sum(one is None or one != other for one, other in zip(a, b, strict=True))


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    by_key = {cell.key: cell for cell in cells}
    for cell in cells:
        full = by_key.get(cell.key._replace(condition="full"))
        if full is not None and full is not cell:
            yield full, cell
    for cell in cells:
        base = base_of(cell, cells)
        if base is not None and cell.key.model != BASE:
            yield cell, base


def base_of(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The base model's answers to the untouched input: of the same seed, or of the only seed it has."""
    bases = [c for c in cells if (c.key.name, c.key.dataset) == (f"{BASE}/full", cell.key.dataset)]
    same_seed = [base for base in bases if base.key.seed == cell.key.seed]
    found = same_seed or (bases if len(bases) == 1 else [])
    return found[0] if found else None
