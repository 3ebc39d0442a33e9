"""Stage B as it is typed, on a made table of outcomes of a real checkpoint."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from made_policies import made_policies

from safe_data.core.files import file_sha256
from safe_train.checkpoint import read_config
from safe_train.cli import main
from safe_train.gates.front import Front
from safe_train.gates.gate_files import made_for, read_gate
from safe_train.gates.off_policy import draw_log, write_log
from safe_train.gates.outcomes import Outcomes, read_outcomes, write_outcomes
from safe_train.gates.student import read_student
from safe_train.stages.policy_result import StageB

QUICK = ["--steps=60", "--folds=2", "--resamples=200", "--vl-bound=0.01", "--tracker=none", "--quiet"]
ONE = ["--seed", "0", "--scan-alpha", "0.05", "--scan-gamma", "0.02"]

Typed = Callable[..., int]


@pytest.fixture
def checkpoint(adapter: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own."""
    return Path(shutil.copytree(adapter, tmp_path / "adapter"))


def table(checkpoint: Path, questions: int = 1600, *, vl_harm: float = 0.0) -> Outcomes:
    """Made outcomes that say they are of this checkpoint."""
    found = made_for(read_config(checkpoint / "config.json"))
    made = made_policies(questions, vl_harm=vl_harm)
    hashes = {"adapter_sha256": found.adapter_sha256, "base_sha256": found.base_sha256}
    return replace(made, facts=made.facts | hashes)


@pytest.fixture
def typed(checkpoint: Path, tmp_path: Path) -> Typed:
    """Run stage B on a table that lies in a file, with more options."""

    def typed(*options: str, outcomes: Outcomes | None = None) -> int:
        write_outcomes(tmp_path / "made.parquet", outcomes or table(checkpoint))
        words = ["stage-b", str(checkpoint), "--outcomes", str(tmp_path / "made.parquet")]
        return main([*words, *QUICK, *options])

    return typed


def result(checkpoint: Path) -> StageB:
    found: StageB = msgspec.json.decode((checkpoint / "stage_b" / "stage_b.json").read_bytes(), type=StageB)
    return found


