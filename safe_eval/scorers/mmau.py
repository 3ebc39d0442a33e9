"""MMAU: the words of the right choice, and no word of a wrong one. MMAR's script is the same.

Source: Sakshi et al. 2024 and Sakshi113/MMAU, evaluation.py, string_match; Ma et al. 2025 and ddlBoJack/MMAR,
code/evaluation.py. Differs from the default, `accuracy`: a letter is no answer there, a choice that is denied
("not a dog") is one, and words in which two choices agree do not count.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_letter import right_choice

_WORDS = re.compile(r"\b\w+\b")


def score_words(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the reply holds all words of the right choice, and none that only wrong choices have.

    >>> from msgspec.structs import replace
    >>> row = Prediction(example_id="q", references=("dog bark",), answer="", choices=("dog bark", "a cat"))
    >>> replies = ("It is no dog that barks: dog, bark", "(A)", "no cat, dog bark")
    >>> score_words([replace(row, answer=text) for text in replies]).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.array([float(row.answer is not None and _is_right(row)) for row in predictions])


def _is_right(row: Prediction) -> bool:
    said, right = _words(row.answer or ""), _words(right_choice(row))
    wrong = frozenset[str]().union(*(words - right for words in map(_words, row.choices or ())))
    return bool(said) and right <= said and said.isdisjoint(wrong)


@lru_cache(maxsize=1 << 12)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(text.lower()))
