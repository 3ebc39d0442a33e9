"""Differences: A − B by slice, and which answers flipped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from safe_eval.arms.arm import Slices, shared_examples
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_off_scale
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.comparison.comparison_file import POWER, Difference, FlipRow
from safe_eval.options import By, Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.comparisons import compare, test_of
from safe_eval.results.families import SameTest
from safe_eval.results.metrics import value_of
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM
from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.intervals import DIFFERENCE, Interval
from safe_eval.statistics.paired import equivalence, equivalence_verdict, flips
from safe_eval.statistics.power import minimum_detectable_effect, observed_design_effect
from safe_eval.statistics.sample_size import Found, WouldShow, would_show


@dataclass(frozen=True)
class MatchedArms:
    """The arms of both sides as one metric scored them, on the same examples, with their names."""

    a: ScoredArm
    b: ScoredArm
    names: tuple[str, str]  # as "model/condition"


def difference_rows(
    sides: MatchedArms, by: By | None, margin: float | None, sampling: Sampling
) -> Iterator[tuple[Difference, SameTest]]:
    """A − B on the slices all, audio and vl, and per value of the field `by`; each with what test it is."""
    slices = _slices(sides.a.rows, by)
    a, b = replace(sides.a, slices=slices), replace(sides.b, slices=slices)
    shared = shared_examples(a.examples, b.examples)
    for name, inside in slices.items():
        found = compare(a, b, name, shared, sampling)
        row = Difference(
            **msgspec.structs.asdict(found) | {"a": sides.names[0], "b": sides.names[1]},
            mean_a=value_of(a, name),
            mean_b=value_of(b, name),
            margin=margin,
        )
        if a.counts is None:
            differences = a.scores[inside] - b.scores[inside]
            row = _of_means(row, differences, a.clusters[inside], a.highest - a.lowest, margin, sampling)
        elif margin is not None:
            interval = Interval(found.equivalence_low, found.equivalence_high)
            row = msgspec.structs.replace(row, equivalence=equivalence_verdict(interval, margin))
        yield msgspec.structs.replace(row, would_show=_would_show(row)), test_of(a, b, name, shared)


def _of_means(
    row: Difference,
    differences: Values,
    clusters: Labels,
    range_: float,
    margin: float | None,
    sampling: Sampling,
) -> Difference:
    """The row with what only means have: a detectable difference, and a test of equivalence."""
    row = msgspec.structs.replace(row, detectable=detectable_difference(differences, clusters, sampling))
    if margin is None:
        return row
    tested = equivalence(differences, clusters, margin, sampling, scale=(-range_, range_))
    return msgspec.structs.replace(row, equivalence=tested.verdict, equivalence_p=tested.p_value)


def _would_show(row: Difference) -> WouldShow | None:
    """What would show that a difference is within the margin, if it is."""
    if row.margin is None or row.difference is None or abs(row.difference) >= row.margin:
        return None
    if row.equivalence_low is None or row.equivalence_high is None:
        return None
    found = Found(
        value=row.difference,
        low=row.equivalence_low,
        high=row.equivalence_high,
        method=row.interval,
        risk=1 - row.confidence,
        clusters=row.effective_clusters,
        items=row.n,
        scale=DIFFERENCE,
    )
    return would_show(found, (-row.margin, row.margin), row.clusters)


def flip_rows(sides: MatchedArms, by: By | None) -> Iterator[FlipRow]:
    """The flips on all items and per question type, or per value of `by`; only for right-or-wrong metrics."""
    unscored = (*CAPTION_METRICS, *CONSULTATION_METRICS)
    if sides.a.metric in unscored or is_off_scale(sides.a):
        return
    rows = sides.a.rows
    types = [str(value) for row in rows if (value := getattr(row, by or "question_type")) is not None]
    every = ["all"] * len(rows)
    for labels in (every, types) if len(types) == len(every) else (every,):
        for flip in flips(sides.b.scores, sides.a.scores, labels, right_from=RIGHT_FROM):
            yield FlipRow(
                metric=sides.a.metric,
                dataset=sides.a.key.dataset,
                a=sides.names[0],
                b=sides.names[1],
                of=flip.question_type,
                n=flip.n,
                both_right=flip.stayed_right,
                only_a_right=flip.gained,
                only_b_right=flip.lost,
                both_wrong=flip.stayed_wrong,
            )


def _slices(rows: Sequence[Prediction], by: By | None) -> Slices:
    """The slices all, audio and vl, and one slice per value of a field that has several values."""
    slices = {
        "all": np.ones(len(rows), dtype=bool),
        "audio": np.array([row.needs_audio is True for row in rows]),
        "vl": np.array([row.needs_audio is False for row in rows]),
    }
    if by is not None:
        values = np.array(["" if getattr(row, by) is None else str(getattr(row, by)) for row in rows])
        named = [name for name in np.unique(values).tolist() if name]
        prefix = "type" if by == "question_type" else by
        slices |= {f"{prefix}:{name}": values == name for name in named if not (values == name).all()}
    return {name: inside for name, inside in slices.items() if inside.any()}


def detectable_difference(differences: Values, clusters: Labels, sampling: Sampling) -> float | None:
    """The smallest difference detected with a power of 80 %; None if the differences have no spread."""
    effect = observed_design_effect(differences, clusters)
    if not effect:
        return None
    std = float(differences.std(ddof=1))
    return minimum_detectable_effect(
        std, len(differences), design_effect=effect, confidence=sampling.confidence, power=POWER
    )