def test_a_policy_is_learned_judged_and_saved_as_the_gate(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = typed("--seed", "0", "1", "--scan-alpha", "0", "0.4", "--scan-gamma", "0.02")
    gate, found = read_gate(checkpoint), result(checkpoint)
    assert gate is not None
    assert code == gate.facts.exit_code
    assert (gate.kind, gate.facts.budgets) == ("policy", (0, 4, 8))
    assert (gate.facts.alpha, gate.facts.gamma, gate.facts.seed) == (0.05, 0.02, 0)
    assert [one.seed for one in found.seeds] == [0, 1]
    first = found.seeds[0].worth
    assert first is not None
    assert first.found == gate.facts.found
    spread = {one.name: one for one in found.over_seeds}
    both = [one.worth.reward.value for one in found.seeds if one.worth is not None]
    assert spread["reward"].mean == pytest.approx(np.mean(both))
    assert spread["reward"].sd == pytest.approx(np.std(both, ddof=1))
    kept = read_outcomes(checkpoint / "gate" / "outcomes.parquet")
    assert kept.budgets == (0, 4, 8)
    one_file = read_student(checkpoint / "stage_b" / "policy.safetensors")
    assert one_file.decide(kept.states).tokens.tolist() == gate.decide(kept.states).tokens.tolist()
    printed = capsys.readouterr().out
    assert "Stage B, full_information: reward = score − 0.05 · cost − 0.02 · irrelevance" in printed
    assert "4 audio tokens: VL loses 0.00, at most 0.75: kept" in printed
    assert "Over seeds 0, 1: mean ± sd" in printed
    assert max(len(line) for line in printed.splitlines() if "wrote" not in line) <= 80
    assert "α 0.4 γ 0.02" in printed


def test_the_front_has_a_point_for_each_weight_and_constant(typed: Typed, checkpoint: Path) -> None:
    typed("--seed", "0", "--scan-alpha", "0", "0.4", "--scan-gamma", "0.02")
    folder = checkpoint / "stage_b"
    front = msgspec.json.decode((folder / "pareto.json").read_bytes(), type=Front)
    names = [point.name for point in front.points]
    assert names == ["never", "always 4", "always 8", "α = 0, γ = 0.02", "α = 0.4, γ = 0.02"]
    free, dear = front.points[-2:]
    assert dear.skips >= free.skips
    for point in front.points:
        assert point.drop_low is not None
        assert point.drop_high is not None
        assert point.drop_low <= point.drop <= point.drop_high
        assert point.skips_low is not None
        assert point.skips_high is not None
        assert point.skips_low <= point.skips <= point.skips_high
    with (folder / "pareto.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert float(rows[-1]["skips"]) == dear.skips
    assert (folder / "pareto.svg").read_text().startswith("<svg ")
    stored = yaml.safe_load((folder / "options.yaml").read_text())
    assert stored["scan_alpha"] == [0, 0.4]


def test_the_same_call_gives_the_same_bytes(typed: Typed, checkpoint: Path) -> None:
    def files() -> dict[str, bytes]:
        found = [*(checkpoint / "stage_b").iterdir(), *(checkpoint / "gate").iterdir()]
        return {path.name: path.read_bytes() for path in found if path.is_file()}

    typed(*ONE, "--force")
    before = files()
    typed(*ONE, "--force")
    assert files() == before
    typed("--seed", "1", *ONE[2:], "--force")
    assert files()["policy.safetensors"] != before["policy.safetensors"]


def test_nothing_is_replaced_without_force(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(*ONE)
    assert typed(*ONE) == 3
    assert "stage_b.json: is there already" in capsys.readouterr().err
    shutil.rmtree(checkpoint / "stage_b")
    assert typed(*ONE) == 3
    assert "this checkpoint has a gate already; add --force" in capsys.readouterr().err


def test_a_harmful_budget_is_none_to_choose(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(*ONE, outcomes=table(checkpoint, vl_harm=0.05))
    gate = read_gate(checkpoint)
    assert gate is not None
    assert gate.facts.budgets == (0, 4)
    assert result(checkpoint).chosen_from == (0, 4)
    assert ": dropped, it harms VL" in capsys.readouterr().out
    kept = read_outcomes(checkpoint / "gate" / "outcomes.parquet")
    assert kept.budgets == (0, 4, 8)  # another fit may use all


def test_no_gate_is_written_where_no_budget_is_safe(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*ONE, outcomes=table(checkpoint, 200)) == 2
    assert not (checkpoint / "gate").exists()
    printed = capsys.readouterr().out
    assert "no budget is in the safe set" in printed
    assert printed.count("4 audio tokens: VL loses") == 1
    assert max(len(line) for line in printed.splitlines() if "wrote" not in line) <= 80
    assert result(checkpoint).chosen_from == (0,)


def test_what_an_earlier_run_wrote_does_not_stay_beside_other_results(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(*ONE)
    before = (checkpoint / "gate" / "gate.json").read_bytes()
    capsys.readouterr()
    assert typed(*ONE, "--force", outcomes=table(checkpoint, 200)) == 2
    assert sorted(path.name for path in (checkpoint / "stage_b").iterdir()) == [
        "options.yaml",
        "stage_b.json",
    ]
    assert (checkpoint / "gate" / "gate.json").read_bytes() == before
    printed = " ".join(capsys.readouterr().out.split())
    assert "no gate is written, and the one that is there stays" in printed


def test_a_log_is_not_ignored(typed: Typed, checkpoint: Path, tmp_path: Path) -> None:
    outcomes = table(checkpoint)
    write_log(tmp_path / "log.parquet", draw_log(len(outcomes), 3, seed=3), outcomes)
    assert typed(*ONE, "--log", str(tmp_path / "log.parquet")) == 3
    assert typed(*ONE, "--log", str(tmp_path / "log.parquet"), "--method", "ips") in (0, 1)
    assert result(checkpoint).log_sha256 == file_sha256(tmp_path / "log.parquet")
    assert main(["stage-c", str(checkpoint), "--force"]) == 3


def test_a_policy_is_learned_from_a_log_alone(
    typed: Typed, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = table(checkpoint)
    log = draw_log(len(outcomes), 3, seed=3)
    write_log(tmp_path / "log.parquet", log, outcomes)
    tried = np.full_like(outcomes.scores, np.nan)
    rows = np.arange(len(outcomes))
    tried[rows, log.columns] = outcomes.scores[rows, log.columns]
    partial = replace(outcomes, scores=tried)
    options = ["--log", str(tmp_path / "log.parquet"), *ONE]
    assert typed(*options, outcomes=partial) == 3
    assert "choose doubly_robust, ips or reinforce" in capsys.readouterr().err
    wide = ["--vl-bound", "0.5", "--method", "doubly_robust", "--force"]  # a log shows little of a loss
    assert typed(*options, *wide, outcomes=partial) == 2
    assert not (checkpoint / "gate").exists()
    first = result(checkpoint).seeds[0]
    assert first.worth is None
    assert [one.method for one in first.off_policy] == ["ips", "self_normalised_ips", "doubly_robust"]
    assert all(one.interval.low is not None for one in first.off_policy)
    assert "Told from the log alone, seed 0" in capsys.readouterr().out
    gate = read_student(checkpoint / "stage_b" / "policy.safetensors")
    assert set(gate.decide(outcomes.states).tokens.tolist()) <= {0, 4, 8}


def test_values_from_a_drawn_log_lie_beside_the_true_one(typed: Typed, checkpoint: Path) -> None:
    typed(*ONE, "--method", "ips")
    first = result(checkpoint).seeds[0]
    assert first.worth is not None
    truth = first.worth.reward.value
    for one in first.off_policy:
        assert one.stderr is not None
        assert abs(one.value - truth) < 4 * one.stderr


def test_budgets_may_be_on_and_off(typed: Typed, checkpoint: Path) -> None:
    typed(*ONE, "--budgets", "0", "4")
    assert result(checkpoint).budgets == (0, 4)
    gate = read_gate(checkpoint)
    assert gate is not None
    assert gate.facts.budgets == (0, 4)


def test_the_curve_of_learning_is_tracked(typed: Typed, checkpoint: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    typed(*ONE, "--tracker", "tensorboard")
    read = EventAccumulator(str(checkpoint / "stage_b" / "run" / "tensorboard" / "safe")).Reload()
    curve = read.Scalars("reward")
    assert [point.step for point in curve] == list(range(1, 61))
    assert curve[-1].value > curve[0].value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budgets", "0", "5"], "5 audio tokens: these outcomes are of the budgets"),
        (["--budgets", "4", "8"], "give 0, which skips the sound, and one more at least"),
        (["--alpha", "-1"], "alpha=-1.0: must be 0 or more, and finite"),
        (["--cost", "money"], "cost"),
        (["--seed", "1", "1"], "give at least one, and each once"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    typed: Typed, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*options) == 3
    assert message in capsys.readouterr().err


def test_outcomes_of_another_checkpoint_are_refused(
    typed: Typed, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*ONE, outcomes=made_policies(200)) == 3
    assert "made.parquet: is not of this checkpoint, whose weights" in capsys.readouterr().err
    assert main(["stage-b", str(checkpoint)]) == 3
    assert "outcomes.parquet: is not there; name a dataset" in capsys.readouterr().err
    kept = checkpoint / "stage_b" / "outcomes.parquet"
    kept.parent.mkdir()
    write_outcomes(kept, table(checkpoint, 200))
    assert main(["stage-b", str(checkpoint)]) == 3
    assert f"or use what stage B asked, with --outcomes {kept}" in capsys.readouterr().err


def test_the_result_says_what_it_is_of(typed: Typed, checkpoint: Path) -> None:
    typed(*ONE)
    written = json.loads((checkpoint / "stage_b" / "stage_b.json").read_text())
    assert written["format_version"] == 1
    assert len(written["outcomes_sha256"]) == 64
    assert written["outcomes"]["split"] == "gate"
    assert set(written["versions"]) == {"safe-hearing", "numpy", "torch"}
