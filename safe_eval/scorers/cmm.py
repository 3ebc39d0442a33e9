"""CMM: does the model hear or see what is not there? The rule of its script.

Source: Leng et al. 2024, "The Curse of Multi-Modalities", and DAMO-NLP-SG/CMM, evaluation/calculate_score.py.
The script looks for the answer in the first five letters, so "unknown" and "cannot" count as no. The
default, `yes_no_accuracy`, reads neither. Its slices `type:answer yes` and `type:answer no` are what the
script prints as perception accuracy and hallucination severity.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction

_LETTERS = 5


def score_first_letters(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 where the first five letters of the reply hold the answer.

    >>> from msgspec.structs import replace
    >>> row = Prediction(example_id="q", references=("no",), answer="")
    >>> score_first_letters([replace(row, answer=text) for text in ("No.", "unknown", "It is no")]).tolist()
    [1.0, 1.0, 0.0]
    """
    return np.array(
        [
            float(
                row.answer is not None
                and bool(row.references)
                and row.references[0].strip().lower() in row.answer.strip().lower()[:_LETTERS]
            )
            for row in predictions
        ]
    )
