"""The sections on gates and on given scores: their tables say what scores.json says."""

import re
from pathlib import Path

import msgspec
import pytest
from made_gated_rows import gated
from made_run import make_run

from safe_eval.options import Sampling
from safe_eval.report.gates import gate_tables
from safe_eval.report.given import given_tables
from safe_eval.report.labels import models_of
from safe_eval.report.report import write_report
from safe_eval.report.table import Cell, Table
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import read_scores

MODELS = models_of({"base", "safe", "safe_always_on"}, "base")
JUDGED = [
    msgspec.structs.replace(r, scores={"<judge>": float(r.answer == "yes" and place % 10 > 0)})
    for place, r in enumerate(gated())
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("gates") / "run", JUDGED, "gates")


def cell(table: Table, group: str, label: str, column: str = "safe") -> Cell:
    place = [one.title for one in table.columns].index(column)
    (row,) = (row for row in table.rows if (row.group, row.label) == (group, label))
    found = row.cells[place]
    assert found is not None
    return found


def test_each_measure_stands_under_its_name(run: Path) -> None:
    (table,) = gate_tables(read_scores(run), MODELS)
    assert table.caption == "When it listens · made · seed 0"
    skipped = cell(table, "Sound skipped", "Audio questions")
    assert (skipped.value, skipped.lines) == ("30.0 %", ("at least 24.9 %",))
    drop = cell(table, "Drop against always on, by vqa_accuracy", "Audio questions")
    assert drop.value == "+1.0 pp"
    assert drop.lines[0].startswith("at most +")
    assert cell(table, "Influenced by the sound", "VL questions").lines[-1] == "by KL above 0.1 nat"
    assert cell(table, "Time", "Latency, median in ms").value == "10.500"
    assert cell(table, "Time", "Skips from which on the gate saves time").value == "40.0 %"
    assert cell(table, "Sound skipped", "VL questions", "safe_always_on").value == "0.0 %"


def test_over_seeds_and_what_is_missing() -> None:
    rows = [r for seed in (0, 1) for r in gated(seed=seed, lost=2 + seed)]
    tables = gate_tables(score_predictions(rows, Sampling(resamples=100)), MODELS)
    assert [table.caption for table in tables] == ["When it listens · made · over seeds 0, 1"]
    alone = [r for r in gated() if r.model != "safe_always_on"]
    (table,) = gate_tables(score_predictions(alone, Sampling(resamples=100)), MODELS)
    found = cell(table, "Drop against always on, by vqa_accuracy", "All questions")
    assert (found.value, "no model is called safe_always_on" in found.lines[0]) == ("not measured", True)


def test_given_scores_stand_beside_those_here(run: Path) -> None:
    scores = read_scores(run)
    (table,) = given_tables(scores, MODELS)
    assert table.caption == "given:<judge> beside vqa_accuracy · made · seed 0"
    (row,) = (r for r in scores.given_scores if (r.model, r.condition) == ("safe", "full"))
    place = [one.title for one in table.columns].index("safe")
    cells = {one.label: one.cells[place] for one in table.rows}
    assert cells["Given, mean"].value == f"{row.value:.3f}"
    assert cells["vqa_accuracy, on the same answers"].value == f"{row.own_value:.3f}"
    assert cells["Scored the same"].value == f"{100 * row.agreement:.1f} %"


def test_the_page_and_the_summary_have_them(run: Path, tmp_path: Path) -> None:
    page = write_report(run, out=tmp_path / "page.html")
    html = page.read_text()
    for name, words in (("gates", "When it listens"), ("given", "Scores of other harnesses")):
        start = html.index(f'<section id="{name}">')
        assert words in html[start : html.index("</section>", start)]
    assert "<judge>" not in html
    assert "&lt;judge&gt;" in html
    assert '<a href="#gates">' in html
    start = html.index('<section id="frontiers">')
    consulted = [
        svg
        for svg in re.findall(r"<svg.*?</svg>", html[start : html.index("</section>", start)], re.DOTALL)
        if "answers that used the sound" in svg
    ]
    for name in ("base", "safe", "safe_always_on"):
        assert consulted[0].count(f">{name}</text>") == 3
    assert consulted[0].count("mark-area") == 3  # the curve of the gate beside them
    summary = page.with_suffix(".md").read_text()
    assert "| Sound skipped: Audio questions | 30.0 % [23.9, 36.7] at least 24.9 % |" in summary
    without = msgspec.structs.replace(read_scores(run), gates=(), given_scores=())
    assert (gate_tables(without, MODELS), given_tables(without, MODELS)) == ([], [])
