"""Stages follow each other by their rules, draw only their rows, and resume where they stopped."""

import json
from dataclasses import asdict
from math import nan
from pathlib import Path

import numpy as np
import pytest
from folders import row, write_media, write_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.sampling.curriculum import Curriculum, Progress
from safe_data.sampling.curriculum_file import Stage, Until
from safe_data.shards.dataset import ShardDataset

EASY = Stage(
    name="easy",
    weights={"audio": 0.25, "vl": 0.75},
    difficulty={"audio": ("easy",)},
    until=Until(metric="accuracy", at_least=0.8, patience=2, steps=50),
)
MORE = Stage(
    name="more", weights={"audio": 1}, difficulty={"audio": ("easy", "unrated")}, until=Until(steps=3)
)
ALL = Stage(name="all", weights={"audio": 0.5, "vl": 0.5})

AUDIO = ["easy", None, "hard", "medium"] * 10
VL = [None] * 30


def curriculum(*stages: Stage, seed: int = 0) -> Curriculum:
    return Curriculum(stages or (EASY, MORE, ALL), {"audio": AUDIO, "vl": VL}, batch_size=8, seed=seed)


def walk(
    plan: Curriculum, progress: Progress, values: list[float | None], metric: str = "accuracy"
) -> list[Progress]:
    """The progress before each step and after the last."""
    passed = [progress]
    for value in values:
        passed.append(plan.advance(passed[-1], None if value is None else {metric: value}))
    return passed


def test_a_stage_counts_what_it_has_drawn() -> None:
    plan = curriculum()
    passed = walk(plan, Progress(), [None, 0.9, 0.9, *[None] * 8])
    counted: dict[int, dict[str, int]] = {}
    for progress in passed:
        so_far = counted.setdefault(progress.stage, {"audio": 0, "vl": 0})
        assert plan.drawn_before(progress) == so_far
        draw = plan.batch(progress)
        counted[progress.stage] = {name: so_far[name] + draw.counts[name] for name in so_far}
    assert len(counted) == 3


def test_a_metric_ends_a_stage_once_it_held_in_a_row() -> None:
    accuracies = [None, 0.9, None, 0.7, 0.8, None, 0.81, None, None, None, 0.1]
    passed = walk(curriculum(), Progress(), accuracies)
    assert [progress.stage for progress in passed] == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert [progress.held for progress in passed[:8]] == [0, 0, 1, 1, 0, 1, 1, 0]
    assert [passed[7].stage_start, passed[-1].stage_start] == [7, 10]
    assert [progress.step for progress in passed] == list(range(12))


def test_steps_end_a_stage_whose_metric_never_holds() -> None:
    passed = walk(curriculum(), Progress(), [0.1] * 60)
    assert [progress.stage for progress in passed] == [0] * 50 + [1] * 3 + [2] * 8


CALM = Stage(
    name="calm",
    weights={"vl": 1},
    until=Until(metric="drift", at_most=0.1, patience=2, steps=4, extend_steps=3),
)


def calm_for(drifts: list[float | None]) -> tuple[int, list[bool]]:
    """After how many steps the stage ended, and at which of them it was in its extension."""
    plan = curriculum(CALM, ALL)
    passed = walk(plan, Progress(), drifts, "drift")
    inside = [progress for progress in passed if progress.stage == 0]
    assert [progress.step for progress in passed] == list(range(len(drifts) + 1))
    assert not any(plan.is_extended(progress) for progress in passed if progress.stage == 1)
    return len(inside), [plan.is_extended(progress) for progress in inside]


@pytest.mark.parametrize(
    ("drifts", "steps"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0, 0, 0], 4),  # held long before, and still does
        ([None, 0.1, None, 0.05, None, None, None], 4),
        ([0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1], 6),  # held before, but not in the end
        ([0.2, 0.2, 0.2, 0.1, 0.1, 0.2, 0.2], 5),
        ([0.2, 0.2, 0.2, None, 0.1, None, 0.1], 7),
        ([0.2] * 7, 7),  # ran out
        ([None] * 7, 7),
    ],
)
def test_a_stage_is_extended_until_its_metric_holds_or_it_runs_out(
    drifts: list[float | None], steps: int
) -> None:
    assert calm_for(drifts) == (steps, [False] * 4 + [True] * (steps - 4))


def test_a_metric_that_should_be_low_ends_a_stage_early_without_an_extension() -> None:
    low = Stage(name="low", weights={"vl": 1}, until=Until(metric="drift", at_most=0.1, steps=9))
    plan = curriculum(low, ALL)
    passed = walk(plan, Progress(), [0.3, None, 0.11, 0.1, 0.3], "drift")
    assert [progress.stage for progress in passed] == [0, 0, 0, 0, 1, 1]
    assert not any(plan.is_extended(progress) for progress in passed)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0])), min_size=40, max_size=40),
    patience=st.integers(1, 4),
    steps=st.integers(1, 12),
    extend_steps=st.integers(1, 12),
)
def test_an_extended_stage_ends_when_it_should_and_resumes_at_every_step(
    values: list[float | None], patience: int, steps: int, extend_steps: int
) -> None:
    rule = {"metric": "accuracy", "patience": patience, "steps": steps, "extend_steps": extend_steps}
    plans = []
    for bound in ({"at_least": 0.5}, {"at_most": -0.5}):
        stage = Stage(name="first", weights={"vl": 1}, until=Until.model_validate(rule | bound))
        plans.append(curriculum(stage, ALL))
    passed = walk(plans[0], Progress(), values)
    assert walk(plans[1], Progress(), [None if value is None else -value for value in values]) == passed

    length = sum(progress.stage == 0 for progress in passed)
    assert steps <= length <= steps + extend_steps
    for taken in range(steps, length + 1):
        evaluated = [value >= 0.5 for value in values[:taken] if value is not None]
        holds = len(evaluated) >= patience and all(evaluated[-patience:])
        assert (holds or taken == steps + extend_steps) == (taken == length)
    extended = [plans[0].is_extended(progress) for progress in passed]
    assert extended == [steps <= step < length for step in range(len(passed))]

    for cut, progress in enumerate(passed):
        saved = Progress(**json.loads(json.dumps(asdict(progress))))
        assert walk(plans[0], saved, values[cut:]) == passed[cut:]


