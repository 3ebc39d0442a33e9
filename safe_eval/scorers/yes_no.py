"""Yes or no: questions that yes or no answers, as in POPE, MME, AVHBench and CMM.

A reply is read by rule 5 of `choice_parser`: "Yes, there is a dog" is a yes, "There is no dog" is a no, and
"I cannot tell" is neither: it is unparsed, counts as wrong, and is no predicted yes. If the question was
asked with choices, "B" and "(B) no" name one of them.

Source of the aggregates: Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models",
and Sung-Bin et al. 2025 (AVHBench). Differs: POPE's script reads every reply without "no" or "not" as yes
(`pope.score_first_sentences`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.aggregate import Aggregate, check_one_arm, mean_of
from safe_eval.scorers.choice_parser import Reading, canonical, read_answer
from safe_eval.scorers.multiple_choice import said as told
from safe_eval.scorers.vqa import without_punctuation

YES, NO = "yes", "no"
_CHOICES = (YES, NO)
_LETTERED = re.compile(r"\s*[(\[]?[A-Za-z][).:\]]\s*(?=\S)")

Read = Callable[[str], str | None]


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 for the right one of yes and no, 0 for the other, NaN for neither or both.

    A question whose reference is neither is right if the answer equals it, apart from case, articles and
    outer marks.

    >>> row = Prediction(example_id="q", references=("Yes",), answer="")
    >>> from msgspec.structs import replace
    >>> score_all([replace(row, answer=text) for text in ("Yes, it is.", "no", "unknown")]).tolist()
    [1.0, 0.0, nan]
    """
    return _scores(predictions, _said(predictions))


def read(reply: str, choices: tuple[str, ...] | None = None) -> str | None:
    """The yes or no that a reply says, or None; of other `choices` the one that it names.

    >>> read("Yeah"), read("There is no dog in the picture."), read("No problem, let me look.")
    ('yes', 'no', None)
    >>> read("B", ("Yes", "No")), read("(A)", ("A. yes", "B. no")), read("B")
    ('no', 'yes', None)
    """
    return read_by_rule(reply, choices).choice


def read_by_rule(reply: str, choices: tuple[str, ...] | None = None) -> Reading:
    """What `read` reads, and by which rule of `choice_parser`.

    >>> read_by_rule("B", ("Yes", "No"))
    Reading(choice='no', rule='letter')
    """
    if not choices:
        return read_answer(reply, _CHOICES, letters=False)
    named = read_answer(reply, choices)
    return named if named.choice is None else named._replace(choice=_word_of(named.choice))


def score_words(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """Yes if the reply holds the word yes and not the word no, no if it is the other way round.

    Source: open-compass/VLMEvalKit, vlmeval/dataset/utils/yorn.py, YOrN_Extraction. Differs: a reply with
    both words or none is unparsed, as in its mode without a judge; otherwise a language model is asked.

    >>> row = Prediction(example_id="q", references=("yes",), answer="Yes, there is no person.")
    >>> score_words([row]).tolist()
    [nan]
    """
    return scored_by(cache(_word), predictions)


def scored_by(reader: Read, predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """The scores of replies of which a reader says that they are yes, no or neither (None)."""
    return _scores(predictions, [None if row.answer is None else reader(row.answer) for row in predictions])


def truth(row: Prediction) -> str | None:
    """The right one of yes and no; None if the first reference is neither.

    >>> truth(Prediction(example_id="q", references=("Yes.",), answer=None))
    'yes'
    """
    word = _word_of(row.references[0]) if row.references else None
    return word if word in _CHOICES else None


def is_other(row: Prediction) -> bool:
    """Whether a question has no choices, and a right answer that is neither yes nor no."""
    return not row.choices and bool(row.references) and truth(row) is None


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """The questions whose answer is yes, and those whose answer is no."""
    truths = np.array([truth(row) or "" for row in rows])
    return {"type:answer yes": truths == YES, "type:answer no": truths == NO}


def aggregates(predictions: Sequence[Prediction]) -> list[Aggregate]:
    """Accuracy, precision, recall and F1 of yes, and the share of replies that are yes.

    Raises:
        InputError: no predictions, or predictions of more than one model, condition or seed.
    """
    check_one_arm(predictions)
    return counted(predictions, np.arange(len(predictions)))


def counted(predictions: Sequence[Prediction], at: Int[ndarray, " places"], of: str = "") -> list[Aggregate]:
    """These aggregates of the rows at some places, of which one may be counted several times.

    F1 is 2 TP / (2 TP + FP + FN), the mean over the questions answered yes and the questions whose answer is
    yes, taken together, of whether both are. So it is resampled like any mean.
    """
    truths = [truth(row) for row in predictions]
    answers = _said(predictions)
    scores = np.nan_to_num(_scores(predictions, answers))
    failed = [row.error is not None for row in predictions]
    scores[failed] = 0.0
    said = [None if fails else answer for fails, answer in zip(failed, answers, strict=True)]
    is_yes = np.array([word == YES for word in said])
    is_true = np.array([word == YES for word in truths])
    answered, positive = at[is_yes[at]], at[is_true[at]]
    both = np.concatenate([answered, positive])
    right = (is_yes & is_true).astype(float)
    f1 = _mean(f"f1{of}", both, right, "no reply says yes, and no answer is yes")
    return [
        _mean(f"accuracy{of}", at, scores, "no question"),
        _mean(f"precision{of}", answered, right, "no reply says yes"),
        _mean(f"recall{of}", positive, right, "no question whose answer is yes"),
        replace(f1, n=int((is_yes | is_true)[at].sum())),
        _mean(f"yes_ratio{of}", at, is_yes.astype(float), "no question"),
    ]


def _mean(
    name: str, at: Int[ndarray, " places"], scores: Float[ndarray, " items"], why_not: str
) -> Aggregate:
    return mean_of(name, at.tolist(), scores[at].tolist(), why_not)


def _said(rows: Sequence[Prediction]) -> list[str | None]:
    return [None if row.answer is None else _read_once(row.answer, row.choices) for row in rows]


# Scores and aggregates read the same replies, of which models repeat many.
_read_once = lru_cache(maxsize=1 << 17)(read)


def _scores(rows: Sequence[Prediction], said: Sequence[str | None]) -> Float[ndarray, " items"]:
    return np.array([_score(row, answer) for row, answer in zip(rows, said, strict=True)])


def _score(row: Prediction, said: str | None) -> float:
    right = truth(row)
    if row.answer is None:
        return float("nan")
    if right is None and not row.choices:
        return float(not told(row.answer).isdisjoint(map(canonical, row.references)))
    if said is None:
        return float("nan")
    return float(said == right if right is not None else said in map(_word_of, row.references))


@lru_cache(maxsize=1 << 10)
def _word_of(text: str) -> str:
    """A reference or choice in the form in which it is compared, without the letter before it.

    >>> _word_of("Yes."), _word_of("(B) No"), _word_of("A dog")
    ('yes', 'no', 'dog')
    """
    lettered = _LETTERED.match(text)
    return canonical(text[lettered.end() :] if lettered else text)


def _word(reply: str) -> str | None:
    words = set(without_punctuation(reply.lower()).split())
    found = [word for word in _CHOICES if word in words]
    return found[0] if len(found) == 1 else None
