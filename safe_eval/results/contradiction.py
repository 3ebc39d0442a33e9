"""Contradiction: whom a model follows where the sound says something else than the picture.

A share says what was answered, not why: a model that never hears follows the picture, and one that guesses
names the sound's answer now and then. The same model with its gate off shows how much of it is that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Places, shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.drop import drop_slices
from safe_eval.scorers.reading.abstention import abstains
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM, scorer_of
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval

CONTRADICT, UNHEARD = "contradict", "gate_off"  # the condition, and the one that it is compared with
PICTURE, SOUND, NEITHER, ABSTAINED = "picture", "sound", "neither", "abstained"
FOLLOWS = (PICTURE, SOUND, NEITHER, ABSTAINED)
_UNSAID = "no row says in metadata 'contradicts' what answer the sound that was sent supports"
_NONE_LEFT = "no question of this slice has two different answers that can be scored"

Followed = Int[ndarray, " questions"]  # places in FOLLOWS


class ContradictionRow(msgspec.Struct, frozen=True, kw_only=True):
    """The share of answers that follow the picture, the sound, neither, or that abstain; the four sum to 1.

    The sound's answer is `metadata.contradicts`. The picture's is `metadata.picture_tells` where that is a
    text, and otherwise the references, which are right for the untouched input. A failure, and an answer that
    is right by both, follow neither. With `unheard` the share is compared with that of the same model with
    its gate off, on the same questions.
    """

    follows: str
    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    slice: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    count: int = 0
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0
    unheard: float | None = None  # the share of the model with its gate off
    difference: float | None = None  # the share, less that one, on what both answered
    difference_low: float | None = None
    difference_high: float | None = None
    only_heard: int = 0  # questions that the model with its gate off did not answer
    errored: int = 0  # of `neither`
    alike: int = 0  # questions whose two answers are the same: no contradiction; in no share
    unsaid: int = 0  # questions without 'contradicts'; in no share
    unscorable: int = 0  # questions whose choices lack the sound's answer; in no share
    why_not: str | None = None


Answers = tuple[tuple[str, ...], ...]  # each right by itself, with one text per annotator


@dataclass(frozen=True)
class _Question:
    """The answers that the picture and the sound support; none of the picture's if it tells none."""

    place: int  # in the scored arm
    picture: Answers
    sound: Answers


@dataclass(frozen=True)
class _Questions:
    """The questions of an arm that can be judged, and those that cannot, by the reason."""

    judged: list[_Question]
    left_out: dict[str, Bool[ndarray, " rows"]]

    def left_out_of(self, inside: Bool[ndarray, " rows"]) -> dict[str, Any]:
        """How many of a slice cannot be judged, by the reason."""
        return {why: int((inside & left).sum()) for why, left in self.left_out.items()}


def contradiction_rows(arms: Arms, sampling: Sampling) -> Iterator[ContradictionRow]:
    """Four rows for each slice of each arm under `contradict`."""
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        for arm in scored:
            if arm.key.condition == CONTRADICT:
                unheard = arm.key._replace(condition=UNHEARD)
                yield from _arm(arm, next((one for one in scored if one.key == unheard), None), sampling)


def _arm(arm: ScoredArm, unheard: ScoredArm | None, sampling: Sampling) -> Iterator[ContradictionRow]:
    questions = _questions(arm)
    places = np.array([question.place for question in questions.judged], dtype=int)
    followed = _followed(arm, questions.judged, places, arm)
    other = None if unheard is None else _unheard(arm, questions.judged, unheard)
    for name in drop_slices(arm, arm):
        inside = arm.inside(name)
        judged = inside[places]
        for code, follows in enumerate(FOLLOWS):
            row = ContradictionRow(
                follows=follows,
                metric=arm.metric,
                **arm.key._asdict(),
                slice=name,
                confidence=sampling.confidence,
                errored=int((arm.answers[places[judged]] < 0).sum()),
                **questions.left_out_of(inside),
            )
            if not judged.any():
                why_not = _UNSAID if row.unsaid == int(inside.sum()) else _NONE_LEFT
                yield msgspec.structs.replace(row, why_not=why_not)
                continue
            follow = followed == code
            row = _share(row, follow[judged], arm.clusters[places[judged]])
            yield row if other is None else _beside(row, follow, judged, other, code)


