"""Domains: one model on several datasets, what the sound adds on each, and how these gains differ."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.domains import DomainDifference, DomainRow, domain_tables
from safe_eval.scoring.score import score_predictions
from safe_eval.text.curve_text import domain_lines

QUICK = Sampling(resamples=200)
RIGHT = {"home": {"full": 45, "mute_audio": 10}, "away": {"full": 30, "mute_audio": 15}}


def rows(right: dict[str, dict[str, int]] = RIGHT, **fields: object) -> list[Prediction]:
    return [
        msgspec.structs.replace(one, dataset=dataset)
        for dataset, conditions in right.items()
        for name, count in conditions.items()
        for one in answers("safe", name, lambda clip, hears, k=count: clip < (k if hears else 40), **fields)
    ]


def tables(rows: list[Prediction]) -> tuple[tuple[DomainRow, ...], tuple[DomainDifference, ...]]:
    return domain_tables(all_arms(rows), QUICK)


def test_each_dataset_has_its_accuracy_and_its_gain() -> None:
    found, _ = tables(rows())
    heard = {row.dataset: row for row in found if row.slice == "audio"}
    assert {name: (row.value, row.against) for name, row in heard.items()} == {
        "home": (0.9, "mute_audio"),
        "away": (0.6, "mute_audio"),
    }
    assert [round(heard[name].gain, 2) for name in ("home", "away")] == [0.7, 0.3]
    assert all(row.gain_low < row.gain < row.gain_high for row in heard.values())
    assert {row.slice for row in found} == {"all", "audio", "vl"}


def test_the_gains_are_compared_pair_by_pair() -> None:
    _, found = tables(rows(RIGHT | {"far": {"full": 20, "mute_audio": 20}}))
    heard = [row for row in found if row.slice == "audio"]
    assert [(row.dataset_a, row.dataset_b) for row in heard] == [
        ("away", "far"),
        ("away", "home"),
        ("far", "home"),
    ]
    assert [round(row.difference, 2) for row in heard] == [0.3, -0.4, -0.7]
    assert all(row.ci_low < row.difference < row.ci_high for row in heard)
    assert {row.family for row in heard} == {3}
    assert all(row.p_value <= row.holm_p for row in heard)


def test_one_dataset_is_no_shift() -> None:
    assert tables(rows({"home": RIGHT["home"]})) == ((), ())


def test_the_gate_stands_in_for_silence_and_without_both_there_is_no_gain() -> None:
    found, differences = tables(rows({"home": {"full": 45, "gate_off": 10}, "away": {"full": 30}}))
    heard = {row.dataset: row for row in found if row.slice == "audio"}
    assert heard["home"].against == "gate_off"
    assert (heard["away"].gain, heard["away"].why_not) == (
        None,
        "there are no answers under mute_audio or gate_off",
    )
    assert differences == ()


def test_gains_over_unlike_conditions_are_not_compared() -> None:
    assert tables(rows({"home": {"full": 45, "gate_off": 10}, "away": RIGHT["away"]}))[1] == ()


def test_seeds_that_answered_alike_have_a_row_together() -> None:
    found, differences = tables([*rows(), *rows(seed=1)])
    over = [row for row in found if row.seed is None and row.slice == "audio"]
    assert [(row.dataset, row.seeds) for row in over] == [("away", (0, 1)), ("home", (0, 1))]
    assert any(row.seed is None for row in differences)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.integers(0, 50), st.integers(0, 50))
def test_the_order_of_rows_does_not_matter_and_a_difference_is_that_of_two_gains(
    seed: int, full: int, muted: int
) -> None:
    made = rows(RIGHT | {"away": {"full": full, "mute_audio": muted}})
    found, differences = tables(made)
    assert (found, differences) == tables(shuffled(made, seed))
    gains = {(row.dataset, row.slice): row.gain for row in found}
    for row in differences:
        expected = gains[row.dataset_a, row.slice] - gains[row.dataset_b, row.slice]
        assert row.difference == pytest.approx(expected)


def test_the_text_fits_80_columns() -> None:
    lines = list(domain_lines(score_predictions(rows(RIGHT | {"away": {"full": 30}}), QUICK)))
    assert max(map(len, lines)) <= 80
    assert "on other datasets: slice audio, seed 0" in lines
    assert "    no gain: there are no answers under mute_audio or gate_off" in lines
