"""AVQA: right where the reply names the right one of the question's choices.

Source: Yang et al. 2022, and AlyssaYoung/AVQA, HAVF/hcrn_havf/validate.py, which compares classes: a micro
average over all, and one for each of eight types of question. Differs: its classes are all answers of the
training split; here the four choices are given, as the benchmark is asked of models that reply in words.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import classification


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the right choice is named, 0 where another is, NaN where none or several are.

    >>> row = Prediction(example_id="q", references=("dog",), answer="(B)", choices=("cat", "dog"))
    >>> score_all([row]).tolist()
    [1.0]
    """
    return classification.score_all(predictions)


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """What the question is about, where the rows say so: metadata `question_relation` (View, Sound, Both)."""
    relations = [str((row.metadata or {}).get("question_relation", "")) for row in rows]
    return {f"type:{name}": np.array(relations) == name for name in sorted(set(relations) - {""})}
