"""The pilot: all seeds are judged together, with the times of questions asked alone."""

from pathlib import Path

import pytest
from tiny_plans import by_name, small_work, train_seeds

from safe_data.core.errors import InputError
from safe_eval.predictions import read_predictions
from safe_train.experiments import pilot
from safe_train.experiments.experiment import Finding, Work
from safe_train.experiments.pilot import EXPERIMENT

SEEDS = (0, 1)
OPTIONS = {"steps": 2, "eval_steps": 0, "answer_tokens": 2}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    root = tmp_path_factory.mktemp("plan")
    earlier = {f"stage-a-{seed}": root / f"stage-a-{seed}" for seed in SEEDS}
    work = small_work(
        EXPERIMENT,
        root / "pilot",
        shards,
        untaught,
        earlier=earlier,
        seeds=SEEDS,
        options=OPTIONS,
        timed_questions=30,
        parameters={"gain": "0.5"},
    )
    train_seeds(work, ("full", "gate_off", "mute_audio"))
    return work


@pytest.fixture(scope="module")
def findings(work: Work) -> dict[str, Finding]:
    return by_name(EXPERIMENT.run(work))


def test_all_seeds_are_judged_by_the_criteria_of_a_pilot(findings: dict[str, Finding]) -> None:
    assert set(findings) >= {
        "seeing_is_kept_gate_off",
        "seeing_is_kept_gate_on",
        "hearing_gains",
        "hearing_gains_beyond_chance",
        "answers_stay_quick",
        "coverage_is_complete",
        "no_divergence_seed_0",
        "no_divergence_seed_1",
    }
    assert findings["hearing_gains"].bound == ">= 0.5"
    assert findings["hearing_gains"].decision == "no-go"
    assert findings["expected_answers"].decision == "go"  # of every question in each arm
    assert findings["answers_stay_quick"].value is not None  # the sample has times
    assert findings["no_divergence_seed_1"].evidence.startswith("2 losses, the highest")


def test_what_the_criteria_judge_is_there_with_times_of_a_sample(
    work: Work, findings: dict[str, Finding]
) -> None:
    assert findings
    rows = read_predictions(work.folder / "predictions.jsonl")
    arms = {(row.model, row.condition, row.seed) for row in rows}
    judged = [("base", "full"), ("safe", "full"), ("safe", "gate_off")]
    assert arms == {(*arm, seed) for arm in judged for seed in SEEDS}
    timed = [row for row in rows if row.latency_ms is not None]
    assert {(row.model, row.condition, row.seed) for row in timed} == {
        (model, "full", seed) for model in ("base", "safe") for seed in SEEDS
    }
    assert 2 * len(SEEDS) <= len(timed) <= 2 * 30 * len(SEEDS)


def test_a_second_run_asks_nothing(
    work: Work, findings: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pilot, "_ask_alone")
    assert by_name(EXPERIMENT.run(work)) == findings


def test_a_parameter_that_the_criteria_lack_is_refused(
    work: Work, findings: dict[str, Finding], tmp_path: Path, shards: Path, untaught: Path
) -> None:
    assert findings
    other = small_work(
        EXPERIMENT,
        work.folder,
        shards,
        untaught,
        earlier=work.earlier,
        seeds=SEEDS,
        options=OPTIONS,
        timed_questions=30,
        parameters={"gian": "0.5"},
    )
    with pytest.raises(InputError, match="gian"):
        EXPERIMENT.run(other)
