"""Answerers: choices limit what is answered, and what cannot be fitted says why."""

import numpy as np
import pytest

from safe_data.records import Example
from safe_eval.baselines.answerers import Chance, LinearReader, Majority, fit_reader
from safe_eval.models.model import Input

COUNTS = {"animal": {"cat": 3, "dog": 3, "owl": 1}}


def asked(number: int = 0, choices: tuple[str, ...] | None = None, sound_of: int | None = None) -> Input:
    example = Example(
        id=f"e{number}",
        task="vqa",
        prompt="?",
        references=("owl",),
        choices=choices,
        question_type="animal",
    )
    return Input(example, sound_of=sound_of)


def test_chance_takes_each_answer_as_often() -> None:
    texts = [answer.text for answer in Chance(COUNTS, 0).answer([asked(number) for number in range(3000)])]
    assert [texts.count(name) / 3000 for name in ("cat", "dog", "owl")] == pytest.approx(
        [1 / 3] * 3, abs=0.03
    )


@pytest.mark.parametrize(
    ("choices", "expected"),
    [(None, "cat"), (("owl", "dog"), "dog"), (("owl", "fox"), "owl"), (("fox", "elk"), "elk")],
)
def test_the_majority_is_among_the_choices(choices: tuple[str, ...] | None, expected: str) -> None:
    assert Majority(COUNTS).answer([asked(choices=choices)])[0].text == expected


def test_probabilities_are_those_of_the_choices() -> None:
    features = np.arange(30.0)[:, None]
    names = [("cat", "dog", "owl")[number // 10] for number in range(30)]
    reader = fit_reader(features, names, [str(number % 6) for number in range(30)], seed=0)
    model = LinearReader("probe", {"animal": reader}, features, {7: 25})
    whole, part, strange = model.answer(
        [asked(choices=choices, sound_of=7) for choices in (None, ("cat", "dog", "fox"), ("fox", "elk"))]
    )
    assert (whole.text, part.text, strange.text) == ("owl", "dog", "elk")
    assert set(whole.choice_probabilities) == {"cat", "dog", "owl"}
    assert part.choice_probabilities["fox"] == 0
    assert sum(part.choice_probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert strange.choice_probabilities == {"fox": 0.5, "elk": 0.5}
    with pytest.raises(ValueError, match="no sound of the dataset"):
        model.answer([asked()])


@pytest.mark.parametrize(
    ("answers", "groups", "said"),
    [
        ([], [], "training has no such question"),
        (["cat"] * 20, list("ab") * 10, "training has one answer, 'cat'"),
        (["cat", "dog"], ["a", "b"], "training has 2 such questions; a regression needs 10"),
        (["cat", "dog"] * 10, ["a"] * 20, "training has one group"),
    ],
)
def test_too_little_is_not_fitted(answers: list[str], groups: list[str], said: str) -> None:
    found = fit_reader(np.zeros((len(answers), 2)), answers, groups, seed=0)
    assert isinstance(found, str)
    assert found.startswith(said)
