"""A checkpoint with a gate, as it is typed: predict and safe-eval use it, and a run goes on with no other."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from tiny_gates import add_entropy_gate

from safe_data.core.files import file_sha256
from safe_data.shards.dataset import ShardDataset
from safe_eval.cli import main as eval_main
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, select
from safe_eval.runner.asker import Asker
from safe_eval.runner.output import run_file
from safe_train.cli import main


@pytest.fixture(scope="module")
def gated(adapter: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint with an entropy gate that skips about half of the questions."""
    folder = tmp_path_factory.mktemp("gated") / "adapter"
    shutil.copytree(adapter, folder)
    add_entropy_gate(folder, untaught, ShardDataset(shards, "test"))
    return folder


@pytest.fixture
def words(gated: Path, shards: Path, untaught: Path, tmp_path: Path) -> list[str]:
    words = ["predict", str(gated), str(shards), "--backbone", str(untaught), "--batch-size", "20"]
    conditions = ["--condition", "full", "--condition", "gate_off"]
    return [*words, *conditions, "--out", str(tmp_path / "predictions.jsonl")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "predictions.jsonl"


def test_a_killed_run_goes_on_with_its_gate_to_the_same_bytes(
    words: list[str], out: Path, gated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = out.with_name("whole.jsonl")
    assert main([*words, "--out", str(whole)]) == 0
    full = select(read_predictions(whole), model="safe", condition="full")
    assert 0.3 < np.mean([bool(row.consulted) for row in full]) < 0.7
    facts = json.loads(run_file(whole).read_text())["identity"]["gate"]
    assert (facts["kind"], facts["sha256"]) == ("entropy", file_sha256(gated / "gate/gate.json"))
    rows, answered = Asker.rows, 0

    def stop(self: Asker, batch: int) -> list[Prediction]:
        nonlocal answered
        if answered == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        answered += 1
        return rows(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asker, "rows", stop)
        assert main(words) == 2
    assert not out.exists()
    capsys.readouterr()
    assert main([*words, "--gate", "always"]) == 3  # it does not go on with another gate
    said = capsys.readouterr().err
    assert "is of another run, which differs:" in said
    assert "gate.kind: entropy there, always here" in said
    assert main(words) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_safe_eval_runs_it_and_its_twin_that_always_listens(
    words: list[str], out: Path, gated: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    assert main(words) == 0
    run = ["run", "--model", f"safe:{gated}", "--arg", f"backbone={untaught}", "--data", str(shards)]
    asked = ["--batch-size", "20", "--quiet", "--condition", "full", "--condition", "gate_off"]
    assert eval_main([*run, *asked, "--out", str(tmp_path / "saved")]) == 0
    assert (tmp_path / "saved/predictions.jsonl").read_bytes() == out.read_bytes()
    twin = ["--arg", "gate=always", "--arg", "tokens=4", "--arg", "influence=true"]
    named = ["--name", "safe_always_on", "--arg", "without_base=true", "--out", str(tmp_path / "twin")]
    assert eval_main([*run, *asked, *twin, *named]) == 0
    always_on = read_predictions(tmp_path / "twin/predictions.jsonl")
    full = select(always_on, model="safe_always_on", condition="full")
    assert {(row.consulted, row.audio_tokens, row.gate_score) for row in full} == {(True, 4, 1.0)}
    kl = {row.example_id: row.influence_kl for row in full}
    for row in select(read_predictions(out), model="safe", condition="full"):
        if row.consulted:
            assert row.influence_kl == pytest.approx(kl[row.example_id], rel=1e-3)


def test_latency_is_of_the_whole_request_and_has_the_time_of_the_gate(words: list[str], out: Path) -> None:
    assert main([*words, "--latency", "--condition", "mute_audio", "--split", "val", "--quiet"]) == 0
    rows = read_predictions(out)
    assert not [row.error for row in rows if row.error]
    assert {row.metadata["batch"] for row in rows if row.metadata} == {1}
    for row in rows:
        is_decided = row.model == "safe" and row.condition != "gate_off"
        assert (row.gate_ms is not None) is is_decided
        assert row.latency_ms is not None
        assert (row.gate_ms or 0.0) < row.latency_ms < 60_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gate", "entropy"], "gate='entropy': choose from saved, always, never; another kind is fitted"),
        (["--gate", "alway"], "gate='alway': did you mean 'always'?"),
        (["--tokens", "4"], "tokens=4: goes with --gate always, not with saved"),
        (["--gate", "always", "--tokens", "3"], "tokens=3: 3 audio tokens were not trained"),
    ],
)
def test_a_gate_or_a_budget_that_there_is_not(
    words: list[str], out: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *options]) == 3
    assert message in capsys.readouterr().err
    assert not run_file(out).exists()


def test_a_saved_gate_of_tokens_that_were_not_trained(
    words: list[str], gated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(gated, other)
    facts = json.loads((other / "gate/gate.json").read_text())
    (other / "gate/gate.json").write_text(json.dumps({**facts, "tokens": 8, "budgets": [0, 8]}))
    assert main([words[0], str(other), *words[2:]]) == 3
    assert "gate.json: 8 audio tokens were not trained; this pathway was trained with 4" in (
        capsys.readouterr().err
    )
