"""A forecast: counts that a small run keeps to, hours by planted times, and memory that the audit tells."""

from dataclasses import replace
from pathlib import Path

import pytest
from audit_plans import published_llava, tiny_llava
from tiny_runs import SMALL, lines_of

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.audit.audit import run_audit
from safe_train.cli import main
from safe_train.experiments.experiment import Material
from safe_train.experiments.plan_questions import Questions, questions_of
from safe_train.experiments.training import planned_training
from safe_train.plan.forecast import Forecast, forecast
from safe_train.plan.forecast_text import forecast_lines
from safe_train.plan.material import train_and_answer, training_estimate
from safe_train.plan.plan_file import PLANS, read_plan
from safe_train.plan.steps import steps_of
from safe_train.profiling.machine import Machine
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import (
    Answering,
    AnsweringRung,
    Ladder,
    Largest,
    Latency,
    PassMemory,
    Profile,
    Training,
    TrainingRung,
)
from safe_train.settings.plan import PlanConfig
from safe_train.sweeps.dry_run import config_of
from safe_train.sweeps.grid import read_grid
from safe_train.sweeps.held import audit_config, held_by_trainings
from safe_train.sweeps.point import points_of

OWN = {name: value for name, value in SMALL.items() if name not in ("quiet", "steps")}
LAYERS = [2, 4]  # the tiny model has four


def exactly(ms: float) -> Quantile:
    return Quantile(ms, ms / 2, ms * 2, 9)


def planted() -> Profile:
    """A pass of 4 rows takes 100 ms, a step 20, a batch of 64 answers 640, and an answer alone 50."""
    memory, ladder = PassMemory(1), Ladder(stopped_by="rows", at=None, model=None)
    rung = TrainingRung(rows=4, positions=9, pass_ms=exactly(100.0), memory=memory)
    asked = AnsweringRung(
        rows=64,
        tokens=2,
        with_sound_ms=exactly(640.0),
        without_ms=exactly(320.0),
        with_sound=memory,
        without=memory,
        cache_bytes=None,
        heard_bytes=1,
    )
    times = {"encode_ms": exactly(1.0), "p95_ms": exactly(99.0)}
    none = {"first_ms": None, "token_ms": None, "ratio": None, "first_ratio": None}
    return Profile(
        **dict.fromkeys(("subject", "backbone", "architecture", "dtype", "dataset", "fingerprint"), ""),
        budgets=(4,),
        gate=None,
        repeats=9,
        seed=0,
        machine=Machine(
            device="A GPU",
            processor="",
            cores=1,
            threads=1,
            memory_bytes=1,
            card_bytes=1,
            loads=(),
            system="",
            python="",
            versions={},
        ),
        memory_counted="",
        not_counted="",
        components=(),
        training=Training(
            rungs=(rung,),
            ladder=ladder,
            step_ms=exactly(20.0),
            making_ms=exactly(1.0),
            trained_parameters=1,
            batch_size=8,
            planned_rows=4,
        ),
        answering=Answering(rungs=(asked,), ladder=ladder),
        largest=Largest(
            rows=None, card_bytes=1, card_from="", headroom=0.1, always_bytes=1, checked_bytes=None
        ),
        latency=tuple(
            Latency(name=name, tokens=k, listens=1.0, p50_ms=exactly(ms), **times, **none)
            for name, k, ms in (("gate off", 0, 40.0), ("k = 4", 4, 50.0))
        ),
        latency_limit=1.1,
        sounds=None,
        sounds_missing=None,
        operations=(),
        findings=(),
        notes=(),
        seconds=1800.0,
    )


def plan_on(shards: Path, backbone: Path, **changes: object) -> PlanConfig:
    settings = {"shards": (shards,), "backbone": str(backbone), "seeds": (0,), **changes}
    return PlanConfig(**settings)  # type: ignore[arg-type]


def test_questions_are_counted_as_the_data_has_them(shards: Path, untaught: Path) -> None:
    world = PlanConfig(world="plain", clips=48)
    for split in ("train", "val", "test"):
        dataset = ShardDataset(shards, split)
        asked = [one for place in range(len(dataset)) for one in dataset.record(place).examples]
        exact = Questions(len(asked), sum(bool(one.needs_audio) for one in asked))
        assert questions_of(plan_on(shards, untaught), split) == exact
        assert questions_of(world, split) == exact  # the same world, before it is made
    assert questions_of(plan_on(shards / "none", untaught), "test") is None
    assert questions_of(world, "gate") == Questions(0, 0)


def test_a_run_takes_the_steps_and_answers_that_were_told(
    shards: Path, untaught: Path, tmp_path: Path
) -> None:
    options = {**OWN, "epochs": 1.5, "eval_steps": 0, "answer_tokens": 2}
    plan = plan_on(shards, untaught, options=options, conditions=("full", "gate_off"))
    told = training_estimate(plan, 0)
    train_and_answer(plan, 0, tmp_path, Material(0, (shards,), str(untaught)), quiet=True)
    assert told.steps == len(lines_of(tmp_path / "adapter" / "losses.jsonl"))
    assert told.answers == len(lines_of(tmp_path / "predictions.jsonl"))
    assert not told.unknown


