"""Stage C as it is typed: the smallest student that keeps the drop is the gate, and a file."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_policies import made_policies

from safe_train.checkpoint import read_config
from safe_train.cli import main
from safe_train.gates.gate_files import made_for, read_gate
from safe_train.gates.outcomes import Outcomes, read_outcomes, write_outcomes
from safe_train.gates.states import States
from safe_train.gates.student import read_student
from safe_train.stages.stage_c import StageC

QUICK = [
    "--steps=60",
    "--folds=2",
    "--resamples=200",
    "--vl-bound=0.01",
    "--tracker=none",
    "--quiet",
    "--seed=0",
]
ONE = ["--scan-alpha", "0.05", "--scan-gamma", "0.02"]


@pytest.fixture(scope="module")
def template(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint on which stage B ran."""
    return taught_by(adapter, tmp_path_factory.mktemp("taught"), made_policies(1600))


@pytest.fixture
def taught(template: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(template, tmp_path / "adapter"))


def taught_by(adapter: Path, folder: Path, made: Outcomes) -> Path:
    """A copy of a checkpoint on which stage B ran with these outcomes."""
    checkpoint = Path(shutil.copytree(adapter, folder / "adapter"))
    found = made_for(read_config(checkpoint / "config.json"))
    hashes = {"adapter_sha256": found.adapter_sha256, "base_sha256": found.base_sha256}
    write_outcomes(folder / "made.parquet", replace(made, facts=made.facts | hashes))
    words = ["stage-b", str(checkpoint), "--outcomes", str(folder / "made.parquet")]
    assert main([*words, *QUICK, *ONE]) in (0, 1, 2)
    return checkpoint


def only_hidden(outcomes: Outcomes) -> Outcomes:
    """The same table, whose entropy tells nothing, and whose hidden state tells everything."""
    states = outcomes.states
    noise = np.random.default_rng(3).uniform(0, 1, len(outcomes))
    hidden = states.hidden.copy()
    hidden[:, 0] = np.where(outcomes.scores[:, 0] == 1, -3, 3)
    blind = States(noise, np.exp(-noise), np.exp(-noise) / 2, hidden, states.largest_entropy)
    return replace(outcomes, states=blind)


def stage_c(checkpoint: Path, *options: str) -> int:
    return main(
        ["stage-c", str(checkpoint), "--folds=2", "--quiet", "--extra=0.01", "--vl-bound=0.01", *options]
    )


def result(checkpoint: Path) -> StageC:
    found: StageC = msgspec.json.decode((checkpoint / "stage_c" / "stage_c.json").read_bytes(), type=StageC)
    return found


def test_the_smallest_student_that_keeps_the_drop_is_the_gate(
    taught: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = stage_c(taught, "--force")
    gate, found = read_gate(taught), result(taught)
    assert gate is not None
    assert code == gate.facts.exit_code
    assert gate.kind == "student"
    assert found.chosen == "entropy"  # in these outcomes it tells what the base knows
    assert gate.facts.features == ("entropy",)
    assert [one.name for one in found.students] == ["entropy", "scalars", "linear", "small mlp"]
    assert found.students[0].agreement > 0.9
    states = read_outcomes(taught / "gate" / "outcomes.parquet").states
    one_file = read_student(taught / "stage_c" / "student.safetensors")
    assert one_file.decide(states).tokens.tolist() == gate.decide(states).tokens.tolist()
    assert "kept: entropy, the smallest that does" in capsys.readouterr().out


def test_a_student_that_sees_too_little_is_passed_over(adapter: Path, tmp_path: Path) -> None:
    checkpoint = taught_by(adapter, tmp_path, only_hidden(made_policies(1600)))
    stage_c(checkpoint, "--force")
    found = result(checkpoint)
    by_name = {one.name: one for one in found.students}
    assert found.chosen in ("linear", "small mlp")
    assert by_name["entropy"].loss_audio is not None
    assert by_name["entropy"].loss_audio > 0.05 or by_name["entropy"].loss_vl
    assert not by_name["entropy"].keeps
    assert not by_name["scalars"].keeps


def test_what_a_student_loses_is_a_sum_written_out(taught: Path) -> None:
    stage_c(taught, "--force")
    for one in result(taught).students:
        assert one.loss_audio is not None
        assert one.high_audio is not None
        assert one.least_audio is not None
        assert one.high_audio >= max(one.loss_audio, one.least_audio - 1e-12)


def test_no_student_is_kept_where_nothing_can_be_shown(
    taught: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (taught / "gate" / "gate.json").read_bytes()
    assert stage_c(taught, "--force", "--extra=0.0001") == 2
    assert (taught / "gate" / "gate.json").read_bytes() == before
    assert result(taught).chosen is None
    assert "these questions can show a loss of" in capsys.readouterr().out


def test_an_oracle_may_teach(taught: Path) -> None:
    stage_c(taught, "--force", "--teacher", "oracle")
    found = result(taught)
    assert found.teacher == "oracle"
    assert found.students[0].loss_audio is not None


def test_stage_c_needs_stage_b_and_force(taught: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage_c(taught) == 3
    assert "this checkpoint has a gate already; add --force" in capsys.readouterr().err
    (taught / "stage_b" / "stage_b.json").write_text("{}")
    assert stage_c(taught, "--force") == 3
    assert "is no result of stage B" in capsys.readouterr().err
    (taught / "stage_b" / "stage_b.json").unlink()
    assert stage_c(taught, "--force") == 3
    assert "stage_b.json: is not there; run `safe-train stage-b` first" in capsys.readouterr().err


def test_other_outcomes_than_those_of_stage_b_are_refused(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = read_outcomes(taught / "gate" / "outcomes.parquet")
    scores = kept.scores.copy()
    scores[0, 1] = 1 - scores[0, 1]
    write_outcomes(tmp_path / "other.parquet", replace(kept, scores=scores))
    assert stage_c(taught, "--force", "--outcomes", str(tmp_path / "other.parquet")) == 3
    assert "are not those that stage B learned from" in capsys.readouterr().err
