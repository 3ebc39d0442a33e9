"""Reasons: how an answer was read, by which rule, and why it is right or wrong, in a plain sentence.

The rules are those of the scorers; nothing is read a second time in another way.
"""

from collections.abc import Callable
from typing import NamedTuple

from safe_eval.arms.given_arms import GIVEN, is_given
from safe_eval.prediction import Prediction
from safe_eval.results.readings import reply_of, their_reading
from safe_eval.scorers import choice_parser, clotho_aqa, music_avqa, vqa, yes_no
from safe_eval.scorers.choice_parser import Reading, canonical, read_answer
from safe_eval.scorers.multiple_choice import said
from safe_eval.scorers.reading.abstention import abstains
from safe_eval.scorers.reading.reply import is_failure, unwrap
from safe_eval.scorers.rule_sources import SOURCES
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM

_BY_RULE = {
    choice_parser.VERBATIM: "word for word",
    choice_parser.LETTER: "by its letter",
    choice_parser.MARKED: "from what the reply marks as its answer",
    choice_parser.WHOLE: "since the whole reply is a name of it",
    choice_parser.OPENING: "from the yes or no that it says",
    choice_parser.CLAIMED: "from what its sentences claim",
}
_WHY_NOT = {
    choice_parser.EMPTY: "it is empty",
    choice_parser.NONE_NAMED: "it names no choice that it does not deny or doubt",
    choice_parser.SEVERAL: "it names several choices, or contradicts itself",
}
_VARIANTS: dict[str, vqa.Variant] = {
    "vqa_accuracy": "official",
    "vqa_accuracy_2017": "official_2017",
    "vqa_accuracy_normalised": "normalised",
    "vqa_accuracy_no_answer_ids": "official",
    "evalai_accuracy": "evalai",
}
_COMPARED = {
    "gqa_accuracy": "letter by letter",
    "gqa_accuracy_caseless": "apart from case and punctuation",
    "exact_match": "apart from case and white space",
}


_LONGEST_TOLD = 80  # characters of a text in a sentence; `read_as` has all of it


class Reason(NamedTuple):
    """What an answer was read as, None where nothing is known, and why it has its score."""

    read_as: str | None
    why: str


def reason_of(row: Prediction, metric: str | None, score: float | None) -> Reason:
    """How a metric here, or another harness, read an answer, and why it has its score.

    `score` is None for a reply that was not understood.

    >>> row = Prediction(example_id="q", references=("cat",), answer="(B)", choices=("dog", "cat"))
    >>> reason_of(row, "accuracy", 1.0)
    Reason(read_as='cat', why='Read as “cat” by its letter, which is right.')
    """
    if row.error is not None or row.answer is None:
        return Reason(None, "There is an error in place of an answer, which counts as wrong.")
    if is_failure(row.answer):
        return Reason(None, "It is the text of a request that failed, which counts as an error and is wrong.")
    if metric is None:
        lacks = "it has no references" if not row.references else "there is none for its task"
        return Reason(None, f"No metric judges it: {lacks}.")
    if is_given(metric):
        return _given(row, metric, score)
    if not row.answer.strip():
        return Reason(None, f"The answer is blank, so nothing can be read{_verdict(score)}")
    if metric in CAPTION_METRICS:
        n = len(row.references)
        words = "its reference" if n == 1 else f"its {n} references"
        return Reason(None, f"{metric} compares its words with those of {words}{_points(score)}.")
    if metric in _VARIANTS:
        return _by_annotators(row, _VARIANTS[metric], score)
    reader = _READERS.get(metric)
    reading = None if reader is None else reader(row)
    if reading is not None:
        return _chosen(row, reading, score)
    if metric in _COMPARED:
        compared = f"Compared with the references {_COMPARED[metric]}"
        return Reason(row.answer, f"{compared}{_verdict(score)}")
    if metric in _READERS:
        return _equal(row)
    source = SOURCES.get(metric)
    return Reason(None, f"Scored by the rule {metric}{f' ({source})' if source else ''}{_verdict(score)}")


def _accuracy(row: Prediction) -> Reading | None:
    return read_answer(row.answer or "", row.choices) if row.choices else None


def _music_avqa(row: Prediction) -> Reading | None:
    return music_avqa.read(row.answer or "", row.question_type, row.choices)


def _yes_no(row: Prediction) -> Reading | None:
    return None if yes_no.is_other(row) else yes_no.read_by_rule(row.answer or "", row.choices)


def _clotho_aqa(row: Prediction) -> Reading | None:
    return yes_no.read_by_rule(row.answer or "") if clotho_aqa.is_yes_or_no(row) else None


# How each metric reads a reply as one of several choices; None where the reply must equal a reference.
_READERS: dict[str, Callable[[Prediction], Reading | None]] = {
    "accuracy": _accuracy,
    "avqa_accuracy": _accuracy,
    "music_avqa_accuracy": _music_avqa,
    "yes_no_accuracy": _yes_no,
    "clotho_aqa_accuracy": _clotho_aqa,
    "clotho_aqa_unanimous": _clotho_aqa,
}


def _given(row: Prediction, metric: str, score: float | None) -> Reason:
    name = metric.removeprefix(GIVEN)
    found = their_reading(row)
    read = "" if found is None or found == reply_of(row) else f", which it read as “{_short(found)}”"
    scored = "not at all" if score is None else f"{score:g}"
    return Reason(found, f"Another harness scored it {scored} as {name}{read}; no rule here judged it.")


def _chosen(row: Prediction, reading: Reading, score: float | None) -> Reason:
    if reading.choice is None:
        doubts = abstains(row.answer)
        why = "it says that it cannot be told" if doubts else _WHY_NOT[reading.rule]
        return Reason(None, f"Not understood{_cut(row)}: {why}; that counts as wrong.")
    became = "right" if score is not None and score >= RIGHT_FROM else "wrong"
    found = f"Read as “{_short(reading.choice)}” {_BY_RULE[reading.rule]}{_cut(row)}"
    return Reason(reading.choice, f"{found}, which is {became}.")


def _equal(row: Prediction) -> Reason:
    """A reply that must be a reference: all of it, or the one thing that it marks as its answer."""
    forms = said(row.answer or "")
    if len(forms) != 1:
        return Reason(None, "It marks several answers as its answer, so none of them counts.")
    (form,) = forms
    equal = sum(canonical(reference) == form for reference in row.references)
    compared = f"Compared as “{_short(form)}”{_cut(row)}, apart from case, articles and outer marks"
    return Reason(form, f"{compared}: {_of_references(equal, row)}.")


def _by_annotators(row: Prediction, variant: vqa.Variant, score: float | None) -> Reason:
    form, equal = vqa.compared(row, variant)
    return Reason(form, f"Compared as “{_short(form)}”: {_of_references(equal, row)}{_points(score)}.")


def _of_references(equal: int, row: Prediction) -> str:
    n = len(row.references)
    if n == 1:
        return "it equals the reference" if equal else "it does not equal the reference"
    return f"it equals {equal} of {n} references" if equal else f"it equals none of {n} references"


def _short(text: str) -> str:
    """A text on one line, cut off where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


def _cut(row: Prediction) -> str:
    """What was cut from the reply before it was read."""
    cut = unwrap(row.answer or "").cut
    return f", without {' and '.join(cut)}" if cut else ""


def _points(score: float | None) -> str:
    return "" if score is None else f", which scores {score:.3g}"


def _verdict(score: float | None) -> str:
    """The end of a sentence: what became of it."""
    if score is None:
        return "; it was not understood, and counts as wrong."
    return ": it is right." if score >= RIGHT_FROM else ": it is wrong."
