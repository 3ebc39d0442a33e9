"""safe-train as it is typed: stage A, then predictions, with shards and a backbone from disk."""

import re
from pathlib import Path

import pytest

from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.predictions import read_predictions
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main


@pytest.fixture(scope="module")
def adapter(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "few_steps.yaml"
    config.write_text("steps: 3\naudio_rows: 4\nlayer: [2, 4]\n")
    options = ["--config", str(config), "--backbone", str(untaught), "--out", str(folder / "adapter")]
    assert main(["stage-a", str(shards), *options, "--audio-rows", "5", "--seed", "4"]) == 0
    return folder / "adapter"


def ask(adapter: Path, shards: Path, backbone: Path, out: Path, *options: str) -> int:
    words = [str(adapter), str(shards), "--backbone", str(backbone), "--out", str(out)]
    return main(["predict", *words, *options])


def test_options_come_from_the_file_and_the_command_line_wins(adapter: Path) -> None:
    config = read_checkpoint(adapter).config
    assert config.pathway.layers == (2, 4)
    assert (config.stage_a.steps, config.stage_a.audio_rows, config.stage_a.seed) == (3, 5, 4)
    assert config.stage_a.vision_rows == 32
    written = (adapter / "options.yaml").read_text()
    assert written.startswith("# safe-train stage-a; Python ")
    assert "audio_rows: 5\n" in written
    assert "layer:\n- 2\n- 4\n" in written  # the option's name, so that --config reads it again


def test_what_ran_can_be_run_again(adapter: Path, tmp_path: Path) -> None:
    assert main(["stage-a", "--config", str(adapter / "options.yaml"), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "adapter.safetensors").read_bytes() == (
        adapter / "adapter.safetensors"
    ).read_bytes()


def test_answers_under_the_conditions_asked_for(
    adapter: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.jsonl"
    assert ask(adapter, shards, untaught, out, "--condition", "full", "--condition", "snr_10db") == 0
    rows = read_predictions(out)
    arms = {(row.model, row.condition) for row in rows}
    assert arms == {("base", "full"), ("safe", "full"), ("safe", "snr_10db")}
    assert {row.split for row in rows} == {"test"}


def test_another_dataset_is_refused_unless_meant(
    adapter: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path / "world", clips=24, seed=5)
    build_dataset(tmp_path / "world", tmp_path / "other")
    out = tmp_path / "predictions.jsonl"
    assert ask(adapter, tmp_path / "other", untaught, out) == 3
    assert "add --allow-other-dataset to answer it anyway" in capsys.readouterr().err
    assert not out.exists()
    allowed = ("--allow-other-dataset", "--condition", "full")
    assert ask(adapter, tmp_path / "other", untaught, out, *allowed) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "5"], r"layers=\[5\]: LlavaForConditionalGeneration has 4 decoder layers"),
        (["--rank", "7"], "rank=7 does not divide among heads=2"),
        (["--encoder", "nosuch"], "encoder 'nosuch' is unknown"),
        (["--backbone", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_exit_3(
    shards: Path,
    untaught: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    words = ["stage-a", str(shards), "--backbone", str(untaught), "--out", str(tmp_path / "adapter")]
    assert main([*words, *options]) == 3
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert re.search(message, error)
    assert not (tmp_path / "adapter").exists()
