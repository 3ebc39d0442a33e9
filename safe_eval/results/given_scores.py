"""Given scores: what other harnesses scored, beside the scores of the same answers here, item by item."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.table import Table, csv_text
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import ArmKey, Places, shared_examples
from safe_eval.arms.given_arms import GIVEN, is_share
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.readings import SAME_WITHIN, their_reading, why_scored_differently
from safe_eval.scorers.scorer import ANSWER_METRICS, CAPTION_METRICS, RIGHT_FROM
from safe_eval.statistics.agreement import rank_correlation
from safe_eval.statistics.score_interval import score_interval

DISAGREEMENTS_FILE = "disagreements.csv"
SHOWN = 3  # disagreements that a row of scores.json tells
_BESIDE = (*ANSWER_METRICS, CAPTION_METRICS[0])  # the metrics here that a given score stands beside


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that a harness scored differently from a metric here."""

    metric: str
    beside: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    example_id: str
    why: str
    ours: float
    theirs: float
    prompt: str | None
    answer: str | None
    read: str | None  # what the harness read, if the row says so
    references: tuple[str, ...]


class GivenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A given score of one arm, and beside it a metric here on the same answers.

    The four counts and the agreement are None where one of the two does not lie in [0, 1].
    """

    metric: str  # as given:NAME
    dataset: str | None
    seed: int
    model: str
    condition: str
    value: float  # the mean; rows that failed without a score count as 0
    n: int
    scored: int  # rows to which the harness gave a score
    scored_value: float | None  # the mean over those alone, as a harness states it that leaves errors out
    failed: int  # rows that count as 0
    unscored: int  # rows that did not fail, but have no score: in no number
    beside: str | None = None  # the metric here; None if none judges the answers
    compared: int = 0  # rows that the harness scored and the metric judges
    given_value: float | None = None  # the two means over these rows
    own_value: float | None = None
    both_right: int | None = None
    only_given: int | None = None  # right according to the harness only
    only_own: int | None = None
    both_wrong: int | None = None
    agreement: float | None = None  # share of rows with the same score, up to rounding
    ci_low: float | None = None
    ci_high: float | None = None
    interval: str | None = None
    confidence: float
    correlation: float | None = None  # of the ranks; None where all scores of a side are the same
    why: dict[str, int] = {}  # the reasons of the disagreements, counted
    first: tuple[Disagreement, ...] = ()  # of them; disagreements.csv has all


class _Pair(NamedTuple):
    """The rows that both scored."""

    given: ScoredArm
    own: ScoredArm
    at_given: Places
    at_own: Places

    @property
    def theirs(self) -> Float[ndarray, " rows"]:
        values: Float[ndarray, " rows"] = self.given.scores[self.at_given]
        return values

    @property
    def ours(self) -> Float[ndarray, " rows"]:
        values: Float[ndarray, " rows"] = self.own.scores[self.at_own]
        return values

    @property
    def have_one_scale(self) -> bool:
        return is_share(self.given) and is_share(self.own) and self.own.metric in ANSWER_METRICS


def given_rows(arms: Arms, sampling: Sampling) -> Iterator[GivenRow]:
    """A row per given score, arm and metric that judges the arm; one without a metric if none does."""
    for metric, given in arms.given.items():
        for arm in given:
            about = _about(metric, arm, sampling)
            pairs = list(_pairs(arm, arms))
            yield from (_beside(about, pair, sampling) for pair in pairs)
            if not pairs:
                yield about


def disagreements(arms: Arms) -> Iterator[Disagreement]:
    """Every answer that a harness scored differently from a metric here, where both lie in [0, 1]."""
    for given in arms.given.values():
        for arm in given:
            for pair in _pairs(arm, arms):
                if pair.have_one_scale:
                    yield from _listed(pair)


def disagreements_csv(found: Sequence[Disagreement]) -> bytes:
    """The content of disagreements.csv. Without any it is the header, so that no older file is left."""
    fields = Disagreement.__struct_fields__
    values = [
        tuple(" | ".join(row.references) if name == "references" else getattr(row, name) for name in fields)
        for row in found
    ]
    return csv_text([Table("disagreements", fields, values)]).encode()


def _about(metric: str, arm: ScoredArm, sampling: Sampling) -> GivenRow:
    has_score = _has_score(arm)
    return GivenRow(
        metric=metric,
        **arm.key._asdict(),
        value=float(arm.scores.mean()),
        n=len(arm.scores),
        scored=int(has_score.sum()),
        scored_value=float(arm.scores[has_score].mean()) if has_score.any() else None,
        failed=int((~has_score).sum()),
        unscored=len(arm.arm.rows) - len(arm.at),
        confidence=sampling.confidence,
    )


def _has_score(arm: ScoredArm) -> Bool[ndarray, " rows"]:
    name = arm.metric.removeprefix(GIVEN)
    return np.array([name in (row.scores or {}) for row in arm.rows], dtype=bool)


def _pairs(given: ScoredArm, arms: Arms) -> Iterator[_Pair]:
    """The given scores beside those of each metric here that judges the same rows and is a mean."""
    at_scored = np.flatnonzero(_has_score(given))
    for metric in _BESIDE:
        for own in (*arms.judged.get(metric, ()), *arms.requested.get(metric, ())):
            if own.arm is not given.arm or own.counts is not None:
                continue
            at_given, at_own = shared_examples(given.examples[at_scored], own.examples)
            if len(at_own):
                yield _Pair(given, own, at_scored[at_given], at_own)


def _beside(about: GivenRow, pair: _Pair, sampling: Sampling) -> GivenRow:
    theirs, ours = pair.theirs, pair.ours
    row = msgspec.structs.replace(
        about,
        beside=pair.own.metric,
        compared=len(ours),
        given_value=float(theirs.mean()),
        own_value=float(ours.mean()),
        correlation=rank_correlation(theirs, ours),
    )
    if not pair.have_one_scale:
        return row
    right, own_right = theirs >= RIGHT_FROM, ours >= RIGHT_FROM
    same = _same(theirs, ours)
    interval = score_interval(same.astype(float), pair.own.clusters[pair.at_own], sampling.confidence)
    listed = list(_listed(pair))
    why = [found.why for found in listed]
    return msgspec.structs.replace(
        row,
        both_right=int((right & own_right).sum()),
        only_given=int((right & ~own_right).sum()),
        only_own=int((~right & own_right).sum()),
        both_wrong=int((~right & ~own_right).sum()),
        agreement=float(same.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        why={reason: why.count(reason) for reason in sorted(set(why))},
        first=tuple(listed[:SHOWN]),
    )


def _same(theirs: Float[ndarray, " rows"], ours: Float[ndarray, " rows"]) -> Bool[ndarray, " rows"]:
    same: Bool[ndarray, " rows"] = np.abs(theirs - ours) <= SAME_WITHIN
    return same


def _listed(pair: _Pair) -> Iterator[Disagreement]:
    theirs, ours, key = pair.theirs, pair.ours, pair.own.key
    for place in np.flatnonzero(~_same(theirs, ours)).tolist():
        yield _disagreement(pair, key, place, float(theirs[place]), float(ours[place]))


def _disagreement(pair: _Pair, key: ArmKey, place: int, theirs: float, ours: float) -> Disagreement:
    at = int(pair.at_own[place])
    row = pair.own.arm.rows[int(pair.own.at[at])]
    return Disagreement(
        metric=pair.given.metric,
        beside=pair.own.metric,
        **key._asdict(),
        example_id=row.example_id,
        why=why_scored_differently(row, pair.own.metric, unparsed=bool(pair.own.unparsed[at])),
        ours=ours,
        theirs=theirs,
        prompt=row.prompt,
        answer=row.answer if row.error is None else row.error,
        read=their_reading(row),
        references=row.references,
    )
