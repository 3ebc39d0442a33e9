"""No command replaces a result silently, each finds a run's predictions, and long work says where it is."""

import csv
import io
import json
from pathlib import Path

import pytest
from made_rows import good_run

from safe_data.core import phases
from safe_eval.cli import main
from safe_eval.predictions import write_predictions
from safe_eval.report import report

QUICK = ("--resamples", "100")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with p.jsonl and other.jsonl, and a run of p.jsonl in runs/mine."""
    monkeypatch.chdir(tmp_path)
    write_predictions("p.jsonl", good_run(20))
    write_predictions("other.jsonl", good_run(10))
    for name in ("mine", "another"):
        criterion = f"name: {name}, metric: vqa_accuracy, slice: audio, condition: safe/full, bound: '> 0.5'"
        Path(f"{name}.yaml").write_text(f"leaves_out: {{slice: vl}}\ncriteria:\n  - {{{criterion}}}\n")
    assert typed("score p.jsonl --out runs/mine") == 0
    capsys.readouterr()
    return tmp_path


def typed(line: str) -> int:
    takes_resamples = line.split()[0] in ("score", "compare", "calibrate", "agreement")
    return main([*line.split(), *(QUICK if takes_resamples else ())])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("score p.jsonl --out runs/mine --seed 3", "scores.json: is there already, and holds something else"),
        ("score other.jsonl --out runs/mine", "holds scores of other predictions (../../p.jsonl)"),
        ("score p.jsonl other.jsonl --out runs/mine", "holds scores of other predictions (../../p.jsonl)"),
    ],
)
def test_other_scores_need_force(
    desk: Path, line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(desk / "runs/mine")
    assert typed(line) == 3
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert words in printed.err
    assert "add --force to replace it" in printed.err
    assert contents(desk / "runs/mine") == before
    assert typed("score p.jsonl --out runs/mine") == 0  # the same again overwrites nothing
    assert contents(desk / "runs/mine") == before


def test_force_replaces_the_scores(desk: Path) -> None:
    before = contents(desk / "runs/mine")
    assert typed("score other.jsonl --out runs/mine --force") == 0
    after = contents(desk / "runs/mine")
    assert before.keys() == after.keys()
    assert before["scores.json"] != after["scores.json"]


def test_a_refused_score_writes_none_of_its_files(desk: Path) -> None:
    (desk / "runs/mine/scores.json").unlink()
    (desk / "runs/mine/items.parquet").write_bytes(b"another's")
    before = contents(desk / "runs/mine")
    assert typed("score p.jsonl --out runs/mine") == 3
    assert contents(desk / "runs/mine") == before
    (desk / "runs/mine/scores.json").write_text("[]")
    assert typed("score p.jsonl --out runs/mine") == 3
    assert typed("score p.jsonl --out runs/mine --force") == 0


def test_another_verdict_needs_force(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("verdict runs/mine --criteria mine.yaml") == 0
    assert typed("verdict runs/mine --criteria mine.yaml") == 0
    before = contents(desk / "runs/mine")
    capsys.readouterr()
    assert typed("verdict runs/mine --criteria another.yaml") == 3
    assert "verdict.json: is there already, and holds something else" in capsys.readouterr().err
    assert contents(desk / "runs/mine") == before
    assert typed("verdict runs/mine --criteria another.yaml --force") == 0


def test_another_report_needs_force(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ["<html>one</html>"]  # in place of the real one, which takes seconds
    monkeypatch.setattr(report, "render_page", lambda *_: page[0])
    assert typed("verdict runs/mine --criteria mine.yaml") == 0
    assert typed("report runs/mine") == 0
    assert typed("report runs/mine") == 0
    page[0] = "<html>two</html>"
    capsys.readouterr()
    assert typed("report runs/mine") == 3
    assert "report.html: is there already, and holds something else" in capsys.readouterr().err
    assert (desk / "runs/mine/report.html").read_text() == "<html>one</html>"
    assert typed("report runs/mine --force") == 0
    assert (desk / "runs/mine/report.html").read_text() == "<html>two</html>"


def test_another_comparison_needs_force(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "compare p.jsonl p.jsonl --model-a safe --model-b base --condition-a full --out compared"
    assert typed(line) == 0
    assert typed(line) == 0
    before = contents(desk / "compared")
    capsys.readouterr()
    assert typed(f"{line} --by question_type") == 3
    assert "comparison.json: is there already" in capsys.readouterr().err
    assert contents(desk / "compared") == before
    assert typed(f"{line} --by question_type --force") == 0


def test_another_calibration_needs_force(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("dev", "test"):
        rows = [
            {"example_id": f"{side}{i}", "references": ["yes"], "answer": answer, "confidence": said}
            for i in range(20)
            for answer, said in [("yes", 0.6 + i / 60) if i % 3 else ("no", 0.9 - i / 60)]
        ]
        Path(f"{side}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    line = "calibrate --dev dev.jsonl --test test.jsonl --out calibrated"
    assert typed(line) == 0
    assert typed(line) == 0
    before = contents(desk / "calibrated")
    capsys.readouterr()
    assert typed(f"{line} --seed 1") == 3
    assert "calibration.json: is there already" in capsys.readouterr().err
    assert contents(desk / "calibrated") == before
    assert typed(f"{line} --seed 1 --force") == 0


def labelled(table: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
    lines = ["item,label", *(f"{row['item']},{'right' if n % 4 else 'wrong'}" for n, row in enumerate(rows))]
    table.write_text("\n".join(lines))


def test_people_label_a_run_wherever_its_predictions_lie(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("annotate runs/mine --sample 12") == 0
    assert "wrote runs/mine/annotations.csv: 12 of 200 answers" in capsys.readouterr().out
    key = json.loads((desk / "runs/mine/annotations.key.json").read_text())
    assert list(key["predictions"]) == ["p.jsonl"]
    labelled(desk / "runs/mine/annotations.csv")
    assert typed("agreement runs/mine") == 0
    assert "12 of 12 items labelled" in capsys.readouterr().out
    assert typed("score other.jsonl --out runs/mine --force") == 0
    capsys.readouterr()
    assert typed("score absent.jsonl --out runs/mine") == 3
    assert "absent.jsonl: no such predictions file" in capsys.readouterr().err
    assert typed("agreement runs/mine") == 3
    assert (
        "annotations.csv: was drawn from other predictions (p.jsonl) than the run has now (other.jsonl)"
        in capsys.readouterr().err
    )
    assert (
        typed("agreement runs/mine/annotations.csv") == 0
    )  # the labels of the predictions they were drawn from


def test_several_files_of_a_run_are_labelled_together(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = good_run(20)
    for model in ("base", "safe"):
        (desk / model).mkdir()
        write_predictions(desk / model / "p.jsonl", [row for row in rows if row.model == model])
    assert typed("score base/p.jsonl safe/p.jsonl --out runs/both") == 0
    assert typed("annotate runs/both --sample 200") == 0
    assert "200 of 200 answers" in capsys.readouterr().out
    key = json.loads((desk / "runs/both/annotations.key.json").read_text())
    assert {item["model"] for item in key["items"]} == {"base", "safe"}
    assert len(key["predictions"]) == 2


def test_power_is_planned_like_a_run(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = "--a safe/full --b base/full"
    assert typed(f"power --difference 0.1 --like runs/mine {arms}") == 0
    like_run = capsys.readouterr().out
    assert "like            safe/full − base/full on all in p.jsonl, 40 items" in like_run
    assert typed(f"power --difference 0.1 --like p.jsonl {arms}") == 0
    assert capsys.readouterr().out == like_run


@pytest.mark.parametrize("line", ["annotate runs/mine", "power --items 9 --like runs/mine"])
def test_predictions_that_changed_or_moved_are_refused(
    desk: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(desk / "p.jsonl", good_run(19))
    assert typed(line) == 3
    assert "p.jsonl: has changed since runs/mine/scores.json was computed" in capsys.readouterr().err
    (desk / "p.jsonl").unlink()
    assert typed(line) == 3
    assert "p.jsonl: no such file, but runs/mine/scores.json was computed" in capsys.readouterr().err
    (desk / "empty").mkdir()
    assert typed(line.replace("runs/mine", "empty")) == 3
    assert "empty: holds neither scores.json nor predictions.jsonl" in capsys.readouterr().err


def test_csv_of_a_score_is_one_table(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("score p.jsonl --out runs/mine --format csv") == 3
    err = capsys.readouterr().err
    assert "--table (metrics, priors, spread, comparisons, aggregates," in err
    assert typed("score p.jsonl --out runs/mine --format csv --table comparisons") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    scores = json.loads((desk / "runs/mine/scores.json").read_text())
    assert [float(row["difference"]) for row in rows] == [c["difference"] for c in scores["comparisons"]]
    assert typed("score p.jsonl --out runs/mine --tables tables") == 0
    with (desk / "tables/comparisons.csv").open() as file:
        assert list(csv.DictReader(file)) == rows
    assert {"metrics.csv", "coverage.csv"} < {path.name for path in (desk / "tables").iterdir()}
    capsys.readouterr()
    assert typed("score other.jsonl --out runs/other --tables tables") == 3
    assert "metrics.csv: is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("validate p.jsonl", "arms"),
        ("verdict runs/mine --criteria mine.yaml", "criteria"),
        ("compare p.jsonl p.jsonl --model-a safe --model-b base --condition-a full", "tests"),
        ("power --difference 0.1", "plan"),
    ],
)
def test_csv_of_the_others_is_one_table(
    desk: Path, line: str, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(f"{line} --format csv --table {table}") == 0
    printed = capsys.readouterr().out
    assert len(list(csv.DictReader(io.StringIO(printed)))) > 0
    assert typed(f"{line} --tables {table}") == 0
    assert (desk / table / f"{table}.csv").read_text() == printed
    capsys.readouterr()
    assert typed(f"{line} --format json") == 0
    json.loads(capsys.readouterr().out)
    assert typed(f"{line} --table {table}s") == 3
    assert "is no table of this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("score p.jsonl --out runs/mine", "scoring: "),
        ("verdict runs/mine --criteria mine.yaml", "judging: "),
        ("compare p.jsonl p.jsonl --model-a safe --model-b base --condition-a full", "comparing: "),
    ],
)
def test_long_work_says_where_it_is_unless_quiet(
    desk: Path,
    line: str,
    phase: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(phases, "LINE_INTERVAL_SECONDS", 0.0)  # all work is long
    monkeypatch.setitem(phases.Phases.__init__.__kwdefaults__, "wakes_seconds", 0.0005)
    assert typed(line) == 0
    assert phase in capsys.readouterr().err
    assert typed(f"{line} --quiet") == 0
    assert capsys.readouterr().err == ""
