"""Given scores as arms: taken as they are, paired like any metric, and never confused with rules here."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row, shuffled

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.arms.given_arms import given_notes, scale_of
from safe_eval.comparison.item_pairs import compare_items
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction, range_error
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.items import item_tables
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=200)


def scored(example: str, score: float | None, model: str = "m", **fields: object) -> Prediction:
    scores = None if score is None else {"hit": score}
    return row(example, model=model, group=example, **{"scores": scores, **fields})


def judged(example: str, score: float, model: str = "m") -> Prediction:
    """A row that only another harness judged."""
    return scored(example, score, model, references=(), dataset="mmvet")


def failed(example: str, model: str = "m", **fields: object) -> Prediction:
    return scored(example, None, model, answer=None, error="out of memory", **fields)


def only(arms: Arms, metric: str = "given:hit") -> dict[str, float]:
    """The scores of the only arm by example."""
    (arm,) = arms.given[metric]
    return {found.example_id: score for found, score in zip(arm.rows, arm.scores.tolist(), strict=True)}


def test_scores_are_taken_as_they_are_and_failures_without_one_count_as_0():
    rows = [scored("a", 1.0), scored("b", 0.25), scored("c", None), failed("d")]
    rows.append(scored("e", 0.5, answer=None, error="cut off"))  # the harness scored what there was
    arms = all_arms(rows)
    assert only(arms) == {"a": 1.0, "b": 0.25, "d": 0.0, "e": 0.5}
    notes = "\n".join(given_notes(arms.arms, arms.given))
    assert "1 of 5 rows of m/full, seed 0, give no 'hit': left out" in notes
    assert "1 of 4 rows of m/full, seed 0, failed without a 'hit' and count as 0" in notes


def test_a_failure_counts_in_what_its_model_and_task_are_scored_by():
    rows = [scored("a", 1.0), row("b", model="m", group="b", choices=("yes", "no"), scores={"letter": 1.0})]
    rows += [
        failed("c"),
        failed("d", choices=("yes", "no")),
        failed("e", "other"),
        scored("a", None, "other"),
    ]
    arms = all_arms(rows)
    assert only(arms) == {"a": 1.0, "c": 0.0}
    assert only(arms, "given:letter") == {"b": 1.0, "d": 0.0}


def test_rows_without_references_are_judged_by_what_was_given_alone():
    rows = [judged(f"j{i}", i / 10) for i in range(10)]
    rows += [scored("q", 1.0, dataset="mmvet", task="classify", needs_audio=None)]
    arms = all_arms(rows)
    assert {metric: arm.examples.size for metric, (arm,) in arms.scored.items()} == {
        "accuracy": 1,
        "given:hit": 11,
    }
    found = score_predictions(rows, QUICK)
    assert (found.coverage["full"].answered, found.coverage["full"].excluded) == (1, 10)
    assert any("10 of 11 rows of m/full on mmvet, seed 0, have no references" in note for note in found.notes)


def test_a_failed_row_of_a_task_without_references_is_in_no_rule_here():
    rows = [judged("a", 0.5), failed("b", references=(), dataset="mmvet")]
    arms = all_arms(rows)
    assert not arms.judged
    assert only(arms) == {"a": 0.5, "b": 0.0}
    beside = [*rows, row("c", model="m", group="c", dataset="mmvet")]  # whose task is judged by a rule
    (arm,) = all_arms(beside).judged["vqa_accuracy"]
    assert {found.example_id for found in arm.rows} == {"b", "c"}


@pytest.mark.parametrize(
    ("fields", "is_valid"), [({}, False), ({"scores": {}}, False), ({"scores": {"hit": 0.0}}, True)]
)
def test_references_may_be_empty_only_beside_a_score(fields: dict, is_valid: bool):
    fault = range_error(row(references=(), **fields))
    assert (fault is None) == is_valid
    if not is_valid:
        assert fault is not None
        assert "references is empty; give at least one, or another harness's own 'scores'" in fault


def test_a_file_of_judged_rows_alone_is_read_and_scored(tmp_path: Path):
    rows = [judged(f"j{i}", float(i % 2), model) for model in ("base", "safe") for i in range(8)]
    write_predictions(tmp_path / "p.jsonl", rows)
    found = score_predictions(read_predictions(tmp_path / "p.jsonl"), QUICK)
    assert {metric.metric for metric in found.metrics} == {"given:hit"}
    (difference,) = found.comparisons
    assert (difference.metric, difference.difference) == ("given:hit", 0.0)
    (beside, _) = found.given_scores
    assert (beside.beside, beside.compared) == (None, 0)


def test_scores_outside_0_and_1_have_the_intervals_of_means_on_a_wide_scale_and_no_flips():
    def rated(model: str, shift: int) -> list[Prediction]:
        return [
            scored(f"q{i}", float((i + shift) % 8), model, seed=seed) for seed in (0, 1) for i in range(40)
        ]

    found = score_predictions([*rated("base", 0), *rated("safe", 3)], QUICK)
    own = [metric for metric in found.metrics if metric.metric == "given:hit"]
    assert {metric.interval for metric in own} == {"cluster bootstrap"}
    assert {row.interval for row in found.comparisons if row.metric == "given:hit"} == {"cluster t"}
    (seeds, _) = [row for row in found.seeds if row.metric == "given:hit"]
    assert seeds.always_right is None
    assert any(
        "given:hit leaves [0, 1]: its scale is taken to run from 0 to 10" in note for note in found.notes
    )


def test_items_hold_given_scores_and_runs_are_compared_by_them():
    rows = [scored(f"q{i}", float(i % 3 * 4), "alpha") for i in range(30)]
    rows += [scored(f"q{i}", float(i % 5), "beta") for i in range(30)]
    import pyarrow as pa

    items = pa.concat_tables(item_tables(all_arms(rows)))
    (found,) = [
        row
        for row in compare_items(items, [("alpha", "beta")], cluster="group", sampling=QUICK)
        if row.metric == "given:hit"
    ]
    (expected,) = [
        row
        for row in score_predictions(rows, QUICK, ScoreOptions(baseline="beta")).comparisons
        if row.metric == "given:hit"
    ]
    assert found == expected


def test_a_given_score_that_no_row_gives_is_refused():
    with pytest.raises(InputError, match="no row gives 'given:hits'; did you mean 'given:hit'"):
        all_arms([scored("a", 1.0)], metrics=("given:hits",))
    assert "given:hit" in all_arms([scored("a", 1.0)], metrics=("given:hit",)).scored


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-50, 150)), min_size=1, max_size=20), st.integers(0, 5))
def test_the_order_of_rows_changes_nothing_and_every_score_lies_on_the_scale(
    values: list[float | None], seed: int
):
    rows = [scored(f"q{i}", value) for i, value in enumerate(values)]
    arms, other = all_arms(rows), all_arms(shuffled(rows, seed))
    assert arms.given.keys() == other.given.keys()
    for metric, (arm,) in arms.given.items():
        (again,) = other.given[metric]
        np.testing.assert_array_equal(arm.scores, again.scores)
        assert arm.lowest <= arm.scores.min() <= arm.scores.max() <= arm.highest
        assert (arm.lowest, arm.highest) == scale_of(arm.scores)
