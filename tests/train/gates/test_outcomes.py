"""Outcomes: a table comes back as it was written, and says what a gate would have scored."""

from pathlib import Path

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


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="is no table of outcomes"):
        read_outcomes(tmp_path / "other.parquet")
