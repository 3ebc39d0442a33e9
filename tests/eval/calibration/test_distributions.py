"""Distributions of rows: which choice is right, which was said, and what is no distribution."""

import numpy as np
import pytest
from made_rows import row

from safe_eval.calibration.distributions import distribution_of, distributions_of, right_choice, said_choice
from safe_eval.prediction import Prediction

PETS = {"cat": 0.5, "dog": 0.3, "cow": 0.2}


def asked(answer: str = "cat", given: dict[str, float] | None = None, **fields: object) -> Prediction:
    return row("q", answer, references=("dog",), choice_probabilities=given or PETS, **fields)


@pytest.mark.parametrize(
    ("answer", "said"),
    [("dog", "dog"), ("I hear a dog.", "dog"), ("C", "cow"), ("no idea", "cat"), ("cat or dog", "cat")],
)
def test_the_choice_that_was_said_is_read_or_else_the_likeliest(answer: str, said: str) -> None:
    assert said_choice(asked(answer, choices=("cat", "dog", "cow")), PETS) == said


def test_letters_name_nothing_where_the_order_of_the_choices_is_not_known() -> None:
    assert said_choice(asked("C"), PETS) == "cat"


def test_probabilities_by_letter_are_those_of_the_choices() -> None:
    given = {"A": 0.2, "B": 0.7, "C": 0.1}
    found = distribution_of(asked("B", given, choices=("cat", "dog", "cow")))
    assert found == pytest.approx({"cat": 0.2, "dog": 0.7, "cow": 0.1})
    assert right_choice(asked(), found) == "dog"
    assert distribution_of(asked("B", given)).keys() == given.keys()


@pytest.mark.parametrize("given", [{"cat": 0.5, "dog": 0.3}, {"cat": 1.0}])
def test_what_is_no_whole_distribution_is_none(given: dict[str, float]) -> None:
    assert distribution_of(asked("cat", given)) is None
    assert distribution_of(asked(error="out of memory")) is None


def test_a_distribution_that_nearly_sums_to_1_is_scaled() -> None:
    assert sum(distribution_of(asked("cat", {"cat": 0.5, "dog": 0.495})).values()) == pytest.approx(1)


def test_rows_with_other_choices_and_without_stand_in_one_table() -> None:
    rows = [asked("dog"), row("q2", "yes"), asked("fish", {"fish": 0.9, "bird": 0.1})]
    found = distributions_of(rows)
    assert found.probabilities.shape == (3, 3)
    assert np.isnan(found.probabilities[1]).all()
    assert np.isnan(found.probabilities[2]).tolist() == [False, False, True]
    assert (found.right.tolist(), found.said.tolist()) == ([1, -1, -1], [1, -1, 0])
    assert (found.given.tolist(), found.judged.tolist()) == ([True, False, True], [True, False, False])
    assert distributions_of([row()]) is None
