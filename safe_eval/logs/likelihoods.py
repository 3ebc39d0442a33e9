"""Likelihoods: the answer of a model that was not asked to write, but whose choices were compared.

lm-evaluation-harness and lmms-eval log a pair [log-probability, is_greedy] for each choice, as texts. The
answer is the choice of the highest log-probability, and softmax over the choices gives their probabilities:
unnormalised by length, as `acc` is and `acc_norm` is not.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from safe_eval.logs.literals import number_of

_PAIR = 2  # log-probability, and whether greedy decoding would write the choice


class Likelihoods(NamedTuple):
    """The likeliest choice, its place from 0, and the probability of each."""

    place: int
    probabilities: tuple[float, ...]


def is_pair(value: Any) -> bool:
    """Whether a value is a pair of a log-probability and a truth value.

    >>> is_pair(["-1.5", "False"]), is_pair(["yes", "no"]), is_pair("-1.5")
    (True, False, False)
    """
    return (
        isinstance(value, list | tuple)
        and len(value) == _PAIR
        and str(value[1]) in ("True", "False", "true", "false", "0", "1")
        and _log_probability(value[0]) is not None
    )


def are_pairs(value: Any) -> bool:
    """Whether a value is a list of such pairs, one for each choice."""
    return isinstance(value, list) and bool(value) and all(map(is_pair, value))


def likelihoods_of(pairs: Sequence[Sequence[Any]]) -> Likelihoods | None:
    """The likeliest choice of pairs; None where two choices are the likeliest, or all are impossible.

    >>> found = likelihoods_of([["-1.0", "False"], ["-0.5", "True"]])
    >>> found.place, round(found.probabilities[1], 4)
    (1, 0.6225)
    >>> likelihoods_of([["-1.0", "False"], ["-1.0", "False"]]) is None
    True
    """
    logs = [found if (found := _log_probability(pair[0])) is not None else -math.inf for pair in pairs]
    highest = max(logs)
    if math.isinf(highest) or logs.count(highest) > 1:
        return None
    weights = [math.exp(log - highest) for log in logs]
    total = sum(weights)
    return Likelihoods(logs.index(highest), tuple(weight / total for weight in weights))


def by_choice(choices: Sequence[str], found: Likelihoods) -> dict[str, float] | None:
    """The probability of each choice by its text; None where two choices have one text."""
    if len(set(choices)) < len(choices):
        return None
    return dict(zip(choices, found.probabilities, strict=True))


def _log_probability(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() in ("-inf", "-infinity"):
        return -math.inf
    if isinstance(value, float) and value == -math.inf:
        return value
    return None if isinstance(value, bool) else number_of(value)
