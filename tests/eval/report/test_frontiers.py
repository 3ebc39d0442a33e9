"""The frontiers of the page: a chart and a table for each cost, and the curve of a gate."""

import re
from pathlib import Path

import msgspec
import pytest
from made_rows import answers
from made_run import make_run

from safe_eval.prediction import Prediction
from safe_eval.report.frontiers import FrontierPanel, frontier_panels, frontier_table
from safe_eval.report.labels import models_of
from safe_eval.report.report import write_report
from safe_eval.scoring.scores import read_scores

CRITERIA = """criteria:
  - name: heard
    metric: vqa_accuracy
    condition: gated/full
    bound: ">= 0.5"
"""


def answering(model: str, condition: str, right: int, tokens: int) -> list[Prediction]:
    """A model that is right about so many of ten sounds; `gated` says how far its gate opens."""
    own = answers(model, condition, lambda clip, audio: clip % 10 < right or not audio, audio_tokens=tokens)
    gated = (model, condition) == ("gated", "full")
    return [
        msgspec.structs.replace(
            one, consulted=tokens > 0, gate_score=(place * 37 % 100) / 100 if gated else None
        )
        for place, one in enumerate(own)
    ]


ROWS = [
    *answering("none", "full", 3, 0),
    *answering("<four>", "full", 8, 4),
    *answering("waste", "full", 4, 8),
    *answering("gated", "full", 8, 4),
    *answering("gated", "gate_off", 3, 0),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frontiers")
    (folder / "criteria.yaml").write_text(CRITERIA)
    return make_run(folder / "run", ROWS, str(folder / "criteria.yaml"))


@pytest.fixture(scope="module")
def panels(run: Path) -> tuple[FrontierPanel, ...]:
    return frontier_panels(read_scores(run), models_of({"none", "<four>", "waste", "gated"}, None))


def test_a_panel_per_cost_and_the_curve_beside_its_points(panels: tuple[FrontierPanel, ...]) -> None:
    assert [panel.cost for panel in panels] == ["audio_tokens", "consulted"]
    assert [bool(panel.curves) for panel in panels] == [False, True]
    assert panels[1].title == "Accuracy against answers that used the sound"
    assert panels[0].slices == ("vl", "audio", "all")
    assert "hold for all points of a slice at once (95 %)" in panels[0].sentence


def test_the_table_says_who_dominates(panels: tuple[FrontierPanel, ...]) -> None:
    audio = [row for row in frontier_table(panels[0]).rows if row.group == "Audio questions"]
    assert audio[0].label == "none"
    (waste,) = (row for row in audio if row.label == "waste")
    assert waste.cells[2].value in ("no", "open")
    assert re.match("(<four>|gated) dominates it", waste.cells[2].lines[0])
    assert (waste.cells[0].value, waste.cells[1].value) == ("40.0 %", "8")
    gates = [row.label for row in frontier_table(panels[1]).rows if "gate_score from" in row.label]
    assert gates[0] == "gated, gate_score from 0.000"


def test_the_page_has_them_in_a_section_of_their_own(run: Path, tmp_path: Path) -> None:
    html = write_report(run, out=tmp_path / "page.html").read_text()
    start = html.index('<section id="frontiers">')
    section = html[start : html.index("</section>", start)]
    tokens, consulted = re.findall(r"<svg.*?</svg>", section, re.DOTALL)
    for name in ("none", "&lt;four&gt;", "waste", "gated"):
        assert tokens.count(f">{name}</text>") == 3  # one per slice
    assert "audio tokens per answer" in tokens
    assert "<four>" not in section
    assert (consulted.count("mark-area"), tokens.count("mark-area")) == (3, 0)
    assert section.count("<caption") == 2
    assert '<a href="#frontiers">' in html


def test_a_run_without_costs_has_no_panels(run: Path) -> None:
    scores = msgspec.structs.replace(read_scores(run), frontiers=())
    assert frontier_panels(scores, models_of({"none", "gated"}, None)) == ()
