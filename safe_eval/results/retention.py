"""Kept: what every condition of a model keeps of the base model's answers, for scores.json."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.arms.arm import Cell, CellKey, cell_key
from safe_eval.prediction import BASE, Prediction
from safe_eval.results.comparisons import base_of
from safe_eval.scorers.scorer import SCORERS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.distances import Distributions, Drift, drift
from safe_eval.statistics.paired import Equivalence, equivalence
from safe_eval.statistics.sampling import Labels, Sampling, Values

RETENTION_MARGIN = 0.005  # half a point of accuracy
RETENTION_SLICES = ("all", "vl")
DRIFT_METRICS = ("kl_nats", "total_variation")


class RetentionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model under one condition against base/full, on the examples both have answered.

    The equivalence interval is that of two one-sided tests (90 % beside 95 %). What is about choice
    probabilities is None where not both models give any, and `why_not` says so.
    """

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    slice: str
    base_accuracy: float
    accuracy: float
    difference: float
    equivalence_low: float | None
    equivalence_high: float | None
    margin: float
    verdict: str  # equivalent, different or undecided
    n: int
    clusters: int
    only_base: int  # examples without a partner; in no number
    only_safe: int
    confidence: float  # of the intervals below
    kl_nats: float | None = None
    kl_low: float | None = None
    kl_high: float | None = None
    total_variation: float | None = None
    total_variation_low: float | None = None
    total_variation_high: float | None = None
    same_choice: float | None = None  # the share of examples whose likeliest choice stayed
    drift_n: int = 0  # examples with the choice probabilities of both
    drift_interval: str | None = None
    why_not: str | None = None


def retention_rows(
    predictions: Sequence[Prediction],
    cells: Mapping[str, Sequence[Cell]],
    sampling: Sampling,
    *,
    margin: float = RETENTION_MARGIN,
) -> list[RetentionRow]:
    """Every non-base cell of every metric of right and wrong, beside the base model's untouched answers."""
    choices = _choices(predictions)
    return [
        row
        for metric in SCORERS
        for cell in cells.get(metric, ())
        if cell.key.model != BASE and (base := base_of(cell, cells[metric])) is not None
        for name in RETENTION_SLICES
        for row in _row(metric, cell, base, name, choices, margin, sampling)
    ]


Choices = Mapping[str, Mapping[str, float]]  # {example id: {choice: probability}}


def _row(
    metric: str,
    safe: Cell,
    base: Cell,
    slice_name: str,
    choices: Mapping[CellKey, Choices],
    margin: float,
    sampling: Sampling,
) -> Iterator[RetentionRow]:
    """The row of one slice; none where no example of it has both answers."""
    in_safe, in_base = _members(safe, slice_name), _members(base, slice_name)
    shared, at_safe, at_base = np.intersect1d(
        safe.examples[in_safe], base.examples[in_base], assume_unique=True, return_indices=True
    )
    if not len(shared):
        return
    places = in_safe[at_safe]
    clusters = safe.clusters[places]
    names = [safe.example_ids[place] for place in places]
    moved, why_not = _drift(names, clusters, choices.get(base.key, {}), choices.get(safe.key, {}), sampling)
    kept = retention(base.scores[in_base[at_base]], safe.scores[places], clusters, margin, sampling)
    row = RetentionRow(
        metric=metric,
        **safe.key._asdict(),
        slice=slice_name,
        base_accuracy=kept.base_accuracy,
        accuracy=kept.safe_accuracy,
        difference=kept.accuracy.difference,
        equivalence_low=kept.accuracy.interval.low,
        equivalence_high=kept.accuracy.interval.high,
        margin=margin,
        verdict=kept.accuracy.verdict,
        n=len(shared),
        clusters=count_clusters(clusters),
        only_base=len(in_base) - len(shared),
        only_safe=len(in_safe) - len(shared),
        confidence=sampling.confidence,
        why_not=why_not,
    )
    yield row if moved is None else _with_drift(row, moved)


def _choices(predictions: Sequence[Prediction]) -> dict[CellKey, dict[str, dict[str, float]]]:
    """The choice probabilities of every answer that has any, by cell and example id."""
    found: dict[CellKey, dict[str, dict[str, float]]] = {}
    for row in predictions:
        if row.choice_probabilities and row.error is None:
            found.setdefault(cell_key(row), {})[row.example_id] = row.choice_probabilities
    return found


def _members(cell: Cell, slice_name: str) -> Int[ndarray, " members"]:
    return np.flatnonzero(cell.slices.get(slice_name, []))


