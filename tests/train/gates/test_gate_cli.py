"""safe-train gate as it is typed: fit asks and writes, show prints it again, and mistakes are one line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from safe_train.cli import main
from safe_train.gates.gate_files import read_gate
from safe_train.gates.outcomes import read_outcomes, write_outcomes


@pytest.fixture(scope="module")
def fitted(adapter: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with an entropy gate, fitted on the train split of the small world."""
    folder = tmp_path_factory.mktemp("gates") / "adapter"
    shutil.copytree(adapter, folder)
    words = ["gate", "fit", str(folder), "--data", str(shards), "--backbone", str(untaught)]
    assert main([*words, "--split", "train", "--kind", "entropy", "--quiet"]) == 2
    return folder


def again(checkpoint: Path, shards: Path, *options: str) -> int:
    words = ["gate", "fit", str(checkpoint), "--data", str(shards), "--split", "train", "--quiet"]
    return main([*words, *options])


def test_it_writes_a_gate_that_is_read_and_says_what_it_could_not_show(
    fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate, outcomes = read_gate(fitted), read_outcomes(fitted / "gate/outcomes.parquet")
    assert gate is not None
    assert (gate.kind, gate.facts.tokens, gate.facts.budgets) == ("entropy", 4, (0, 4))
    assert gate.facts.fitted_on.questions == len(outcomes) > 50
    assert gate.decide(outcomes.states).listens.all()
    assert main(["gate", "show", str(fitted)]) == 2
    printed = capsys.readouterr().out
    assert "Not judged: these questions cannot show" in printed
    assert "the split train taught the checkpoint: on other questions" in " ".join(printed.split())
    assert f"{gate.facts.fitted_on.questions:,} questions, of them" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_outcomes_are_used_again_without_the_backbone(
    fitted: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(fitted, folder)
    before = (folder / "gate/outcomes.parquet").read_bytes()
    options = ("--kind", "confidence", "--compare", "entropy", "--compare", "never", "--force")
    # Limits so wide that a few clips can show them.
    assert again(folder, shards, *options, "--bound", "0.9", "--vl-bound", "0.9") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("The outcomes beside the gate are of the same questions, and were used again.")
    assert "Holds: the bounds of both drops are within their limits." in printed
    table = printed.partition("Beside each other")[2].splitlines()[2:5]
    assert [line.split()[0] for line in table] == ["confidence", "entropy", "never"]
    assert printed.splitlines()[-1].startswith(f"wrote {folder / 'gate/gate.json'} and ")
    assert (folder / "gate/outcomes.parquet").read_bytes() == before
    gate = read_gate(folder)
    assert gate is not None
    assert gate.kind == "confidence"


def test_outcomes_of_another_split_are_not_used_again(
    fitted: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(fitted, folder)
    assert again(folder, shards, "--split", "test", "--kind", "entropy", "--force") == 3
    assert capsys.readouterr().err == (
        f"safe-train gate: {folder}: these questions were not asked yet at its budgets; give its base with "
        "--backbone\n"
    )
    assert read_gate(folder) is not None


def test_outcomes_that_lack_a_score_or_are_damaged_are_not_used_again(
    fitted: Path, shards: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(fitted, folder)
    kept = folder / "gate/outcomes.parquet"
    found = read_outcomes(kept)
    found.scores[0, 1] = np.nan
    write_outcomes(kept, found)
    assert again(folder, shards, "--kind", "entropy", "--force") == 3
    assert "these questions were not asked yet at its budgets" in capsys.readouterr().err
    kept.write_bytes(b"cut off")
    assert again(folder, shards, "--kind", "entropy", "--force") == 3
    assert "is no table of outcomes" in capsys.readouterr().err
    assert again(folder, shards, "--kind", "entropy", "--force", "--backbone", str(untaught)) == 2
    assert read_outcomes(kept).is_whole


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "this checkpoint has a gate already; add --force to replace it"),
        (("--force", "--tokens", "5"), "5 audio tokens: these outcomes are of the budgets [0, 4]"),
        (("--force", "--kind", "entrophy"), "kind"),
        (("--force", "--compare", "entrophy"), "compare='entrophy': is no choice; did you mean 'entropy'"),
        (("--force", "--bound", "0"), "bound=0.0: must be above 0"),
        (("--force", "--compare", "margin", "--confidence", "95"), "confidence=95.0: must be above 0.5"),
        (("--force", "--split", "gate"), "gate"),
    ],
)
def test_mistakes_are_one_line_and_leave_the_gate_alone(
    fitted: Path, shards: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (fitted / "gate/gate.json").read_bytes()
    assert again(fitted, shards, "--kind", "entropy", *options) == 3
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (fitted / "gate/gate.json").read_bytes() == before


def test_fit_needs_data_and_show_needs_a_gate(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "fit", str(adapter)]) == 3
    assert "name its folder with --data" in capsys.readouterr().err
    assert main(["gate", "show", str(adapter)]) == 3
    assert f"{adapter}: has no gate; make one with `safe-train gate fit`" in capsys.readouterr().err
    assert main(["gate", "show", f"{adapter}-typo"]) == 3
    assert "config.json: is not there; give the folder of a checkpoint" in capsys.readouterr().err


def test_a_gate_of_another_checkpoint_is_refused(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(fitted, folder)
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    assert main(["gate", "show", str(folder)]) == 3
    assert "this checkpoint's is 000000000000…; fit it again" in capsys.readouterr().err
