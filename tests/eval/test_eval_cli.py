"""safe-eval as it is typed: exit codes, one clear line for bad input, and files in place."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from made_rows import good_run, row

from safe_eval.cli import COMMANDS, main
from safe_eval.predictions import write_predictions

# 20 groups of clips rule out a loss of 12 points and no smaller one.
DEMO = ("--criteria", "demo", "--set", "margin=0.15")

PROGRAM = Path(sys.executable).with_name("safe-eval")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.jsonl", good_run(20))
    return tmp_path


def score(run: Path, *options: str) -> int:
    return main(["score", str(run / "predictions.jsonl"), "--out", str(run), "--resamples", "200", *options])


def test_score_then_verdict(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(run) == 0
    said = capsys.readouterr().out
    assert "vqa_accuracy on made, seed 0" in said
    assert "coverage" in said
    written = f"{run / 'scores.json'}, {run / 'items.parquet'} and {run / 'flips.csv'}"
    assert said.endswith(f"wrote {written}\n")
    assert main(["verdict", str(run), *DEMO]) == 0
    assert "verdict: go (7 of 7 criteria hold)" in capsys.readouterr().out
    assert json.loads((run / "verdict.json").read_text("utf-8"))["decision"] == "go"


def test_the_exit_code_is_the_decision(run: Path) -> None:
    rows = good_run(20)
    write_predictions(run / "predictions.jsonl", [row for row in rows if row.condition != "gate_off"])
    assert score(run) == 0
    assert main(["verdict", str(run), *DEMO]) == 2
    write_predictions(run / "predictions.jsonl", rows[:-1])
    assert score(run, "--force") == 0
    assert main(["verdict", str(run), *DEMO, "--force"]) == 1


def test_several_files_are_scored_together(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = good_run(20)
    write_predictions(run / "a.jsonl", [row for row in rows if row.model == "base"])
    write_predictions(run / "b.jsonl", [row for row in rows if row.model == "safe"])
    assert main(["score", str(run / "a.jsonl"), str(run / "b.jsonl"), "--out", str(run), "--seed", "3"]) == 0
    made = json.loads((run / "scores.json").read_text("utf-8"))["provenance"]
    assert [file["name"] for file in made["predictions"]] == ["a.jsonl", "b.jsonl"]
    assert made["seed"] == 3
    assert main(["verdict", str(run), *DEMO]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no predictions; an empty file has no score"),
        ("nonsense\n", "predictions.jsonl:1 is not a JSON object"),
        ('{"example_id": "q1", "references": ["a"]}\n', "'q1': has no 'answer'"),
        ('{"example_id": "q1", "references": ["a"], "answr": "a"}\n', "did you mean 'answer'?"),
        (
            '{"example_id": "q1", "references": ["a"], "answer": "a", "confidence": 1.3}\n',
            "confidence 1.3 is outside [0, 1]; write probabilities, not logits",
        ),
        ('{"example_id": "q1", "references": ["a"], "answer": "a"}\n' * 2, "'q1': already answered at"),
    ],
)
def test_bad_input_is_one_clear_line_and_3(
    run: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "predictions.jsonl").write_text(text)
    assert score(run) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("safe-eval score: ")
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (run / "scores.json").exists()


def test_a_real_process_keeps_the_promise(run: Path) -> None:
    (run / "predictions.jsonl").write_text('{"example_id": "q1"}\n{\n')
    command = [PROGRAM, "score", run / "predictions.jsonl", "--out", run]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "safe-eval score: predictions.jsonl: 2 rows cannot be read"
    assert len(done.stderr.splitlines()) == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["score", "absent.jsonl", "--out", "x"], "absent.jsonl: no such predictions file"),
        (["verdict", "absent", "--criteria", "demo"], "safe-eval score PREDICTIONS --out absent"),
        (["verdict", "absent", "--criteria", "other.yaml"], "no such criteria file"),
    ],
)
def test_what_is_not_there(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 3
    assert words in capsys.readouterr().err


def test_options_out_of_range(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(run, "--confidence", "95") == 3
    assert "95 % is 0.95" in capsys.readouterr().err
    assert score(run, "--seed", "-1") == 3
    assert main(["score", "--out", "x"]) == 3
    assert main([]) == 3


@pytest.mark.parametrize("name", ["vocabulary", "f1", "ece"])
def test_what_is_always_computed_need_not_be_asked_for(
    name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(run, "--metric", name) == 3
    said = f"--metric {name}: is computed unasked wherever the rows allow it; leave the option out"
    assert said in capsys.readouterr().err


def test_names_cannot_steer_the_terminal(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(run / "predictions.jsonl", [row("q1", model="m\x1b[2J"), row("q2", model="m\x1b[2J")])
    assert score(run) == 0
    assert "m�[2J/full" in capsys.readouterr().out


def test_report_is_written_for_a_judged_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(run) == 0
    assert main(["verdict", str(run), *DEMO]) == 0
    assert main(["report", str(run)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert (run / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*filter(None, [command]), "--help"]) == 0
    assert "usage: safe-eval" in capsys.readouterr().out


def test_help_answers_within_half_a_second() -> None:
    """By processor time, since other work may share the machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PROGRAM, "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_predictions_may_lie_apart_from_their_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_predictions(tmp_path / "elsewhere" / "mine.jsonl", good_run(20))
    monkeypatch.chdir(tmp_path)
    assert main(["score", "elsewhere/mine.jsonl", "--out", "runs/mine"]) == 0
    assert main(["verdict", "runs/mine", *DEMO]) == 0
    assert str(tmp_path) not in (tmp_path / "runs/mine/scores.json").read_text()
    (tmp_path / "elsewhere" / "mine.jsonl").write_text("")
    assert main(["verdict", "runs/mine", *DEMO]) == 3
    assert "was computed from another mine.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_has_seen_enough_changes_neither_files_nor_exit_code(run: Path, unbuffered: str) -> None:
    rows = good_run(20)
    write_predictions(run / "predictions.jsonl", rows[:-1])  # an answer is missing: no-go
    assert score(run) == 0
    reader, writer = os.pipe()
    os.close(reader)
    command = [PROGRAM, "verdict", run, "--criteria", "demo", "--tables", run / "tables"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    assert (run / "verdict.json").is_file()
    assert (run / "tables/criteria.csv").is_file()
