"""Exact match: every letter counts, apart from case and white space."""

import pytest
from made_rows import row

from safe_eval.scorers import exact_match

CASES = [
    ("a dog", 1),
    ("  A\tDog \n", 1),
    ("dog", 0),
    ("a dog.", 0),
    ("", 0),
    (None, 0),
    ("cafe\u0301", 1),  # an e and its accent apart
]


@pytest.mark.parametrize(("answer", "expected"), CASES)
def test_cases(answer: str | None, expected: int) -> None:
    error = "failed" if answer is None else None
    found = exact_match.score_all([row(answer=answer, references=("a dog", "caf\u00e9"), error=error)])
    assert found.tolist() == [expected]
