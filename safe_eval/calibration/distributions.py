"""Distributions: the `choice_probabilities` of rows as numbers, with the right choice and the one said."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import numpy as np

from safe_eval.prediction import Prediction
from safe_eval.scorers.choice_parser import parse_answer
from safe_eval.statistics.calibration.forecasts import UNKNOWN, Distributions

_SUM_TOLERANCE = 0.01


def distribution_of(row: Prediction) -> dict[str, float] | None:
    """The probabilities by choice, scaled to sum to 1; None if the row has no whole distribution.

    Probabilities by letter are those of the row's choices in their order.

    >>> row = Prediction(example_id="q", references=("cat",), answer="A", choices=("dog", "cat"),
    ...     choice_probabilities={"A": 0.75, "B": 0.25})
    >>> distribution_of(row)
    {'dog': 0.75, 'cat': 0.25}
    """
    given = row.choice_probabilities
    if row.error is not None or not given or len(given) < 2:
        return None
    total = sum(given.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        return None
    letters = ascii_uppercase[: len(given)]
    is_lettered = row.choices is not None and len(row.choices) == len(given) and set(letters) == given.keys()
    if row.choices and is_lettered and given.keys() != set(row.choices):
        by_letter = zip(row.choices, letters, strict=True)
        return {choice: given[letter] / total for choice, letter in by_letter}
    return {choice: probability / total for choice, probability in given.items()}


def right_choice(row: Prediction, given: Mapping[str, float]) -> str | None:
    """The one choice that is a reference; None if none is, or several are."""
    wanted = given.keys() & set(row.references)
    return next(iter(wanted)) if len(wanted) == 1 else None


def said_choice(row: Prediction, given: Mapping[str, float]) -> str:
    """The choice that the answer names; of a reply that names none, the likeliest.

    >>> row = Prediction(example_id="q", references=("cat",), answer="It is a cat.")
    >>> said_choice(row, {"cat": 0.25, "dog": 0.75}), said_choice(row, {"cow": 0.25, "dog": 0.75})
    ('cat', 'dog')
    """
    answer = row.answer or ""
    if answer in given:
        return answer
    is_ordered = row.choices is not None and set(row.choices) == given.keys()
    names = row.choices if is_ordered and row.choices else tuple(given)
    named = parse_answer(answer, names, letters=is_ordered)
    return max(given, key=lambda choice: given[choice]) if named is None else named


def distributions_of(rows: Sequence[Prediction]) -> Distributions | None:
    """The distributions of rows, in their order; None if no row has one."""
    found = [distribution_of(row) for row in rows]
    widest = max((len(given) for given in found if given), default=0)
    if not widest:
        return None
    probabilities = np.full((len(rows), widest), np.nan)
    right, said = np.full((2, len(rows)), UNKNOWN)
    for at, (row, given) in enumerate(zip(rows, found, strict=True)):
        if given is None:
            continue
        places = {choice: place for place, choice in enumerate(given)}
        probabilities[at, : len(given)] = list(given.values())
        right[at] = places.get(right_choice(row, given) or "", UNKNOWN)
        said[at] = places[said_choice(row, given)]
    return Distributions(probabilities, right, said)
