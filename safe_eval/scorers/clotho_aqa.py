"""Clotho-AQA: three people answer each question about a sound with yes, no or one word.

An answer is right if any of the three gave it. The stricter figure in use is of the questions on which all
three agree.

Source: Lipping et al. 2022, "Clotho-AQA: A Crowdsourced Dataset for Audio Question Answering". The paper's
models choose a class; no official script reads replies in words. The splits `test_unanimous` and
`test_majority` of lmms-eval (tasks/clotho_aqa) are where others report the stricter figures.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import yes_no
from safe_eval.scorers.choice_parser import canonical
from safe_eval.scorers.multiple_choice import said


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 if the reply is the answer of any annotator.

    Where annotators say yes or no only, the reply is read as yes or no, and NaN is neither. Elsewhere it must
    be one of the answers, apart from case, articles and outer marks, once what wraps it is cut.

    >>> rows = [Prediction(example_id="q", references=("yes", "no", "yes"), answer="No, it is not."),
    ...         Prediction(example_id="r", references=("rain", "water", "rain"), answer="The water.")]
    >>> score_all(rows).tolist()
    [1.0, 1.0]
    """
    reader = cache(yes_no.read)
    scores = []
    for row in predictions:
        answers = {canonical(text) for text in row.references}
        if row.answer is None:
            scores.append(float("nan"))
        elif answers <= {yes_no.YES, yes_no.NO}:
            word = reader(row.answer)
            scores.append(float("nan") if word is None else float(word in answers))
        else:
            scores.append(float(not said(row.answer).isdisjoint(answers)))
    return np.array(scores)


def unanimous(rows: Sequence[Prediction]) -> Bool[ndarray, " items"]:
    """The questions on which all annotators agree; they need two answers or more.

    >>> unanimous([Prediction(example_id="q", references=("Yes", "yes", "yes"), answer="")]).tolist()
    [True]
    """
    return np.array(
        [len(row.references) > 1 and len(set(map(canonical, row.references))) == 1 for row in rows],
        dtype=bool,
    )


def is_yes_or_no(row: Prediction) -> bool:
    """Whether the annotators say yes or no only."""
    return {canonical(text) for text in row.references} <= {yes_no.YES, yes_no.NO}


def slices(rows: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """The questions on which all agree, and those that yes or no answers."""
    return {"type:unanimous": unanimous(rows), "type:yes or no": np.array(list(map(is_yes_or_no, rows)))}
