"""Priors: what an accuracy must be compared with, because it takes neither a picture nor a sound.

The best constant reply (`constant_reply`) is the one text that scores most if it answers every question. The
question-only prior (`question_prior`) answers with what was answered most often to the same question in
another split.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.constant_reply import best_replies, score_replies
from safe_eval.results.question_prior import Asked, fit_prior
from safe_eval.scorers.scorer import CAPTION_METRICS, scorer_of
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.score_interval import count_effective, score_interval

CONSTANT, QUESTION_ONLY = "constant reply", "question-only prior"
GIVE_PRIOR = "give --prior"

Scores = Float[ndarray, " rows"]


class PriorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply without picture and sound scores on the questions of a dataset, or why it is not known."""

    name: str
    metric: str
    dataset: str | None
    slice: str
    value: float | None = None
    why_not: str | None = None
    reply: str | None = None  # the constant one
    ci_low: float | None = None  # Student's t over clusters
    ci_high: float | None = None
    confidence: float | None = None
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0


@dataclass(frozen=True)
class Questions:
    """Every question of a dataset that a metric scores, once, whoever answered it."""

    metric: str
    dataset: str | None
    rows: tuple[Prediction, ...]
    clusters: Int[ndarray, " rows"]
    slices: Mapping[str, Bool[ndarray, " rows"]]


def prior_rows(
    arms: Arms, sampling: Sampling, other_split: Sequence[Asked] | None = None
) -> Iterator[PriorRow]:
    """Both priors of every accuracy, on the slices all, audio and vl and the slices that its metric adds.

    The best constant reply is looked for on each slice among the texts of the references, and the letters of
    choices. Captions have no such rows.
    """
    for metric, scored in arms.judged.items():
        if metric in CAPTION_METRICS:
            continue
        for dataset in dict.fromkeys(arm.key.dataset for arm in scored):
            questions = _questions([arm for arm in scored if arm.key.dataset == dataset])
            yield from _constant_rows(questions, sampling)
            yield from _question_only_rows(questions, other_split, sampling)


def _questions(arms: Sequence[ScoredArm]) -> Questions:
    """The questions of some arms; of a question that several answered, the first row with references."""
    first = arms[0]
    rows, clusters = dict(zip(first.examples.tolist(), first.rows, strict=True)), first.clusters
    if all(np.array_equal(arm.examples, first.examples) for arm in arms) and all(
        row.references for row in rows.values()
    ):
        slices = {name: first.slices[name] for name in _shown(first)}
        return Questions(first.metric, first.key.dataset, tuple(rows.values()), clusters, slices)
    rows, of_cluster = {}, {}
    for arm in arms:
        for example, row, cluster in zip(arm.examples.tolist(), arm.rows, arm.clusters.tolist(), strict=True):
            if row.references and example not in rows:
                rows[example], of_cluster[example] = row, cluster
    kept = tuple(rows[example] for example in sorted(rows))
    needs = np.array([row.needs_audio for row in kept], dtype=object)
    slices = {"all": np.ones(len(kept), dtype=bool), "audio": needs == True, "vl": needs == False}  # noqa: E712
    slices |= scorer_of(first.metric).slices(kept)
    clusters = np.array([of_cluster[example] for example in sorted(rows)], dtype=int)
    return Questions(
        first.metric, first.key.dataset, kept, clusters, {n: s for n, s in slices.items() if s.any()}
    )


def _shown(arm: ScoredArm) -> list[str]:
    """The slices all, audio and vl, and those that the metric adds by type."""
    own = [name for name in arm.slices if name not in arm.arm.slices and name.startswith("type:")]
    return [*(name for name in COMPARED_SLICES if name in arm.slices), *own]


def _constant_rows(questions: Questions, sampling: Sampling) -> Iterator[PriorRow]:
    best = best_replies(questions.metric, questions.rows, questions.slices)
    for name, inside in questions.slices.items():
        if name not in best:
            yield _unmeasured(CONSTANT, questions, name, "no reference is right as a reply")
            continue
        scores = np.zeros(len(questions.rows))
        scores[inside] = best[name].scores
        yield _row(CONSTANT, questions, name, scores, sampling, best[name].text)


def _question_only_rows(
    questions: Questions, other_split: Sequence[Asked] | None, sampling: Sampling
) -> Iterator[PriorRow]:
    if other_split is None:
        yield _unmeasured(QUESTION_ONLY, questions, "all", GIVE_PRIOR)
        return
    prior, why_not = fit_prior(other_split, questions.dataset)
    if prior is None:
        yield _unmeasured(QUESTION_ONLY, questions, "all", why_not)
        return
    replies = [prior.answer(row) for row in questions.rows]
    scores = score_replies(questions.metric, questions.rows, replies)
    for name in questions.slices:
        yield _row(QUESTION_ONLY, questions, name, scores, sampling)


def _row(
    name: str,
    questions: Questions,
    slice_name: str,
    scores: Scores,
    sampling: Sampling,
    reply: str | None = None,
) -> PriorRow:
    inside = questions.slices[slice_name]
    values, clusters = scores[inside], questions.clusters[inside]
    highest = scorer_of(questions.metric).highest
    interval = score_interval(values, clusters, sampling.confidence, scale=(0.0, highest))
    return PriorRow(
        name=name,
        metric=questions.metric,
        dataset=questions.dataset,
        slice=slice_name,
        value=float(values.mean()),
        reply=reply,
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=sampling.confidence,
        n=len(values),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
    )


def _unmeasured(name: str, questions: Questions, slice_name: str, why_not: str) -> PriorRow:
    return PriorRow(
        name=name, metric=questions.metric, dataset=questions.dataset, slice=slice_name, why_not=why_not
    )
