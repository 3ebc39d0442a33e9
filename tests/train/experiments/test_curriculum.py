"""The rehearsal of a curriculum: it runs, stops and resumes for real, and its rules tell a faulty log."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_plans import by_name, small_work
from tiny_runs import differing

from safe_data.sampling.curriculum_file import Stage, read_stages
from safe_train.experiments import curriculum
from safe_train.experiments.curriculum import EXPERIMENT
from safe_train.experiments.curriculum_verdict import (
    Line,
    ended,
    extension,
    logged,
    progression,
    ratios,
    read_evaluations_by_step,
    read_lines,
    resumed_alike,
)
from safe_train.experiments.experiment import Finding, Work, decision_of


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    folder = tmp_path_factory.mktemp("rehearsal") / "curriculum"
    return small_work(EXPERIMENT, folder, shards, untaught, eval_steps=1, validation_questions=6)


@pytest.fixture(scope="module")
def findings(work: Work) -> dict[str, Finding]:
    return by_name(EXPERIMENT.run(work))


@pytest.fixture
def lines(work: Work, findings: dict[str, Finding]) -> list[Line]:
    assert findings
    return read_lines(work.folder / "whole/losses.jsonl")


def test_a_rehearsal_goes_through_its_stages_and_is_the_same_after_a_stop(
    work: Work, findings: dict[str, Finding]
) -> None:
    assert {name: one.decision for name, one in findings.items()} == dict.fromkeys(
        [
            "no_crash",
            "stage_ends_by_its_metric",
            "stage_is_extended",
            "identical_after_resume",
            "logging_is_complete",
            "ratios_are_drawn",
        ],
        "go",
    )
    assert decision_of(list(findings.values())) == "go"
    assert "'half sounds' was planned for 2 steps and lasted 3; by its rule 3" in (
        findings["stage_is_extended"].evidence
    )
    assert "stopped after step 2, where stage 2 began" in findings["identical_after_resume"].evidence
    assert differing(work.folder / "whole", work.folder / "stopped") == []
    assert all((work.folder / one.file).is_file() for one in findings.values())


def test_a_second_run_trains_nothing_and_says_the_same(
    work: Work, findings: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.stat().st_mtime_ns for file in work.folder.rglob("losses.jsonl")}
    assert by_name(EXPERIMENT.run(work)) == findings
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_what_a_user_stops_is_not_taken_for_the_planned_stop(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(curriculum, "stage_a", stopped)
    with pytest.raises(KeyboardInterrupt):
        curriculum._stop_and_resume(replace(work, folder=tmp_path))
    assert not (tmp_path / "stopped.json").exists()


def test_a_run_that_differs_after_a_resume_is_told(work: Work, findings: dict[str, Finding]) -> None:
    assert findings
    log = work.folder / "stopped/evaluations.jsonl"
    kept = log.read_bytes()
    try:
        log.write_bytes(kept + b"{}\n")
        found = resumed_alike(work.folder, curriculum.Progress(2, 1, 2))
    finally:
        log.write_bytes(kept)
    assert (found.decision, found.evidence.endswith("differ: evaluations.jsonl")) == ("no-go", True)
    assert resumed_alike(work.folder, None).decision == "not measured"


@pytest.fixture
def stages(work: Work) -> tuple[Stage, ...]:
    return read_stages(work.folder / "curriculum.yaml")


def test_a_stage_that_lasts_longer_than_its_rule_says_is_told(
    work: Work, lines: list[Line], stages: tuple[Stage, ...]
) -> None:
    evaluations = read_evaluations_by_step(work.folder / "whole/evaluations.jsonl")
    late = [msgspec.structs.replace(line, stage=stages[0].name) if line.step == 2 else line for line in lines]
    assert progression(stages[0], late, evaluations).decision == "no-go"
    early = [line for line in lines if line.step != 4]
    assert extension(stages[1], early, evaluations).decision == "no-go"
    drifted = {step: metrics | {"vl_silent_drift": 1.0} for step, metrics in evaluations.items()}
    assert progression(stages[0], lines, drifted).decision == "not measured"  # nothing ended by its metric
    heard = {step: metrics | {"audio_accuracy": 1.0} for step, metrics in evaluations.items()}
    assert extension(stages[1], lines, heard).decision == "not measured"  # nothing was to be extended
    assert progression(stages[0], [], evaluations).decision == "not measured"


def test_a_stage_ends_after_its_last_step_where_its_metric_never_holds(stages: tuple[Stage, ...]) -> None:
    assert ended(stages[1], 2, {}) == (5, False)
    assert ended(stages[1], 2, {3: {"audio_accuracy": 1.0}}) == (4, True)  # not before its planned end
    assert ended(stages[1], 2, {5: {"audio_accuracy": 1.0}}) == (5, True)


def test_a_log_that_lacks_a_step_or_a_field_is_told(lines: list[Line]) -> None:
    assert logged(lines, 8).decision == "go"
    assert logged(lines[:3] + lines[4:], 8).decision == "no-go"
    assert logged([*lines[:-1], msgspec.structs.replace(lines[-1], counts=None)], 8).decision == "no-go"
    assert logged([*lines[:-1], msgspec.structs.replace(lines[-1], stage_step=9)], 8).decision == "no-go"


def test_ratios_that_are_off_are_told(stages: tuple[Stage, ...]) -> None:
    off = [Line(step=0, stage=stages[0].name, counts={"audio": 63, "vl": 27, "muted": 10})]
    found = ratios(stages, off)
    assert (found.decision, round(found.value or 0, 6)) == ("no-go", 0.03)
    assert found.evidence == "at most 0.0300 off: audio in 'mostly sounds'"
    assert ratios(stages, []).decision == "not measured"
