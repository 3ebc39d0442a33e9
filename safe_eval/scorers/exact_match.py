"""Exact match: the answer is one of the references, but for case and white space."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the answer equals a reference after Unicode composition, folding of case and of white space.

    Punctuation, articles and number words count: it is the strictest of the scores, and guesses nothing.

    >>> row = Prediction(example_id="q", references=("a dog", "dogs"), answer=" A  Dog ")
    >>> score_all([row]).tolist()
    [1.0]
    """
    return np.array(
        [
            float(row.answer is not None and _folded(row.answer) in map(_folded, row.references))
            for row in predictions
        ]
    )


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
