"""The section on hearing: its tables say what scores.json says, and its charts are drawn from it."""

import re
from dataclasses import astuple

import pytest
from made_contradictions import HEARD, SHOWN, contradicted
from made_rows import answers

from safe_eval.options import Sampling
from safe_eval.report.hearing import hearing_tables
from safe_eval.report.hearing_chart import hearing_charts
from safe_eval.report.labels import models_of
from safe_eval.report.table import Table
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

SAFE = models_of({"safe", "base"}, "base")


@pytest.fixture(scope="module")
def scores() -> Scores:
    """In silence 30 of 50 sounds go, and beside another's sound 5 pictures; 36 of 40 follow the sound."""
    choices = {"choices": ("yes", "no", "maybe", "never")}
    rows = [
        *answers("base", "full", lambda clip, hears: not hears, **choices),
        *answers("safe", "full", lambda clip, hears: True, consulted=True, **choices),
        *answers("safe", "mute_audio", lambda clip, hears: not hears or clip >= 30, **choices),
        *answers("safe", "swap_audio", lambda clip, hears: not hears and clip >= 5, **choices),
        *contradicted(lambda clip: SHOWN if clip % 10 == 0 else HEARD),
        *contradicted(lambda clip: SHOWN, condition="gate_off"),
    ]
    return score_predictions(rows, Sampling(resamples=100))


@pytest.fixture(scope="module")
def tables(scores: Scores) -> dict[str, Table]:
    return {table.caption: table for table in hearing_tables(scores, SAFE)}


def cells(table: Table, label: str, less: str = "") -> list[str | None]:
    (row,) = (row for row in table.rows if (row.label, row.less) == (label, less))
    return [None if cell is None else cell.value for cell in row.cells]


def test_there_is_a_table_of_each_kind(tables: dict[str, Table]) -> None:
    assert [caption.partition(" · ")[0] for caption in tables] == [
        "Accuracy lost",
        "Need of the sound, declared and shown",
        "Pictures beside sounds that do not matter",
        "Whom answers follow where the sound contradicts",
    ]


def test_the_drop_stands_by_slice_and_type(tables: dict[str, Table]) -> None:
    table = tables["Accuracy lost · accuracy · made · seed 0"]
    assert [column.title for column in table.columns] == ["audio muted", "audio swapped"]
    assert cells(table, "Audio questions") == cells(table, "sound") == ["+60.0 pp", "+100.0 pp"]
    assert cells(table, "VL questions") == ["0.0 pp", "+10.0 pp"]
    (heard,) = (row for row in table.rows if row.label == "sound")
    assert heard.cells[1].lines[0] == "+90.0 pp beyond VL"


def test_need_is_counted(tables: dict[str, Table]) -> None:
    table = tables["Need of the sound, declared and shown · accuracy · made · seed 0"]
    assert cells(table, "Declared and shown") == ["30", "50"]
    assert cells(table, "Only declared") == ["20", "0"]
    assert cells(table, "Only shown") == ["0", "5"]
    assert cells(table, "Cohen’s kappa") == ["0.600", "0.900"]


def test_limits_stand_beside_what_is_kept_and_consulted(tables: dict[str, Table]) -> None:
    table = tables["Pictures beside sounds that do not matter · accuracy · made · seed 0"]
    columns = [column.title for column in table.columns]
    swapped = columns.index("audio swapped")
    assert cells(table, "Accuracy", "base/full")[swapped] == "−10.0 pp"
    (kept,) = (row for row in table.rows if row.less == "base/full")
    assert re.fullmatch(r"at least −\d+\.\d pp", kept.cells[swapped].lines[0])
    consulted = next(row for row in table.rows if row.label == "Sound consulted")
    assert consulted.cells[columns.index("safe")].value == "100.0 %"
    assert consulted.cells[swapped].value == "not measured"
    assert "'consulted'" in consulted.cells[swapped].lines[0]


def test_followers_stand_with_what_hearing_adds(tables: dict[str, Table]) -> None:
    table = tables["Whom answers follow where the sound contradicts · vqa_accuracy · made · seed 0"]
    assert cells(table, "All questions") == ["10.0 %", "90.0 %", "0.0 %", "0.0 %"]
    (row,) = (row for row in table.rows if row.label == "All questions")
    assert [cell.lines[0] for cell in row.cells[:2]] == ["−90.0 pp by hearing", "+90.0 pp by hearing"]


def test_a_page_without_hearing_has_no_tables() -> None:
    alone = score_predictions(
        answers("base", "full", lambda clip, hears: True, metadata={"sent": {"sound": None}}),
        Sampling(resamples=100),
    )
    assert hearing_tables(alone, SAFE) == hearing_charts(alone, SAFE, 6) == []


def test_the_charts_show_the_drops_and_the_followers(scores: Scores) -> None:
    drawn = hearing_charts(scores, SAFE, 6)
    assert [chart["title"] for chart in drawn] == ["Accuracy lost by condition", "Whom answers follow"]
    said = [re.findall(r"<text[^>]*>([^<]+)</text>", chart["svg"]) for chart in drawn]
    assert {"+60.0 pp", "+100.0 pp", "+10.0 pp", "audio muted", "VL questions"} <= set(said[0])
    assert "The picture 10.0 % · The sound 90.0 % · Neither 0.0 % · Abstains 0.0 %" in said[1]
    assert hearing_charts(scores, SAFE, 0) == []


def test_every_cell_is_text(tables: dict[str, Table]) -> None:
    for table in tables.values():
        for row in table.rows:
            assert len(row.cells) == len(table.columns)
            assert all(isinstance(text, str | tuple) for cell in row.cells if cell for text in astuple(cell))
