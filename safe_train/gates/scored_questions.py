"""Scored questions: the questions of a split whose answers have a score of their own, and these scores.

A gate can learn nothing from the others: from questions without references, with a sound that is missing,
that do not say whether they need it, and from captions, whose scores depend on the corpus.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.records import Example, Record
from safe_data.shards.dataset import ShardDataset
from safe_eval.choice_references import settled
from safe_eval.models.model import Answer
from safe_eval.runner.row import Reply, Request, to_prediction
from safe_eval.scorers.scorer import ANSWER_METRICS, metrics_for, scorer_of

_MODEL = "safe"  # of the rows that are scored


class ScoredQuestion(NamedTuple):
    """A question of a split: the number of its clip, what that has, and the metric that scores an answer."""

    clip: int
    record: Record
    example: Example
    has_picture: bool
    has_sound: bool
    metric: str


def scored_questions(dataset: ShardDataset) -> tuple[list[ScoredQuestion], dict[str, int]]:
    """The questions that a gate can learn from, and how many are left out, by the reason.

    Raises:
        InputError: all are left out.
    """
    asked: list[ScoredQuestion] = []
    left_out: Counter[str] = Counter()
    for clip in range(len(dataset)):
        record, has_sound = dataset.record(clip), bool(dataset.has_audio[clip])
        has_picture = dataset.value(clip, "image_sha256") is not None
        for example in record.examples:
            metrics = metrics_for(record.dataset, example.task, bool(example.choices))
            if (fault := _fault(example, metrics, has_sound=has_sound)) is not None:
                left_out[fault] += 1
            else:
                asked.append(ScoredQuestion(clip, record, example, has_picture, has_sound, metrics[0]))
    if not asked:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it asks nothing"
        raise InputError(f"{dataset.root}: split {dataset.split!r} has no question to learn from ({why})")
    return asked, dict(left_out)


def _fault(example: Example, metrics: Sequence[str], *, has_sound: bool) -> str | None:
    """Why nothing can be learnt from a question."""
    if not example.references:
        return "without references"
    if example.needs_audio is None:
        return "that do not say whether they need the sound"
    if example.needs_audio and not has_sound:
        return "without the sound that they need"
    if not metrics or metrics[0] not in ANSWER_METRICS:
        return "whose answers have no score alone"
    return None


def scores_of(
    asked: Sequence[ScoredQuestion], answers: Sequence[tuple[str, ...]]
) -> Float64[ndarray, "questions budgets"]:
    """The score of every answer by the rule of its benchmark; 0 for a reply that the rule cannot read.

    Raises:
        InputError: references name none of the choices.
    """
    said = [Answer(own[0]) for own in answers]
    requests = (Request(one.clip, one.record, one.example, "full") for one in asked)
    rows, faults = settled(
        [
            to_prediction(request, Reply(answer, None, None), model=_MODEL, seed=0)
            for request, answer in zip(requests, said, strict=True)
        ],
        lambda place: f"question {place}",
    )
    raise_row_errors(faults, "questions")
    scores = np.zeros((len(asked), len(answers[0])))
    for metric in dict.fromkeys(one.metric for one in asked):
        places = [place for place, one in enumerate(asked) if one.metric == metric]
        for column in range(scores.shape[1]):
            judged = [msgspec.structs.replace(rows[place], answer=answers[place][column]) for place in places]
            scores[places, column] = np.nan_to_num(scorer_of(metric).score_all(judged))
    return scores
