"""Exact match: the answer equals a reference, apart from case and white space."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """Score each row: 1 if the answer equals a reference, 0 if not.

    Unicode composition, case and white space make no difference. Punctuation, articles and number words do:
    this is the strictest score.

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
