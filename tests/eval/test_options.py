"""Sampling: values that make no interval are refused."""

import pytest

from safe_data.core.errors import InputError
from safe_eval.options import Sampling


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"confidence": 1.5}, "confidence 1.5 is not between 0.5 and 1"),
        ({"confidence": 95}, "95 % is 0.95"),
        ({"resamples": 10}, "too few"),
        ({"resamples": 10**9}, "more than any interval needs; give at most 1000000"),
        ({"seed": -1}, "seed -1 is negative"),
    ],
)
def test_sampling_that_makes_no_interval(bad: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Sampling(**bad)
