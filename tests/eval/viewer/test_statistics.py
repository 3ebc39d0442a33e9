"""Statistics of what is filtered: those of scores.json without a filter, those of a new scoring with one."""

from pathlib import Path

import msgspec
import pytest
from made_viewed import made_rows, scored_run

from safe_eval.prediction import Prediction
from safe_eval.scoring.scores import Scores, read_scores
from safe_eval.viewer.filter import read_filter
from safe_eval.viewer.statistics import Statistics, statistics
from safe_eval.viewer.viewed import Viewed, open_runs

MINE = ("dataset", "mine")


def told(found: Statistics) -> dict[str, tuple[object, ...]]:
    return {str(one.arm): (one.items, one.accuracy, one.low, one.high) for one in found.arms if one.items}


def scored(
    viewed: Viewed, scores: Scores, dataset: str, slice_name: str = "all"
) -> dict[str, tuple[object, ...]]:
    rows = {
        (row.model, row.condition): (row.n, row.value, row.ci_low, row.ci_high)
        for row in scores.metrics
        if (row.metric, row.dataset, row.slice) == ("vqa_accuracy", dataset, slice_name)
    }
    return {
        str(arm.arm): rows[arm.model, arm.condition]
        for arm in viewed.arms
        if (arm.model, arm.condition) in rows
    }


@pytest.mark.parametrize("dataset", ["mine", "yours"])
def test_of_a_dataset_they_are_those_of_scores_json(viewed: Viewed, run: Path, dataset: str) -> None:
    scores = read_scores(run)
    found = statistics(viewed, read_filter([("dataset", dataset)], viewed), 0, 1)
    assert told(found) == scored(viewed, scores, dataset)
    row = next(
        row
        for row in scores.comparisons
        if (row.dataset, row.slice, row.metric) == (dataset, "all", "vqa_accuracy")
        and (row.a, row.b) == ("safe/full", "base/full")
    )
    assert found.pair is not None
    assert msgspec.structs.astuple(found.pair)[2:] == (
        *(row.n, row.gained, row.lost, row.difference, row.ci_low, row.ci_high, row.p_value, row.test),
    )
    assert (found.metric, found.confidence) == ("vqa_accuracy", 0.95)


def test_of_a_slice_they_are_those_of_scores_json(viewed: Viewed, run: Path) -> None:
    found = statistics(viewed, read_filter([MINE, ("needs_audio", "yes")], viewed))
    assert told(found) == scored(viewed, read_scores(run), "mine", "audio")


def test_of_a_filter_they_are_those_of_its_predictions_scored_anew(
    viewed: Viewed, rows: list[Prediction], tmp_path: Path
) -> None:
    query = [MINE, ("type", "colour"), ("type", "count"), ("needs_audio", "no"), ("needs_audio", "unknown")]
    kept = [
        row
        for row in rows
        if row.dataset == "mine" and row.question_type in ("colour", "count") and row.needs_audio is not True
    ]
    anew = scored_run(tmp_path / "anew", kept)
    found = statistics(viewed, read_filter(query, viewed), 1, 2)
    assert 5 < found.count == len({row.example_id for row in kept})
    assert told(found) == scored(viewed, read_scores(anew), "mine")
    assert found.pair is not None
    again = open_runs([anew])
    numbers = {(arm.model, arm.condition): arm.arm for arm in again.arms}
    other = statistics(again, read_filter([], again), numbers["safe", "full"], numbers["safe", "mute_audio"])
    assert other.pair is not None
    assert msgspec.structs.astuple(other.pair)[2:] == msgspec.structs.astuple(found.pair)[2:]


def test_nothing_is_told_of_nothing(viewed: Viewed) -> None:
    found = statistics(viewed, read_filter([("group", "nowhere")], viewed), 0, 1)
    assert (found.count, found.groups, found.metric, found.pair) == (0, 0, None, None)
    assert all(one.accuracy is None and one.items == 0 for one in found.arms)


def test_scores_on_a_scale_of_their_own_have_no_mean(tmp_path: Path) -> None:
    rows = [msgspec.structs.replace(row, scores={"judge": 3.0 + (row.seed % 2)}) for row in made_rows(12)]
    seen = open_runs([scored_run(tmp_path / "judged", rows)])
    assert set(seen.metrics) == {"vqa_accuracy", "given:judge"}
    found = statistics(seen, read_filter([("metric", "given:judge")], seen), 0, 1)
    assert found.metric == "given:judge"
    assert found.pair is None
    assert found.said.startswith("The metric has a scale of its own")
    assert {one.accuracy for one in found.arms} == {None}
