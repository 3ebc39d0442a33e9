"""Priors: what an accuracy must be compared with, because it takes neither a picture nor a sound.

The best constant reply is the one text that scores most if it answers every question. The question-only prior
answers with what was answered most often to the same question in another split.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.question_prior import Asked, fit_prior
from safe_eval.scorers.choice_letter import right_letter
from safe_eval.scorers.scorer import CAPTION_METRICS, VQA_METRICS, scorer_of
from safe_eval.scorers.vqa import NUMBERS, normalise
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import t_interval

CONSTANT, QUESTION_ONLY = "constant reply", "question-only prior"
GIVE_PRIOR = "give --prior, a file of another split"
LOOKED_AT = 10_000  # questions, at even distances, on which constant replies are compared
LEAST_COMPARED = 3  # texts, whatever their number

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
    known: dict[str, Scores] = {}
    for name, inside in questions.slices.items():
        reply = _best_reply(questions, np.flatnonzero(inside))
        if reply is None:
            yield _unmeasured(CONSTANT, questions, name, "the references are blank")
            continue
        if reply not in known:
            known[reply] = _scores(questions.metric, questions.rows, reply)
        yield _row(CONSTANT, questions, name, known[reply], sampling, reply)


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
    scores = _scores_of_replies(questions.metric, questions.rows, replies)
    for name in questions.slices:
        yield _row(QUESTION_ONLY, questions, name, scores, sampling)


def _best_reply(questions: Questions, inside: Int[ndarray, " places"]) -> str | None:
    """The constant reply that scores most on some questions; of equal ones the more frequent.

    A text is compared as long as so many references hold it that it could still be the best.
    """
    step = -(-len(inside) // LOOKED_AT)
    rows = [questions.rows[place] for place in inside[::step].tolist()]
    best, highest = _best_letter(questions.metric, rows)
    held = Counter(text for row in rows for text in set(row.references) if text.strip())
    by_count = sorted(held, key=lambda text: (-held[text], text))
    for number, text in enumerate(by_count):
        if number >= LEAST_COMPARED and held[text] <= highest:
            break
        total = float(_scores(questions.metric, rows, text).sum())
        if best is None or total > highest + 1e-9:
            best, highest = text, total
    return best


def _best_letter(metric: str, rows: Sequence[Prediction]) -> tuple[str | None, float]:
    """The letter that is right most often, where the metric reads letters, and how often."""
    if not _reads_letters(metric):
        return None, 0.0
    letters = Counter(letter for row in rows if row.choices and (letter := right_letter(row)))
    if not letters:
        return None, 0.0
    best = min(letters, key=lambda letter: (-letters[letter], letter))
    return best, float(letters[best])


def _reads_letters(metric: str) -> bool:
    return metric in ("accuracy", "avqa_accuracy")


def _scores(metric: str, rows: Sequence[Prediction], reply: str) -> Scores:
    """What one reply scores on each question. Questions that a scorer cannot tell apart are scored once."""
    if metric in VQA_METRICS:
        return _scores_where_named(metric, rows, reply)
    if (
        len(reply) == 1
        and reply in ascii_uppercase
        and _reads_letters(metric)
        and all(r.choices for r in rows)
    ):
        return np.array([float(right_letter(row) == reply) for row in rows])
    kinds: dict[tuple[object, ...], int] = {}
    kind_of = [kinds.setdefault((row.references, row.choices, row.question_type), len(kinds)) for row in rows]
    first = dict(zip(reversed(kind_of), reversed(rows), strict=True))
    scores = _scores_of_replies(metric, [first[kind] for kind in range(len(kinds))], [reply] * len(kinds))
    return scores[kind_of]


def _scores_where_named(metric: str, rows: Sequence[Prediction], reply: str) -> Scores:
    """The same by VQA accuracy, which is 0 where no annotator's answer is the reply after normalisation."""
    word = normalise(reply)
    spelled = (word, *(number for number, digit in NUMBERS.items() if digit == word))
    texts = {text for row in rows for text in row.references}
    alike = {
        text for text in texts if any(name in text.lower() for name in spelled) and normalise(text) == word
    }
    at = [place for place, row in enumerate(rows) if not alike.isdisjoint(row.references)]
    scores = np.zeros(len(rows))
    scores[at] = _scores_of_replies(metric, [rows[place] for place in at], [reply] * len(at))
    return scores


def _scores_of_replies(metric: str, rows: Sequence[Prediction], replies: Sequence[str]) -> Scores:
    if not rows:
        return np.zeros(0)
    answered = [
        msgspec.structs.replace(row, answer=reply, error=None)
        for row, reply in zip(rows, replies, strict=True)
    ]
    return np.nan_to_num(scorer_of(metric).score_all(answered))


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
    interval = t_interval(values, clusters, sampling.confidence)
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
    )


def _unmeasured(name: str, questions: Questions, slice_name: str, why_not: str) -> PriorRow:
    return PriorRow(
        name=name, metric=questions.metric, dataset=questions.dataset, slice=slice_name, why_not=why_not
    )
