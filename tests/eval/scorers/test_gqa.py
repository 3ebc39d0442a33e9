"""GQA's aggregates are those of its official script; what was not given is not measured."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.scorers import gqa

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/gqa.json").read_text("utf-8"))
ROWS = [msgspec.convert(made, Prediction) for made in GOLDEN["rows"]]


def measured(rows: list[Prediction]) -> dict[str, float | None]:
    return {found.name: found.value for found in gqa.aggregates(rows)}


def why_not(rows: list[Prediction], name: str) -> str | None:
    return next(found.why_not for found in gqa.aggregates(rows) if found.name == name)


def test_golden() -> None:
    assert measured(ROWS) == pytest.approx(GOLDEN["expected"], abs=1e-12)


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert measured(ROWS[::-1]) == pytest.approx(measured(ROWS))


def test_nothing_is_normalised() -> None:
    answers = ("red", "Red", "red.", " red", "a red", None)
    rows = [row(a or "", a, references=("red",), error=None if a else "failed") for a in answers]
    assert gqa.score_all(rows).tolist() == [1, 0, 0, 0, 0, 0]


def test_binary_and_open_by_the_structural_type() -> None:
    rows = [row(str(i), question_type=kind) for i, kind in enumerate(("query", "verify", "choose", None))]
    slices = gqa.slices(rows)
    assert slices["type:open"].tolist() == [True, False, False, False]
    assert slices["type:binary"].tolist() == [False, True, True, False]


def test_what_is_not_in_the_rows_is_not_measured_and_says_why() -> None:
    rows = [row("1", question_type="verify"), row("2", "no", question_type="query")]
    found = measured(rows)
    assert (found["accuracy"], found["binary"], found["open"]) == (0.5, 1.0, 0.0)
    for name, word in {
        "consistency": "'entailed'",
        "validity": "2 of 2 rows have no metadata 'valid'",
        "plausibility": "'plausible'",
        "distribution": "'groups'",
    }.items():
        assert found[name] is None
        assert word in (why_not(rows, name) or "")


def test_an_entailed_question_without_a_prediction_is_not_guessed() -> None:
    rows = [row("1", metadata={"entailed": ["7"]})]
    assert measured(rows)["consistency"] is None
    assert why_not(rows, "consistency") == "1 entailed questions have no prediction, for example '7'"


def test_an_error_is_wrong_and_in_no_histogram() -> None:
    facts = {"groups": {"global": "g"}}
    rows = [row("1", "yes", metadata=facts), row("2", None, error="failed", metadata=facts)]
    assert measured(rows)["accuracy"] == 0.5
    assert measured(rows)["distribution"] == pytest.approx((1 - 2) ** 2 / 2 / 100)


def test_aggregates_are_of_one_arm() -> None:
    with pytest.raises(InputError, match="2 models, conditions and seeds; aggregates are of one"):
        gqa.aggregates([row("1"), row("1", condition="gate_off")])
    with pytest.raises(InputError, match="0 models"):
        gqa.aggregates([])


def test_scores_stay_in_bounds_and_a_perfect_model_has_the_best() -> None:
    perfect = [msgspec.structs.replace(made, answer=made.references[0]) for made in ROWS]
    found = measured(perfect)
    assert (found["accuracy"], found["consistency"], found["distribution"]) == (1, 1, 0)
    assert np.isin(gqa.score_all(ROWS), (0, 1)).all()
