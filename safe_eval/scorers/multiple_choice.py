"""Multiple choice: right where the reply names the right one of a row's choices.

All metrics that read replies as choices score them here. `choice_references` has made the references choices,
so a reference that is a letter or a number of a choice was mapped or refused when the rows were read.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_parser import canonical, parse_answer
from safe_eval.scorers.reading.reply import unwrap


def score_all(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """1 for the right choice, 0 for another, NaN if the reply names no choice or several.

    Without choices, the reply must equal a reference in canonical form once what wraps it is cut.

    >>> choices = ("speech", "no speech")
    >>> rows = [Prediction(example_id=a, references=("speech",), answer=a, choices=choices)
    ...         for a in ("Speech.", "B) no speech", "A", "perhaps")]
    >>> rows += [Prediction(example_id="q", references=("dog",), answer="<answer>A dog.</answer>")]
    >>> score_all(rows).tolist()
    [1.0, 0.0, 1.0, nan, 1.0]
    """
    understood = cache(parse_answer)  # of this call: models say the same few things many times
    return np.array([_score(row, understood) for row in predictions])


def _score(row: Prediction, understood: Callable[[str, tuple[str, ...]], str | None]) -> float:
    if row.answer is None:
        return float("nan")
    if not row.choices:
        return float(bool(said(row.answer).intersection(map(canonical, row.references))))
    answer = understood(row.answer, row.choices)
    return float("nan") if answer is None else float(answer in row.references)


def said(reply: str) -> frozenset[str]:
    """What a reply says in canonical form: all of it, or the one thing that it marks as its answer.

    >>> said("<answer>A dog.</answer>"), said("<think>Rain?</think>Water")
    (frozenset({'dog'}), frozenset({'water'}))
    """
    unwrapped = unwrap(reply)
    finals = frozenset(map(canonical, unwrapped.finals or (unwrapped.text,)))
    return finals if len(finals) == 1 else frozenset()
