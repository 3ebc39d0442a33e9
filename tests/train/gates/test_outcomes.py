"""Outcomes: a table comes back as it was written, and says what a gate would have scored."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_outcomes import made_outcomes

from safe_data.core.errors import InputError
from safe_train.gates.gate import Decisions, thresholded
from safe_train.gates.outcomes import read_outcomes, write_outcomes


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = made_outcomes(40)
    write_outcomes(tmp_path / "outcomes.parquet", made)
    read = read_outcomes(tmp_path / "outcomes.parquet")
    for name in ("example_ids", "groups", "question_types", "budgets", "answers", "facts"):
        assert getattr(read, name) == getattr(made, name)
    for name in ("needs_audio", "scores", "influence_kl", "latency_ms"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    for name in ("entropy", "confidence", "margin", "hidden"):
        np.testing.assert_array_equal(getattr(read.states, name), getattr(made.states, name))
    assert read.states.largest_entropy == made.states.largest_entropy


def test_the_score_under_decisions_is_that_of_the_chosen_budget() -> None:
    made = made_outcomes(6)
    decisions = Decisions(np.array([0, 4, 8, 0, 4, 8]), np.zeros(6))
    wanted = [made.scores[row, column] for row, column in enumerate([0, 1, 2, 0, 1, 2])]
    assert made.under(decisions).tolist() == wanted
    assert made.under(thresholded(np.ones(6), 2.0, 4)).tolist() == made.scores[:, 0].tolist()


def test_a_budget_that_was_not_tried_is_refused() -> None:
    with pytest.raises(InputError, match=r"5 audio tokens: these outcomes are of the budgets \[0, 4, 8\]"):
        made_outcomes(2).under(Decisions(np.array([0, 5]), np.zeros(2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": made_outcomes(40).scores + 0.5}, r"a score lies outside \[0, 1\]"),
        ({"latency_ms": np.zeros(2)}, "not one latency for each budget"),
        ({"budgets": (4, 0, 8)}, "are not whole numbers, 0 or more, ascending"),
        ({"budgets": (1, 4, 8)}, "no budget 0"),
        ({"groups": (None,) * 40}, "a question has no group"),
        (
            {"states": replace(made_outcomes(40).states, margin=np.full(40, np.nan))},
            "a state is not all finite",
        ),
        ({"states": replace(made_outcomes(40).states, largest_entropy="much")}, "is no table of outcomes"),
        ({"facts": 7}, "is no table of outcomes"),
    ],
)
def test_numbers_that_no_answer_has_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_outcomes(tmp_path / "outcomes.parquet", replace(made_outcomes(40), **change))
    with pytest.raises(InputError, match=message) as refused:
        read_outcomes(tmp_path / "outcomes.parquet")
    assert "safe-train gate fit" in str(refused.value)


def test_a_column_that_is_missing_or_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    write_outcomes(path, made_outcomes(40))
    table = pq.read_table(path)
    at = table.column_names.index("hidden")
    for changed in (table.drop_columns("score_4"), table.set_column(at, "hidden", [["a"] * 40])):
        pq.write_table(changed, path)
        with pytest.raises(InputError, match="is no table of outcomes"):
            read_outcomes(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="is no table of outcomes"):
        read_outcomes(tmp_path / "other.parquet")