def test_hours_are_those_of_planted_times() -> None:
    changes = {
        "options": {"steps": 3600, "batch_size": 8, "rows_per_forward": 4},
        "experiments": {
            "overfit": {"examples": 64, "steps": 7, "options": {"batch_size": 4}},
            "pilot": {"timed_questions": 36},
        },
        "leave_out": ("sweep",),
    }
    plan = plan_on(Path("nowhere"), Path("nobody"), **changes)
    found = forecast(plan, steps_of(plan, is_dry=True), profile=planted())
    hours = {one.step.name: one.hours for one in found.steps}
    trained, learnt, alone = hours["stage-a-0"], hours["overfit"], hours["pilot"]
    assert trained is not None
    assert trained.value == pytest.approx(3600 * (2 * 0.1 + 0.02) / 3600)  # two passes and a step
    assert trained.low == pytest.approx(3600 * (2 * 0.05 + 0.02) / 3600)
    assert learnt is not None
    assert learnt.value == pytest.approx((7 * (0.1 + 0.02) + 3 * 0.64) / 3600)  # 3 batches of 64 answers
    assert alone is not None
    assert alone.value == pytest.approx(72 * 0.05 / 3600)
    assert hours["data"] is None
    assert hours["profile"] is not None
    assert hours["profile"].value == 0.5  # as long as the profile took
    assert found.hours.value == pytest.approx(sum(one.value for one in hours.values() if one))
    assert found.hours.high is not None
    text = "\n".join(forecast_lines(found))
    assert "13.2 min [7.2, 25.2]" in text
    assert "on A GPU" in text
    assert "the shards are not there" in text
    assert "more than that: stage-a-0, gates, listening, retention, policy" in text


def test_more_rows_than_were_profiled_are_refused() -> None:
    plan = plan_on(Path("nowhere"), Path("nobody"), options={"steps": 1, "rows_per_forward": 5})
    with pytest.raises(InputError, match="profile with more --most-rows"):
        forecast(plan, steps_of(plan, is_dry=True)[1:2], profile=planted())


def test_memory_is_that_of_the_audit(tmp_path: Path) -> None:
    tiny_llava().save_pretrained(tmp_path / "tiny")
    options = {"layer": LAYERS, "steps": 3, "activation_checkpointing": True}
    plan = plan_on(
        Path("nowhere"),
        tmp_path / "tiny",
        options=options,
        experiments={"sweep": {"grids": ["pilot"], "changes": ["layer=[2, 4]", "steps=5"]}},
    )
    found = {one.step.name: one for one in forecast(plan, steps_of(plan, is_dry=True)).steps}
    exact = run_audit(audit_config(planned_training(plan), str(tmp_path / "tiny")))
    (_, held), *others = found["stage-a-0"].held
    assert not others
    assert held[:2] == (exact.trainable, exact.memory[1].total)  # with activation checkpointing
    swept = found["sweep"].held
    assert swept[0][0].name == "pilot k12-r16"
    assert len(swept) == 9
    assert found["sweep"].step.estimate.all_steps == 9 * 3 * 5


def test_a_smaller_pathway_holds_what_it_would_alone(tmp_path: Path) -> None:
    tiny_llava().save_pretrained(tmp_path / "tiny")
    grid = read_grid("pilot")
    points = [replace(one, options=one.options | {"layer": (2, 4)}) for one in points_of(grid)]
    configs = [config_of(one) for one in (points[0], points[-1])]
    small, large = held_by_trainings(configs, str(tmp_path / "tiny"))
    (alone,) = held_by_trainings(configs[:1], str(tmp_path / "tiny"))
    assert alone.memory <= small.memory < large.memory
    assert small.memory == pytest.approx(alone.memory, rel=0.02)


def test_the_command_tells_what_it_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "show", "demo", "--only", "pilot"]) == 0
    shown = capsys.readouterr().out
    assert "2,400 training steps, 105,336 answers, 900 asked alone" in shown
    assert "time: not known; give --profile PROFILE.json\nmemory: not known; give --audit MODEL\n" in shown
    assert main(["plan", "show", "demo", "--profile", str(tmp_path / "none.json")]) == 3
    assert "give the profile.json that `safe-train profile` wrote" in capsys.readouterr().err
    assert main(["plan", "run", "demo", "--out", str(tmp_path / "run"), "--audit", "x"]) == 3
    assert "use them with show or --dry-run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", [file.stem for file in sorted(PLANS.glob("*.yaml"))])
def test_every_plan_dry_runs_beside_13b(name: str, tmp_path: Path) -> None:
    published_llava(large=True).save_pretrained(tmp_path / "llava-13b")
    plan = read_plan(name)
    steps = steps_of(plan, is_dry=True)
    found: Forecast = forecast(plan, steps, audit=str(tmp_path / "llava-13b"))
    held = {one.step.name: one.held for one in found.steps if one.held}
    most = 400e9 if name == "demo" else 60e9  # the demo passes 80 rows at once, which only a toy should
    assert {"stage-a-0", "overfit", "curriculum", "retention", "sweep"} <= held.keys()
    assert name == "demo" or 10e6 <= held["stage-a-0"][0][1].trainable <= 50e6  # experiment 2 asks for it
    points = [point for grid in named_grids(plan) for point in points_of(read_grid(grid))]
    assert len(held["sweep"]) == len(points)
    for one in (pair for many in held.values() for pair in many):
        assert 26e9 < one[1].memory < most
    assert all(len(line) <= 80 for line in forecast_lines(found))


def named_grids(plan: PlanConfig) -> list[str]:
    return list(plan.experiments["sweep"]["grids"])
