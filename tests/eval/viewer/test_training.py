"""Training beside the scores: what the logs hold, and what of them cannot be read."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from html_page import OURS, Page, external

from safe_eval.viewer.training import charts_of, training_of
from safe_eval.viewer.training_log import find_logs, log_folder

STEPS = 300
DRIFT = {"vl_drift": 0.01, "vl_drift_low": -0.02, "vl_drift_high": 0.04}


def write_log(run: Path, *, steps: int = STEPS, name: str = "adapter", **fields: object) -> Path:
    """A run folder with the log of a training run."""
    folder = run / name
    folder.mkdir(parents=True, exist_ok=True)
    losses = [
        {"step": step, "loss": 2.0 / (1 + step), "cross_entropy": 1.0 / (1 + step), "gate": step / steps}
        | {"gradient_norm": 0.5, "gradient_norms": {"layer 1": 0.25, "<b>": 0.125}, "stage": "all"}
        | fields
        for step in range(steps)
    ]
    evaluations = [{"step": at, "audio_accuracy": 0.5, "vl_kl": 3.25e-5, **DRIFT} for at in (100, 200, 300)]
    epochs = [{"epoch": 0, "last_step": 299, "questions": 12345, "unique_questions": 99, "unique_clips": 9}]
    for file, lines in (("losses", losses), ("evaluations", evaluations), ("epochs", epochs)):
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return write_log(tmp_path_factory.mktemp("runs") / "safe-0")


def test_the_log_is_found_in_the_run_and_in_the_folder_above_it(run):
    (run / "scored").mkdir(exist_ok=True)
    assert log_folder(run) == log_folder(run / "scored") == (run / "adapter").resolve()
    assert [log.name for log in find_logs([("a", run), ("b", run / "scored")])] == ["a"]
    assert log_folder(run.parent / "elsewhere" / "run") is None


def test_what_was_logged_is_drawn_with_tables_and_files(run):
    charts = charts_of([("safe-0", run)])
    names = {"loss", "drift", "kl", "accuracy", "gate", "gradients", "gradient-parts", "loss-parts"}
    assert {name.removeprefix("training-") for name in charts} == names
    page = Page(training_of([("safe-0", run)]))
    assert "safe-0: 300 steps, the last is 299; 3 evaluations." in page.said
    assert "+1.0 pp [−2.0 pp, +4.0 pp]" in page.said
    assert "0.0000325" in page.said
    assert "0 12 345 99 9 –" in page.said
    assert "Each point is the mean of 3 steps." in page.said
    for name, chart in charts.items():
        assert chart.tables[0].rows
        assert f'href="charts/{name}.csv"' in page.text
        assert "<a " not in chart.inline
    assert len(list(csv.DictReader(io.StringIO(charts["training-loss"].csv)))) == STEPS
    assert page.tags <= OURS | {"rect", "title"}
    assert [one for one in external(page.text) if not one.startswith("charts/")] == []
    assert "<b>" in page.said


def test_every_number_of_a_table_is_in_the_log(run):
    (table,) = charts_of([("safe-0", run)])["training-gate"].tables
    shown = {row.label: row.cells[0].value for row in table.rows if row.cells[0] is not None}
    assert shown["0"] == "0"
    assert float(shown["299"]) == pytest.approx(299 / STEPS, abs=1e-3)
    assert table.note.endswith(f"{len(table.rows)} of {STEPS} steps, all are in the CSV")


def test_seeds_stand_side_by_side(run, tmp_path):
    other = write_log(tmp_path / "safe-1", steps=200)
    charts = charts_of([("safe-0", run), ("safe-1", other)])
    (table,) = charts["training-loss"].tables
    assert [column.title for column in table.columns] == ["safe-0", "safe-1"]
    assert table.rows[-1].cells[1] is None  # step 299, which the shorter run has not
    assert "training-gradient-parts" not in charts
    words = re.findall(r"<text[^>]*>([^<]+)</text>", charts["training-loss"].inline)
    assert {"safe-0", "safe-1"} <= set(words)


def test_damaged_lines_are_named_and_the_others_are_shown(tmp_path):
    run = write_log(tmp_path / "run", steps=20)
    log = run / "adapter" / "losses.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[3:3] = [
        b"{not json}\n",
        b"[1, 2]\n",
        b'{"step": -1, "loss": 1}\n',
        b"\xff\xfe\n",
        b'{"step": true}\n',
        b"{}\n",
    ]
    log.write_bytes(b"".join(lines) + b'{"step": 20, "lo')
    page = Page(training_of([("run", run)]))
    assert "losses.jsonl:4: cannot be read" in page.said
    assert "losses.jsonl:5: cannot be read (has no 'step' that is a whole number from 0 on)" in page.said
    assert "and 2 more lines that cannot be read" in page.said
    assert "run: 20 steps, the last is 19" in page.said


def test_numbers_that_are_none_are_left_out(tmp_path):
    run = write_log(tmp_path / "run", steps=3, loss="high", gate=None)
    charts = charts_of([("run", run)])
    assert "training-loss" not in charts
    assert "training-gate" not in charts
    assert "training-gradients" in charts


def test_a_run_without_a_log_is_one_line(tmp_path):
    page = Page(training_of([("<evil>", tmp_path)]))
    assert page.said == (
        "Training Not measured: the training of <evil>; neither its folder nor the one above holds "
        "losses.jsonl or adapter/losses.jsonl."
    )
    assert charts_of([("<evil>", tmp_path)]) == {}