def test_a_stage_draws_its_difficulties_in_its_shares() -> None:
    plan = curriculum()
    passed = walk(plan, Progress(), [None] * 60)
    for progress in passed:
        draw = plan.batch(progress)
        levels = {AUDIO[row] for row in draw.rows("audio")}
        assert draw.step == progress.step
        assert draw.stage == ("easy", "more", "all")[progress.stage]
        assert levels <= ({"easy"}, {"easy", None}, set(AUDIO))[progress.stage]
        assert (
            draw.composition()["shares"]
            == (
                {"audio": 0.25, "vl": 0.75},
                {"audio": 1.0, "vl": 0.0},
                {"audio": 0.5, "vl": 0.5},
            )[progress.stage]
        )
        assert len(draw.row) == 8
    first_epoch = np.concatenate([plan.batch(progress).rows("audio") for progress in passed[:5]])
    assert sorted(first_epoch.tolist()) == [row for row, level in enumerate(AUDIO) if level == "easy"]


def test_the_realised_ratio_is_a_line_for_a_log() -> None:
    line = json.loads(json.dumps(curriculum().batch(Progress(step=4)).composition()))
    assert line == {
        "step": 4,
        "stage": "easy",
        "counts": {"audio": 2, "vl": 6},
        "shares": {"audio": 0.25, "vl": 0.75},
        "repeated": {"audio": 0, "vl": 0},
        "epochs": {"audio": 1.0, "vl": 1.0},
    }


accuracy_lists = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=90)


@settings(max_examples=40, deadline=None)
@given(accuracies=accuracy_lists, cut=st.integers(0, 90), ranks=st.integers(1, 8))
def test_a_run_goes_on_where_it_stopped_on_any_number_of_ranks(
    accuracies: list[float | None], cut: int, ranks: int
) -> None:
    whole = walk(curriculum(), Progress(), accuracies)
    cut = min(cut, len(accuracies))
    saved = json.dumps(asdict(whole[cut]))
    plan = curriculum()
    assert walk(plan, Progress(**json.loads(saved)), accuracies[cut:]) == whole[cut:]
    expected = curriculum().batch(whole[-1])
    parts = [plan.batch(whole[-1], rank=rank, ranks=ranks) for rank in range(ranks)]
    for rank, part in enumerate(parts):
        np.testing.assert_array_equal(part.row, expected.row[rank::ranks])
        np.testing.assert_array_equal(part.dataset, expected.dataset[rank::ranks])


def test_stages_and_seeds_are_shuffled_apart() -> None:
    first = Stage(name="first", weights={"vl": 1}, until=Until(steps=1))
    second = Stage(name="second", weights={"vl": 1})
    plan = curriculum(first, second)
    draws = [
        plan.batch(Progress()),
        plan.batch(Progress(1, 1, 1)),
        curriculum(first, second, seed=1).batch(Progress()),
    ]
    assert len({draw.row.tobytes() for draw in draws}) == 3


def test_difficulties_come_from_a_datasets_manifest(tmp_path: Path) -> None:
    rows = [row(number, difficulty=level) for number, level in enumerate(["easy", None, "hard", "easy"])]
    write_media(tmp_path / "world", rows)
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards", encoders=(), shard_size=2)
    dataset = ShardDataset(tmp_path / "shards", "train")
    stage = Stage(name="easy", weights={"audio": 1}, difficulty={"audio": ("easy",)})
    plan = Curriculum([stage], {"audio": dataset.manifest["difficulty"].to_pylist()}, batch_size=2, seed=0)
    drawn = {dataset.record(row).id for step in range(3) for row in plan.batch(Progress(step)).rows("audio")}
    assert drawn == {"clip-000", "clip-003"}


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(name="s", weights={"audoi": 1}), "stage 's': weights name 'audoi'; datasets are audio, vl"),
        (
            Stage(name="s", weights={"audio": 1, "vl": 1}, difficulty={"vl": ("easy", "hard")}),
            "stage 's': 'vl' has 30 unrated, none easy or hard",
        ),
    ],
)
def test_a_stage_that_does_not_fit_the_datasets_is_refused(stage: Stage, message: str) -> None:
    with pytest.raises(InputError) as error:
        curriculum(stage)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"acuracy": 0.9, "loss": 1.0}, "stage 'easy' waits for 'accuracy'; metrics are acuracy, loss"),
        ({"accuracy": nan}, "stage 'easy' waits for 'accuracy', which is not a number"),
    ],
)
def test_a_metric_that_cannot_be_judged_is_refused(metrics: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as error:
        curriculum().advance(Progress(), metrics)
    assert str(error.value) == message


@pytest.mark.parametrize("progress", [Progress(stage=3), Progress(stage=-1), Progress(step=4, stage_start=5)])
def test_progress_of_another_curriculum_is_refused(progress: Progress) -> None:
    for call in (curriculum().batch, curriculum().advance, curriculum().is_extended):
        with pytest.raises(
            InputError, match=r"does not belong to this curriculum of 3 stages; begin with Progress\(\)"
        ):
            call(progress)
