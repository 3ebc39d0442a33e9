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


def walk(plan: Curriculum, progress: Progress, accuracies: list[float | None]) -> list[Progress]:
    """The progress before each step and after the last."""
    passed = [progress]
    for accuracy in accuracies:
        passed.append(plan.advance(passed[-1], None if accuracy is None else {"accuracy": accuracy}))
    return passed


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
    for call in (curriculum().batch, curriculum().advance):
        with pytest.raises(
            InputError, match=r"does not belong to this curriculum of 3 stages; begin with Progress\(\)"
        ):
            call(progress)
