"""Errors name all faulty rows at once, and the nearest name to a misspelt one."""

import sys
import time
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from safe_data.core.errors import (
    InputError,
    Place,
    did_you_mean,
    explain,
    first_errors,
    raise_row_errors,
    require_extra,
    unknown_field,
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    level: Literal["easy", "hard"]
    weight: float = Field(ge=0)


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    parts: list[Part]

    @field_validator("name")
    @classmethod
    def _no_dots(cls, name: str) -> str:
        if "." in name:
            raise ValueError(f"name {name!r} has a dot")
        return name


def fields_at(place: Place) -> list[str]:
    return list((Whole if len(place) == 1 else Part).model_fields)


def explained(**fields: object) -> list[tuple[Place, str]]:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(fields)
    return explain(caught.value, fields_at)


def test_all_row_errors_at_once_first_twenty_and_a_count() -> None:
    raise_row_errors([], "f.jsonl")
    with pytest.raises(InputError, match=r"^one$"):
        raise_row_errors(["one"], "f.jsonl")
    with pytest.raises(InputError) as caught:
        raise_row_errors([f"row {i}" for i in range(30)], "f.jsonl")
    lines = str(caught.value).splitlines()
    assert lines[0] == "f.jsonl: 30 rows cannot be read"
    assert (lines[1], lines[20], lines[-1]) == ("row 0", "row 19", "… and 10 more")


def test_twenty_errors_are_shown_without_a_count() -> None:
    errors = [f"row {number}" for number in range(21)]
    assert first_errors(errors[:20]) == errors[:20]
    assert first_errors(errors) == [*errors[:20], "… and 1 more"]
    assert first_errors([]) == []


def test_the_nearest_name_is_the_hint() -> None:
    assert did_you_mean("metrc", ["metric", "matrix"]) == "did you mean 'metric'?"
    assert did_you_mean("zzz", ["metric"], "choose from metric") == "choose from metric"
    assert did_you_mean("zzz", ["metric"]) == ""
    assert did_you_mean("", []) == ""


def test_an_absurdly_long_name_takes_no_time() -> None:
    known = ["a" * 80 + str(number) for number in range(50)]
    began = time.process_time()
    hint = did_you_mean("ab" * 5_000_000, known, "choose another")
    assert time.process_time() - began < 0.5
    assert hint == "choose another"


def test_an_unknown_field_is_named_with_its_block() -> None:
    assert unknown_field("lable", ["label"]) == "unknown field 'lable'; did you mean 'label'?"
    assert (
        unknown_field("x", ["label"], "see the page", "rows[3]")
        == "unknown field 'x' in rows[3]; see the page"
    )


def test_findings_of_pydantic_become_sentences_with_their_place() -> None:
    part = {"level": "easy", "weight": 1}
    assert explained(parts=[part]) == [(("name",), "has no 'name'; add it")]
    assert explained(name="a.b", parts=[part]) == [(("name",), "name 'a.b' has a dot")]
    assert explained(name="a", parts=[part], seed=1) == [
        (("seed",), "unknown field 'seed'; fields are name, parts")
    ]
    assert explained(name="a", parts=[part, {**part, "wieght": 1}]) == [
        (("parts", 1, "wieght"), "unknown field 'wieght' in parts[1]; did you mean 'weight'?")
    ]
    assert explained(name="a", parts=[{**part, "weight": -1}]) == [
        (("parts", 0, "weight"), "parts[0].weight is -1: input should be greater than or equal to 0")
    ]


def test_a_long_value_is_cut_in_a_sentence() -> None:
    ((_, sentence),) = explained(name="a", parts=[{"level": "x" * 500, "weight": 1}])
    assert sentence == f"parts[0].level is '{'x' * 58}…: input should be 'easy' or 'hard'"


def test_one_missing_module_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError) as raised:
        require_extra("the ray engine", "ray", "json", "ray")
    assert str(raised.value) == (
        "the ray engine needs ray, which is not installed; "
        "run pip install '.[ray]' in the SAFE project folder"
    )


def test_several_missing_modules_stand_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^the demo needs no_such_a, no_such_b, which are not installed; "):
        require_extra("the demo", "train,gx,report", "no_such_a", "no_such_b")


def test_what_is_installed_is_not_asked_for() -> None:
    require_extra("the demo", "train", "json", "numpy")
