"""When audio hurts, on the page: tables, bars to both sides, and the items to look at."""

import re
from pathlib import Path

import msgspec
from made_rows import answers
from made_run import make_run

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.report.domains import domain_tables, half_gain_tables
from safe_eval.report.hurts import error_tables, hurt_charts, hurt_tables
from safe_eval.report.labels import models_of
from safe_eval.report.media import Media
from safe_eval.report.report import write_report
from safe_eval.report.telling import SHOWN, shown_items, telling_groups, telling_sentence
from safe_eval.results.telling import telling_items
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores

QUICK = Sampling(resamples=200)


def hurt(clip: int, hears: bool, condition: str) -> bool:
    """Of 50 clips, the sound brings 30 answers about sounds, and takes away 20 about colours."""
    if hears:
        return clip < (40 if condition == "full" else 10)
    return clip < (25 if condition == "full" else 45)


def rows(*conditions: str, **fields: object) -> list[Prediction]:
    return [
        one
        for name in conditions or ("full", "mute_audio", "gate_off")
        for one in answers("safe", name, lambda clip, hears, n=name: hurt(clip, hears, n), **fields)
    ]


def scores(made: list[Prediction]) -> Scores:
    return score_predictions(made, QUICK)


def test_the_table_has_a_row_per_slice_and_a_column_per_arm_without_the_sound() -> None:
    (table,) = hurt_tables(scores(rows()))
    assert [column.title for column in table.columns] == ["audio muted", "gate off"]
    cells = {row.label: row.cells[0] for row in table.rows}
    assert list(cells) == ["All questions", "Audio questions", "VL questions", "colour", "sound"]
    assert (cells["colour"].value, cells["colour"].tone) == ("−40.0 pp", "bad")
    assert cells["colour"].lines[0] == "0 gained, 20 lost of 50"
    assert cells["colour"].lines[1].startswith("Holm p")
    assert (cells["sound"].value, cells["sound"].tone) == ("+60.0 pp", "good")


def test_bars_go_to_both_sides() -> None:
    (chart,) = hurt_charts(scores(rows()), 6)
    words = re.findall(r"<text[^>]*>([^<]+)</text>", chart["svg"])
    assert {"All questions", "colour", "sound", "0 pp"} <= set(words)
    assert any(word.startswith("−") for word in words)
    assert "safe with the sound against audio muted" in chart["caption"]
    assert hurt_charts(scores(rows()), 0) == []
    assert hurt_charts(scores(rows("full")), 6) == []


def test_errors_stand_with_their_share_of_what_is_lost() -> None:
    (table,) = error_tables(scores(rows()))
    first, second = table.rows
    assert (first.label, first.group) == ("no → yes", "Against audio muted, 20 lost")
    assert [cell.value for cell in first.cells] == ["20", "100.0 %", "colour"]
    assert second.group == "Against gate off, 20 lost"


def test_items_show_both_answers_and_why() -> None:
    found = list(telling_items(all_arms(rows(confidence=0.8, prompt="which?"))))
    shown = shown_items(found)
    lost, gained = telling_groups(shown, [Media()] * len(shown), models_of({"safe"}, None))
    assert (lost["counted"], gained["counted"]) == ("20", "30")
    card = lost["cards"][0]
    assert [(one["title"], one["text"], one["mark"]) for one in card["answers"]] == [
        ("safe", "no", "✗"),
        ("audio muted", "yes", "✓"),
    ]
    assert card["notes"][0] == (
        "wrong with the sound, right without in 2 of 2 comparisons; although it needs no sound; 80 % sure"
    )


def test_of_several_models_each_shows_its_first_items() -> None:
    two = [*rows(), *(msgspec.structs.replace(one, model="other") for one in rows())]
    found = list(telling_items(all_arms(two)))
    shown = shown_items(found)
    assert (len(found), len(shown)) == (2 * SHOWN, SHOWN)
    assert {model: sum(one.model == model for one in shown) for model in ("safe", "other")} == {
        "safe": 25,
        "other": 25,
    }
    assert telling_sentence(shown, found).startswith("50 of 100 items that the sound turned.")


def test_the_page_has_the_section_with_players(tmp_path: Path, run: Path, shards: Path) -> None:
    text = write_report(run, shards=shards, out=tmp_path / "page.html").read_text("utf-8")
    assert text.count("<h2>When audio hurts</h2>") == 1
    section = text[text.index('<section id="hurts">') : text.index('<section id="comparisons">')]
    assert "Items to look at" in section
    assert "<audio controls" in section
    assert "data:image/png" in section
    assert '<section id="curves">' not in text  # nothing was degraded, and there is one dataset


def test_hostile_text_is_escaped_in_errors_and_items(tmp_path: Path) -> None:
    made = [
        msgspec.structs.replace(one, answer="<script>alert(1)</script>" if one.answer == "no" else "yes")
        for one in rows()
    ]
    criteria = tmp_path / "one.yaml"
    criterion = "name: one, metric: vqa_accuracy, slice: audio, condition: safe/full, bound: '> 0.5'"
    criteria.write_text(f"leaves_out: {{slice: vl}}\ncriteria:\n  - {{{criterion}}}\n")
    text = write_report(make_run(tmp_path / "run", made, str(criteria))).read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_half_gains_and_domains_have_tables() -> None:
    right = {"full": 45, "snr_20db": 40, "snr_0db": 12, "mute_audio": 5}
    made = [
        msgspec.structs.replace(one, dataset=dataset)
        for dataset in ("home", "away")
        for name, count in right.items()
        for one in answers("safe", name, lambda clip, hears, k=count: clip < (k if hears else 48))
    ]
    found = scores(made)
    halves, domains = half_gain_tables(found), domain_tables(found)
    assert [table.rows[0].label for table in halves] == ["Hearing in noise"] * 2
    assert halves[0].rows[0].cells[1].value.endswith(" dB")
    assert [table.caption for table in domains] == [
        "One model on several datasets · seed 0",
        "Audio gain on one dataset − on another · seed 0",
    ]
    heard = [row for row in domains[0].rows if row.group == "safe, Audio questions"]
    assert [(row.label, row.cells[1].value) for row in heard] == [("away", "+80.0 pp"), ("home", "+80.0 pp")]
    assert domains[1].rows[0].less == "home"
