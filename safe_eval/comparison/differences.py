"""Paired rows: what two cells with the same examples differ in, by slice, and which answers flipped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.arm import Cell
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.comparison.comparison_file import POWER, By, FlipRow, PairedRow
from safe_eval.prediction import Prediction
from safe_eval.results.comparisons import compare
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM
from safe_eval.statistics.corpus_sums import corpus_value
from safe_eval.statistics.paired import equivalence, equivalence_verdict, flips
from safe_eval.statistics.power import minimum_detectable_effect, observed_design_effect
from safe_eval.statistics.sampling import Interval, Labels, Sampling, Values

Members = Bool[ndarray, " items"]


@dataclass(frozen=True)
class CellPair:
    """The cells of both sides and the rows that A answered, all in the same order."""

    metric: str
    a: Cell
    b: Cell
    rows: Sequence[Prediction]
    names: tuple[str, str]  # as "model/condition"


def paired_rows(
    pair: CellPair, by: By | None, margin: float | None, sampling: Sampling
) -> Iterator[PairedRow]:
    """A − B on all items, on those about the sound and about the picture, and for each value of a field."""
    slices = _slices(pair.rows, by)
    a, b = replace(pair.a, slices=slices), replace(pair.b, slices=slices)
    for name, members in slices.items():
        found = compare(pair.metric, a, b, name, sampling)
        mean_a, mean_b = _value(pair.metric, a, members), _value(pair.metric, b, members)
        row = PairedRow(
            **msgspec.structs.asdict(found) | {"a": pair.names[0], "b": pair.names[1]},
            mean_a=mean_a,
            mean_b=mean_b,
        )
        if a.counts is None:
            row = _of_means(
                row, a.scores[members] - b.scores[members], a.clusters[members], a.highest, margin, sampling
            )
        elif margin is not None:
            interval = Interval(found.equivalence_low, found.equivalence_high)
            row = msgspec.structs.replace(row, equivalence=equivalence_verdict(interval, margin))
        yield row


def _of_means(
    row: PairedRow,
    differences: Values,
    clusters: Labels,
    highest: float,
    margin: float | None,
    sampling: Sampling,
) -> PairedRow:
    """The row with what only a mean of differences has: a detectable difference, and tests of equivalence."""
    row = msgspec.structs.replace(row, detectable=_detectable(differences, clusters, sampling))
    if margin is None:
        return row
    tested = equivalence(differences, clusters, margin, sampling, scale=(-highest, highest))
    return msgspec.structs.replace(
        row,
        equivalence=tested.verdict,
        equivalence_p=tested.p_value,
    )


def _value(metric: str, cell: Cell, members: Members) -> float:
    return (
        float(cell.scores[members].mean())
        if cell.counts is None
        else corpus_value(metric, cell.counts[members])
    )


def flip_rows(pair: CellPair, by: By | None) -> Iterator[FlipRow]:
    """The flip table by question type, or by another field; only where items are right or wrong."""
    if pair.metric in CAPTION_METRICS or pair.metric in CONSULTATION_METRICS:
        return
    types = [str(value) for row in pair.rows if (value := getattr(row, by or "question_type")) is not None]
    every = ["all"] * len(pair.rows)
    for labels in (every, types) if len(types) == len(every) else (every,):
        for flip in flips(pair.b.scores, pair.a.scores, labels, right_from=RIGHT_FROM):
            yield FlipRow(
                metric=pair.metric,
                dataset=pair.a.key.dataset,
                a=pair.names[0],
                b=pair.names[1],
                of=flip.question_type,
                n=flip.n,
                both_right=flip.stayed_right,
                only_a_right=flip.gained,
                only_b_right=flip.lost,
                both_wrong=flip.stayed_wrong,
            )


def _slices(rows: Sequence[Prediction], by: By | None) -> dict[str, Members]:
    """Those of every comparison, and one for each value of a field that has several."""
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
    return {name: members for name, members in slices.items() if members.any()}


def _detectable(differences: Values, clusters: Labels, sampling: Sampling) -> float | None:
    """The smallest difference found with a power of 80 %; None where no spread was seen."""
    effect = observed_design_effect(differences, clusters)
    if not effect:
        return None
    std = float(differences.std(ddof=1))
    return minimum_detectable_effect(
        std, len(differences), design_effect=effect, confidence=sampling.confidence, power=POWER
    )