def _questions(arm: ScoredArm) -> _Questions:
    judged: list[_Question] = []
    left_out = {why: np.zeros(len(arm.at), dtype=bool) for why in ("alike", "unsaid", "unscorable")}
    for place, row in enumerate(arm.rows):
        facts = row.metadata or {}
        sound, picture = _texts(facts.get("contradicts")), _pictured(row, facts.get("picture_tells"))
        spelled = {_plain(text) for answer in sound for text in answer}
        if not sound:
            left_out["unsaid"][place] = True
        elif row.choices and spelled.isdisjoint(map(_plain, row.choices)):
            left_out["unscorable"][place] = True
        elif not spelled.isdisjoint(_plain(text) for answer in picture for text in answer):
            left_out["alike"][place] = True
        else:
            judged.append(_Question(place, picture, sound))
    return _Questions(judged, left_out)


def _pictured(row: Prediction, tells: object) -> Answers:
    """The picture's answers; none where `picture_tells` is false, because then the sound alone told it."""
    return () if tells is False else _texts(tells) or (row.references,)


def _texts(said: object) -> Answers:
    found = said if isinstance(said, list | tuple) else (said,)
    return tuple((one,) for one in found if isinstance(one, str) and one.strip())


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _followed(arm: ScoredArm, questions: Sequence[_Question], places: Places, said: ScoredArm) -> Followed:
    """Whom the answers at these places of `said` follow; they are to the questions, which are of `arm`."""
    asked, rows = arm.rows, said.rows
    answers = [
        msgspec.structs.replace(asked[question.place], answer=rows[place].answer)
        for question, place in zip(questions, places.tolist(), strict=True)
    ]
    pictured = _right(arm.metric, answers, [question.picture for question in questions])
    sounded = _right(arm.metric, answers, [question.sound for question in questions])
    codes = np.full(len(answers), FOLLOWS.index(NEITHER))
    codes[np.array([abstains(row.answer) for row in answers], dtype=bool)] = FOLLOWS.index(ABSTAINED)
    codes[pictured] = FOLLOWS.index(PICTURE)
    codes[sounded] = FOLLOWS.index(SOUND)
    codes[(pictured & sounded) | (said.answers[places] < 0)] = FOLLOWS.index(NEITHER)
    return codes


def _right(
    metric: str, answers: Sequence[Prediction], truths: Sequence[Answers]
) -> Bool[ndarray, " answers"]:
    """Whether each answer is right by any of its own truths."""
    right = np.zeros(len(answers), dtype=bool)
    of = [place for place, several in enumerate(truths) for _ in several]
    if of:
        rows = [
            msgspec.structs.replace(answer, references=truth)
            for answer, several in zip(answers, truths, strict=True)
            for truth in several
        ]
        found = np.nan_to_num(scorer_of(metric).score_all(rows)) >= RIGHT_FROM
        right[np.array(of)[found]] = True
    return right


def _share(row: ContradictionRow, follow: Bool[ndarray, " judged"], clusters: Labels) -> ContradictionRow:
    interval = score_interval(follow.astype(float), clusters, row.confidence)
    return msgspec.structs.replace(
        row,
        value=float(follow.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        count=int(follow.sum()),
        n=len(follow),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
    )


@dataclass(frozen=True)
class _Unheard:
    """The same questions, answered with the gate off: which of them, their clusters, and whom it follows."""

    answered: Bool[ndarray, " judged"]
    clusters: Labels
    followed: Followed  # of those answered


def _unheard(arm: ScoredArm, questions: Sequence[_Question], unheard: ScoredArm) -> _Unheard:
    places = np.array([question.place for question in questions], dtype=int)
    at_arm, at_unheard = shared_examples(arm.examples[places], unheard.examples)
    answered = np.zeros(len(places), dtype=bool)
    answered[at_arm] = True
    both = [questions[place] for place in at_arm.tolist()]
    return _Unheard(answered, arm.clusters[places], _followed(arm, both, at_unheard, unheard))


def _beside(
    row: ContradictionRow,
    follow: Bool[ndarray, " questions"],
    judged: Bool[ndarray, " questions"],
    other: _Unheard,
    code: int,
) -> ContradictionRow:
    """The row with the share of the model with its gate off, and the difference on what both answered."""
    both, inside = judged & other.answered, judged[other.answered]
    row = msgspec.structs.replace(row, only_heard=int(judged.sum() - both.sum()))
    if not both.any():
        return row
    off = (other.followed == code)[inside].astype(float)
    differences = follow[both] - off
    interval = difference_interval(differences, other.clusters[both], row.confidence)
    return msgspec.structs.replace(
        row,
        unheard=float(off.mean()),
        difference=float(differences.mean()),
        difference_low=interval.low,
        difference_high=interval.high,
    )
