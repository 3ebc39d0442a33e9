"""AVQA: an answer is right if it names the right one of the question's choices.

Source: Yang et al. 2022, and AlyssaYoung/AVQA, HAVF/hcrn_havf/validate.py, which compares classes: a micro
average over all, and one for each of eight types of question. Differs: its classes are all answers of the
training split. Here the four choices are given, as models that reply in words are asked.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import multiple_choice


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """Score each row: 1 if it names the right choice, 0 for another, NaN for none or several.

    >>> row = Prediction(example_id="q", references=("dog",), answer="(B)", choices=("cat", "dog"))
    >>> score_all([row]).tolist()
    [1.0]
    """
    return multiple_choice.score_all(predictions)


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """Slices by what the question is about: `question_relation` (View, Sound, Both) in the metadata."""
    relations = [str((row.metadata or {}).get("question_relation", "")) for row in rows]
    return {f"type:{name}": np.array(relations) == name for name in sorted(set(relations) - {""})}
