"""Readings: what was read in a reply, by another harness and here, to say why two scores of it differ.

An imported row keeps what its harness read: `metadata.extracted`, or the answer itself where `metadata.raw`
holds the reply that it was cut from.
"""

import unicodedata

from safe_eval.prediction import Prediction
from safe_eval.scorers import yes_no
from safe_eval.scorers.choice_parser import parse_answer
from safe_eval.scorers.reading.reply import is_failure
from safe_eval.scorers.scorer import READS_REPLIES

EXTRACTED, RAW = "extracted", "raw"  # keys of the metadata
SAME_WITHIN = 0.01  # scores that differ by less are the same, written with other digits

# Why two scores of one reply differ.
FAILED, UNPARSED, PARSE, RULE = "failed", "unparsed", "different parse", "other rule"


def reply_of(row: Prediction) -> str | None:
    """The whole reply, before a harness cut an answer from it; None for an error.

    >>> reply_of(Prediction(example_id="q", references=("B",), answer="B", metadata={"raw": "It is B."}))
    'It is B.'
    """
    raw = (row.metadata or {}).get(RAW)
    return raw if isinstance(raw, str) and row.answer is not None else row.answer


def their_reading(row: Prediction) -> str | None:
    """What the harness read in the reply, if the row says so."""
    metadata = row.metadata or {}
    if isinstance(found := metadata.get(EXTRACTED), str):
        return found
    return row.answer if isinstance(metadata.get(RAW), str) else None


def our_reading(row: Prediction) -> str | None:
    """The choice, or the yes or no, that is read in the answer here; of other answers, all of it."""
    return None if row.answer is None else _named(row.answer, row)


def same_reading(one: str | None, other: str | None, row: Prediction) -> bool:
    """Whether two readings of a row are the same: the same choice, or the same words.

    >>> asked = Prediction(example_id="q", references=("cat",), answer="", choices=("dog", "cat"))
    >>> same_reading("B", "Cat.", asked), same_reading("A", "cat", asked), same_reading(None, "cat", asked)
    (True, False, False)
    """
    if one is None or other is None:
        return one is other
    return _folded(_named(one, row) or one) == _folded(_named(other, row) or other)


def why_scored_differently(row: Prediction, metric: str, *, unparsed: bool) -> str:
    """Why a harness scored an answer differently from a metric here.

    Where nothing says what the harness read, a metric that reads a reply as one of several choices differs
    in the choice, and any other in its rule.

    >>> row = Prediction(example_id="q", references=("cat",), answer="B", choices=("dog", "cat"))
    >>> why_scored_differently(row, "accuracy", unparsed=False)
    'different parse'
    >>> why_scored_differently(row, "vqa_accuracy", unparsed=True)
    'unparsed'
    """
    if row.error is not None or row.answer is None or is_failure(row.answer):
        return FAILED
    if unparsed:
        return UNPARSED
    theirs = their_reading(row)
    if theirs is not None:
        return RULE if same_reading(theirs, our_reading(row), row) else PARSE
    return PARSE if row.choices or metric in READS_REPLIES else RULE


def _named(text: str, row: Prediction) -> str | None:
    """The choice, or the yes or no, that a text names; the text itself where nothing is to be chosen."""
    if row.choices:
        return parse_answer(text, row.choices)
    if yes_no.truth(row) is not None:
        return yes_no.read(text)
    return text


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(" .\"'").split())
