"""safe-eval run: the rows of the runner, written so that no kill loses or repeats them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from safe_data.build.build import build_dataset
from safe_data.core.only_writer import only_writer
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.cli import main
from safe_eval.models.callable import load_callable
from safe_eval.predictions import read_predictions, select
from safe_eval.run_options import ModelOptions
from safe_eval.runner.run import run
from safe_eval.scoring.score import score_files

HERE = Path(__file__).parent
CONDITIONS = ("full", "mute_audio", "swap_audio", "noise_audio")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    write_world(folder / "world", clips=40, seed=1)
    build_dataset(folder / "world", folder / "shards", encoders=())
    return folder / "shards"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def words(shards: Path, tmp_path: Path) -> list[str]:
    asked = [word for condition in CONDITIONS for word in ("--condition", condition)]
    out = ["--out", str(tmp_path / "run"), "--batch-size", "8", "--quiet"]
    return ["run", "--model", "python:spoken:colour", "--data", str(shards), *asked, *out]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run" / "predictions.jsonl"


def test_the_rows_are_those_of_the_runner(words: list[str], out: Path, shards: Path) -> None:
    assert main(words) == 0
    rows = read_predictions(out)
    dataset = ShardDataset(shards, "test")
    (model,) = load_callable("spoken:colour", ModelOptions())
    expected = {(row.condition, row.example_id): row for row in run(model, dataset, CONDITIONS, seed=0)}
    assert len(rows) == len(expected) > 40
    for row in rows:
        theirs = expected[row.condition, row.example_id]
        assert (row.answer, row.audio_sha256, row.audio_rms_db) == (
            theirs.answer,
            theirs.audio_sha256,
            theirs.audio_rms_db,
        )
        assert row.latency_ms is None
        sent = row.metadata["sent"]
        assert {"sound", "picture", "gate", "sound_seconds", "picture_sha256", "prompt_sha256"} == set(sent)
    assert {row.answer.split()[-1] for row in select(rows, condition="mute_audio")} == {"quiet"}


def test_what_ran_is_written_beside_the_rows(words: list[str], out: Path, shards: Path) -> None:
    assert main([*words, "--system", "Be brief."]) == 0
    ran = yaml.safe_load((out.parent / "config.yaml").read_text())
    assert (ran["model"], ran["data"], ran["conditions"]) == (
        "python:spoken:colour",
        [str(shards)],
        list(CONDITIONS),
    )
    assert ran["asked"]["system"] == "Be brief."
    assert len(ran["models"]["colour"]["code_sha256"]) == 64
    assert "numpy" in ran["versions"]


def test_a_finished_run_is_left_alone_and_another_is_refused(
    words: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    before = out.stat().st_mtime_ns
    capsys.readouterr()
    assert main(words) == 0
    assert "it was finished before, and nothing was done" in capsys.readouterr().out
    assert main([*words, "--seed", "1"]) == 3
    assert "is of another run, which differs:\n  seeds: [0] there, [1] here" in capsys.readouterr().err
    assert out.stat().st_mtime_ns == before
    assert main([*words, "--seed", "1", "--seed", "2", "--force"]) == 0
    assert {row.seed for row in read_predictions(out)} == {1, 2}


def test_only_errors_are_asked_again(
    words: list[str],
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = tmp_path / "fails"
    fails.touch()
    monkeypatch.setenv("SAFE_TEST_FAILS", str(fails))
    words[2] = "python:spoken:failing"
    assert main(words) == 2
    shown = capsys.readouterr()
    assert "RuntimeError: busy" in shown.err
    assert "--retry-errors" in shown.err
    failed = {row.example_id for row in read_predictions(out) if row.error}
    assert 0 < len(failed) < len({row.example_id for row in read_predictions(out)})
    fails.unlink()
    assert main(words) == 2  # nothing is asked unless it is wanted
    assert main([*words, "--retry-errors"]) == 0
    mended = out.read_bytes()
    assert main([*words, "--force"]) == 0
    assert out.read_bytes() == mended
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "config.yaml",
        "predictions.jsonl",
        "predictions.jsonl.run.json",
    ]


def test_a_model_that_is_gone_stops_the_run_which_then_goes_on(
    words: list[str],
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words[2] = "python:spoken:leaving"
    assert main(words) == 0
    whole = out.read_bytes()
    gone, asked = tmp_path / "gone", tmp_path / "asked"
    gone.write_text("99")
    monkeypatch.setenv("SAFE_TEST_GONE", str(gone))
    assert main([*words, "--force"]) == 3
    said = capsys.readouterr().err
    assert said.splitlines()[-2:] == [
        "safe-eval run: no server answers there any more",
        f"{out.parent}: what was answered is kept; the same command goes on from there",
    ]
    assert out.with_name("predictions.jsonl.part").stat().st_size > 0
    gone.unlink()
    monkeypatch.setenv("SAFE_TEST_ASKED", str(asked))
    assert main(words) == 0
    assert out.read_bytes() == whole
    assert len(asked.read_text().splitlines()) < len(whole.splitlines())


def test_a_part_of_the_examples(words: list[str], out: Path, tmp_path: Path) -> None:
    assert main(words) == 0
    rows = read_predictions(out)
    assert main([*words, "--subset", "audio", "--limit", "5", "--force"]) == 0
    some = read_predictions(out)
    assert {row.needs_audio for row in some} == {True}
    assert len(some) == 5 * len(CONDITIONS)
    whole = {(row.condition, row.example_id): row for row in rows}
    assert all(row == whole[row.condition, row.example_id] for row in some)  # the same swaps and noise
    (tmp_path / "ids").write_text(f"{rows[3].example_id}\n\n{rows[7].example_id}\n")
    assert main([*words, "--subset", str(tmp_path / "ids"), "--force"]) == 0
    assert {row.example_id for row in read_predictions(out)} == {rows[3].example_id, rows[7].example_id}
    assert main([*words, "--subset", "loud", "--force"]) == 3
    assert main([*words, "--subset", "type:none", "--force"]) == 3


def test_a_list_of_ids_must_be_one_and_name_examples_that_are_there(
    words: list[str], out: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, known = tmp_path / "ids.txt", ShardDataset(shards, "test").record(0).examples[0].id
    for content, message in (
        (b"\xff\xfe", "is no list of example ids in UTF-8"),
        (b"\n\n", "holds no example id; write one on each line"),
        (f"n\u00f6\u2028pe\n{known}\n".encode(), "'n\xf6\\u2028pe' is an example of none of world"),
    ):
        file.write_bytes(content)
        assert main([*words, "--subset", str(file)]) == 3
        assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_run_is_not_written_into_a_dataset(
    words: list[str], shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(shards.iterdir())
    assert main([*words, "--out", str(shards)]) == 3
    assert f"{shards}: is a built dataset; name a folder of its own" in capsys.readouterr().err
    assert sorted(shards.iterdir()) == before


def test_a_dry_run_shows_what_would_be_sent_and_asks_nothing(
    words: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words[2] = "openai:http://localhost:1/v1#none"
    assert main([*words, "--dry-run", "--template", "Q: {prompt}"]) == 0
    said = capsys.readouterr().out
    assert "asks      'Q: " in said
    assert "sound     silence, 1.0 s, -120.0 dBFS" in said
    assert "sound     of:clip-" in said
    assert not out.parent.exists()


def test_a_replay_of_a_run_scores_the_same(
    words: list[str], out: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    again = [*words, "--model", f"replay:{out}", "--out", str(tmp_path / "replayed")]
    assert main(again) == 0
    replayed = tmp_path / "replayed" / "predictions.jsonl"
    assert replayed.read_bytes() == out.read_bytes()
    one, two = (score_files([file]) for file in (out, replayed))
    assert one.metrics == two.metrics
    assert main([*again, "--condition", "snr_10db", "--force"]) == 2
    assert "under snr_10db, seed 0" in capsys.readouterr().err


def test_two_workers_write_what_one_writes(words: list[str], out: Path) -> None:
    assert main(words) == 0
    alone = out.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "safe_eval", *words, "--workers", "2", "--force"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert out.read_bytes() == alone


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "magic:x"], "model 'magic:x': is of no known kind; choose from"),
        (["--model", "replay"], "says not which; write replay:WHICH"),
        (["--model", "python:spoken:none"], "has no attribute 'none'"),
        (["--model", "python:nowhere:none"], "No module named 'nowhere'"),
        (
            ["--arg", "batchd=true"],
            "arg batchd: is no setting of python:MODULE:FUNCTION; did you mean 'batched'",
        ),
        (["--arg", "batched=yes"], "arg batched=yes: is neither true nor false"),
        (["--arg", "batched=true", "--arg", "batched=false"], "arg batched: is given twice; give one value"),
        (["--arg", "batched"], "arg 'batched': is not KEY=VALUE"),
        (["--split", "dev"], "no split 'dev'; it has"),
        (["--condition", "loud"], "unknown condition 'loud'"),
        (["--condition", "snr_5"], "unknown condition 'snr_5'; such a condition is written snr_<n>db"),
        (["--seed", str(2**63)], f"seed={2**63}: a seed is below 2**63"),
        (["--seed", "-1"], "seed=-1: a seed is 0 or more"),
        (["--template", "Answer."], "has no {prompt}, so nothing would be asked"),
        (["--batch-size", "0"], "batch_size=0: must be at least 1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    words: list[str], out: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main([*words, *options]) == 3
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(given):\n    return 1 +\n", "SyntaxError: invalid syntax"),
        ("import os\n\n1 / 0\n", ":3: ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_cannot_be_imported_is_the_users(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    message: str,
) -> None:
    (tmp_path / "broken_module.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    words[2] = "python:broken_module:f"
    assert main(words) == 3
    said = capsys.readouterr().err
    assert f"{tmp_path / 'broken_module.py'}:" in said
    assert message in said


# Killed


def start(words: list[str], asked: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "safe_eval", *words],
        cwd=HERE,
        env=os.environ | {"SAFE_TEST_ASKED": str(asked)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def killed(words: list[str], out: Path, asked: Path, kills: int, draw: random.Random) -> int:
    """Kill a run so many times, each after it has written some rows; how often one ended before."""
    part, too_late = out.with_name(f"{out.name}.part"), 0
    for _ in range(kills):
        process = start(words, asked)
        before = part.stat().st_size if part.exists() else 0
        while process.poll() is None and (part.stat().st_size if part.exists() else 0) <= before:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        too_late += process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return too_late


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_it_goes_on_and_ends_with_the_same_bytes(
    words: list[str], out: Path, tmp_path: Path, kills: int
) -> None:
    words[2] = "python:spoken:slow_colour"
    if kills > 2:
        words += [word for seed in range(8) for word in ("--seed", str(seed))]
    whole = tmp_path / "whole"
    asked = tmp_path / "asked"
    process = start([*words, "--out", str(whole)], asked)
    assert process.communicate()
    once = len(asked.read_text().splitlines())
    asked.unlink()
    assert killed(words, out, asked, kills, random.Random(0)) == 0
    part = out.with_name("predictions.jsonl.part")
    kept = part.read_bytes().rpartition(b"\n")[0].splitlines()
    process = start(words, asked)
    _, said = process.communicate()
    assert (process.returncode, said) == (0, b"")
    assert out.read_bytes() == (whole / "predictions.jsonl").read_bytes()
    assert out.read_bytes().splitlines()[: len(kept)] == kept
    asked_again = len(asked.read_text().splitlines()) - once
    assert 0 <= asked_again <= kills * 2 * 8 * len(CONDITIONS)  # what a batch that was cut off had asked
    assert json.loads(out.with_name("predictions.jsonl.run.json").read_text())["finished"]["errors"] == 0


def test_two_runs_into_one_folder_are_refused(
    words: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.parent.mkdir()
    with only_writer(out):
        assert main(words) == 3
    assert "another process is writing it; wait for it, or name another path" in capsys.readouterr().err
    assert main(words) == 0