def _drift(
    names: Sequence[str], clusters: Int[ndarray, " items"], base: Choices, safe: Choices, sampling: Sampling
) -> tuple[Drift | None, str | None]:
    """How far the distributions of these examples moved, or why that is not measured."""
    cluster_of = dict(zip(names, clusters.tolist(), strict=True))
    sides = ("the base model", base), ("this model", safe)
    for whose, side in sides:
        if not any(name in side for name in names):
            return None, f"{whose} gives no choice_probabilities here"
    try:
        paired = pair_choices(*({name: side[name] for name in names if name in side} for _, side in sides))
    except InputError as error:
        return None, str(error)
    shared = np.array([cluster_of[name] for name in paired.examples])
    return drift(paired.base, paired.safe, shared, sampling), None


def _with_drift(row: RetentionRow, moved: Drift) -> RetentionRow:
    return msgspec.structs.replace(
        row,
        kl_nats=moved.kl_nats,
        kl_low=moved.kl_interval.low,
        kl_high=moved.kl_interval.high,
        total_variation=moved.total_variation,
        total_variation_low=moved.total_variation_interval.low,
        total_variation_high=moved.total_variation_interval.high,
        same_choice=moved.same_choice,
        drift_n=moved.n,
        drift_interval=moved.kl_interval.method,
    )


_SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class PairedChoices:
    """The choice distributions of the examples that both models have, a row each, 0 beyond its choices."""

    examples: tuple[str, ...]
    base: Distributions
    safe: Distributions
    only_base: int  # examples without a partner; in no number
    only_safe: int


@dataclass(frozen=True)
class Retention:
    """Accuracy kept, and how far the distributions moved where both models report them, else None."""

    base_accuracy: float
    safe_accuracy: float
    accuracy: Equivalence
    drift: Drift | None


def retention(
    base: Values,
    safe: Values,
    clusters: Labels,
    margin: float,
    sampling: Sampling,
    *,
    drift: Drift | None = None,
) -> Retention:
    """Whether SAFE's accuracy on the same items stays within ± margin of the base model's.

    >>> kept = np.tile([1.0, 0.0], 1000)
    >>> retention(kept, kept, np.arange(2000), 0.005, Sampling()).accuracy.verdict
    'equivalent'
    """
    if not len(base) == len(safe) == len(clusters) or not len(base):
        raise InputError(f"{len(base)} base scores beside {len(safe)} of SAFE are no pairs")
    return Retention(
        base_accuracy=float(base.mean()),
        safe_accuracy=float(safe.mean()),
        accuracy=equivalence(safe - base, clusters, margin, sampling),
        drift=drift,
    )


def pair_choices(base: Choices, safe: Choices) -> PairedChoices:
    """Pair the distributions by example id, each scaled to sum to 1.

    Raises:
        InputError: no example in common, or in one that is: other choices on the two sides, or
            probabilities that are negative or do not sum to 1 within 0.01.
    """
    shared = tuple(sorted(base.keys() & safe.keys()))
    if not shared:
        raise InputError(
            "no example has choice probabilities from both models; write 'choice_probabilities' in both files"
        )
    raise_row_errors([fault for name in shared if (fault := _fault(name, base[name], safe[name]))], "choices")
    width = max(len(base[name]) for name in shared)
    rows = [
        [_distribution(side[name], sorted(base[name]), width) for name in shared] for side in (base, safe)
    ]
    return PairedChoices(
        shared, np.array(rows[0]), np.array(rows[1]), len(base) - len(shared), len(safe) - len(shared)
    )


def _distribution(probabilities: Mapping[str, float], choices: list[str], width: int) -> list[float]:
    total = sum(probabilities.values())
    return [probabilities[choice] / total for choice in choices] + [0.0] * (width - len(choices))


def _fault(name: str, base: Mapping[str, float], safe: Mapping[str, float]) -> str | None:
    if base.keys() != safe.keys():
        choice = sorted(base.keys() ^ safe.keys())[0]
        return f"{name!r}: choice {choice!r} is on one side only; both models must be given the same choices"
    for whose, side in (("base", base), ("SAFE", safe)):
        if min(side.values(), default=-1) < 0 or abs(sum(side.values()) - 1) > _SUM_TOLERANCE:
            total = sum(side.values())
            return f"{name!r}: the probabilities of {whose} sum to {total:.3g}, not to 1; give all choices"
    return None
