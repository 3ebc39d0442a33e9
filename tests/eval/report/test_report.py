"""The report as readers get it: one file that is true, harmless and complete."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys

import msgspec
import pytest
from browser import browse, needs_chromium
from html_page import OURS, Page, external
from made_run import make_run

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.report import media as report_media
from safe_eval.report.report import write_report
from safe_eval.report.units import unit_of
from safe_eval.scoring.scores import read_scores


@pytest.fixture(scope="module")
def page(run, shards, tmp_path_factory) -> Page:
    return Page(
        write_report(run, shards=shards, out=tmp_path_factory.mktemp("out") / "report.html").read_text()
    )


def test_it_is_one_well_formed_page_of_our_own_tags(page):
    assert page.text.startswith("<!doctype html>")
    assert not page.open
    assert page.tags <= OURS


def test_nothing_comes_from_outside(page):
    assert external(page.text) == []


@pytest.mark.parametrize(
    "part",
    [
        "<script>1</script>",
        '<img src="http://a.test/x.png">',
        '<p onclick="x"></p>',
        '<p style="color:red"></p>',
        "<style>@import 'x.css';</style>",
        '<svg><rect fill="url(http://a.test)"/></svg>',
    ],
)
def test_the_test_for_outside_things_can_fail(part):
    assert external(part)


def test_the_security_policy_knows_only_our_style_sheet(page):
    policy = next(value for _, _, value in page.attributes if value.startswith("default-src"))
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_every_number_of_the_scores_is_on_the_page(page, run):
    scores = read_scores(run)
    for metric in scores.metrics:
        unit = unit_of(metric.metric)
        assert f"{unit.write(metric.value)} {unit.interval(metric.ci_low, metric.ci_high)}" in page.said
    for row in scores.comparisons:
        unit = unit_of(row.metric, difference=True)
        assert f"{unit.write(row.difference)} {unit.interval(row.ci_low, row.ci_high)}" in page.said
        assert f"{row.gained} gained, {row.lost} lost" in page.said


def test_accuracies_stand_above_what_a_reply_without_sound_scores(page, run):
    best = next(
        row for row in read_scores(run).priors if (row.name, row.slice) == ("constant reply", "audio")
    )
    assert best.value is not None
    assert f"“{best.reply}”" in page.said
    assert f"{100 * best.value:.1f} %" in page.said
    assert "not measured: give --prior" in page.said


def test_the_verdict_comes_first_and_names_what_fails(page, run):
    assert json.loads((run / "verdict.json").read_text())["decision"] == "no-go"
    opening = page.said.index("NO-GO")
    assert opening < page.said.index("Accuracy")
    assert "of 7 criteria" in page.said
    assert "seeing is kept" in page.said
    assert "Coverage complete: every expected item was answered." in page.said


def test_items_have_picture_sound_question_and_marks(page, run):
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    sounds = [value for tag, name, value in page.attributes if (tag, name) == ("audio", "src")]
    assert len(pictures) == len(sounds) == page.text.count("<article") > 10
    assert base64.b64decode(sounds[0].partition("base64,")[2])[:4] == b"RIFF"
    assert base64.b64decode(pictures[0].partition("base64,")[2])[1:4] == b"PNG"
    assert {"✓", "✗"} <= set(page.said)
    assert "how many sounds are heard" in page.said


def test_the_same_run_gives_the_same_bytes(run, shards, tmp_path):
    first, second = (write_report(run, shards=shards, out=tmp_path / n / "r.html") for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".md").read_bytes() == second.with_suffix(".md").read_bytes()


def test_text_from_outside_stays_text(tmp_path, answers):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&]]>|@all {{ 7*7 }}"
    rows = [
        msgspec.structs.replace(
            row,
            example_id=row.example_id + evil,
            group=f"{row.group}{evil}",
            prompt=evil,
            references=(evil,),
            answer=None if row.condition == "gate_off" else evil,
            error=evil if row.condition == "gate_off" else None,
            question_type=evil,
            dataset=evil,
            model=row.model if row.model == "base" else evil,
        )
        for row in answers
    ]
    written = write_report(make_run(tmp_path / "run<b>", rows))
    page = Page(written.read_text())
    assert page.tags <= OURS
    assert external(page.text) == []
    assert evil in page.said
    summary = written.with_suffix(".md").read_text()
    assert "&lt;script&gt;" in summary
    assert not re.search(r"<|@|[^\\ ]\||\| *all", summary.replace("| ", "").replace(" |", ""))


def test_a_run_without_what_is_judged_is_not_measured(tmp_path, answers):
    rows = [row for row in answers if row.condition != "mute_audio"]
    page = Page(write_report(make_run(tmp_path, rows)).read_text())
    assert "audio muted" not in page.said
    assert "could not be measured" in page.said


def test_gaps_in_the_coverage_are_red_and_counted(tmp_path, answers):
    rows = [msgspec.structs.replace(row, answer=" ") if i == 3 else row for i, row in enumerate(answers)][1:]
    text = write_report(make_run(tmp_path, rows)).read_text()
    assert '<div class="coverage bad" role="alert">' in text
    assert "Coverage incomplete in 2 of 5 arms." in text
    assert ", 1 missing" in text
    assert ", 1 unparsed" in text
    assert "**Incomplete.**" in (tmp_path / "report.md").read_text()


def test_without_shards_the_items_are_text_and_the_page_says_so(run, tmp_path):
    page = Page(write_report(run, out=tmp_path / "report.html").read_text())
    assert not {"img", "audio"} & page.tags
    assert "No shards were given" in page.said


def test_shards_in_the_run_folder_are_found(run, shards, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    shutil.copytree(shards, tmp_path / "run" / "shards")
    assert "<audio" in write_report(tmp_path / "run").read_text()


def test_other_shards_do_not_lend_their_media(run, tmp_path):
    from safe_data.build.build import build_dataset
    from safe_data.sources.synthetic.world import write_world

    write_world(tmp_path / "world", clips=60, seed=5)
    build_dataset(tmp_path / "world", tmp_path / "shards")
    page = Page(write_report(run, shards=tmp_path / "shards", out=tmp_path / "report.html").read_text())
    assert "in these shards asks something else." in page.said or "do not hold this record" in page.said


def test_media_stay_within_the_budget(run, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(report_media, "MAX_TOTAL_BYTES", 100_000)
    text = write_report(run, shards=shards, out=tmp_path / "report.html").read_text()
    assert 50_000 < sum(len(uri) for uri in re.findall(r'"(data:[^"]*)"', text)) <= 100_000
    assert "The sound is left out: the page holds at most 100 kB of media." in text


def test_a_large_sound_is_left_out_with_a_word(run, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(report_media, "MAX_SOUND_BYTES", 1000)
    text = write_report(run, shards=shards, out=tmp_path / "report.html").read_text()
    assert "<audio" not in text
    assert "A sound of 16 kB is left out: the limit is 1 kB per item." in text


def test_the_summary_is_small_and_has_the_main_table(run, tmp_path):
    summary = write_report(run, out=tmp_path / "report.html").with_suffix(".md").read_text()
    assert summary.startswith("## NO-GO: made\n")
    assert "| Accuracy | base | safe | audio muted | audio swapped | gate off | size |" in summary
    assert len(summary) < 4000


def test_a_missing_package_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(
        InputError, match=re.escape("vl_convert, which is not installed; run pip install '.[report]'")
    ):
        write_report(run)


def test_importing_the_report_loads_nothing_heavy():
    code = "import sys, safe_eval.report; print({'jinja2', 'altair', 'numpy', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@needs_chromium
def test_a_browser_opens_it_without_a_complaint(run, shards, tmp_path):
    written = write_report(run, shards=shards, out=tmp_path / "report.html")
    opened = browse(written, tmp_path / "a")
    assert "<article" in opened.stdout
    assert "Content Security Policy" not in opened.stderr
    broken = tmp_path / "broken.html"
    broken.write_text(written.read_text().replace("<main>", '<main style="color:red">', 1))
    assert "Content Security Policy" in browse(broken, tmp_path / "b").stderr


def test_a_page_is_never_written_over_what_it_shows(run, tmp_path, capsys):
    mine = shutil.copytree(run, tmp_path / "mine")
    before = (mine / "scores.json").read_bytes()
    assert main(["report", str(mine), "--out", str(mine / "scores.json"), "--force"]) == 3
    assert "scores.json: is read by this command, and never replaced by it" in capsys.readouterr().err
    assert (mine / "scores.json").read_bytes() == before


def test_the_page_and_its_summary_are_named_and_not_confused(run, tmp_path, capsys):
    assert main(["report", str(run), "--out", str(tmp_path / "page.md")]) == 3
    assert f"is a name for the summary; name the page: {tmp_path / 'page.html'}\n" in capsys.readouterr().err
    assert main(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'page.html'} and {tmp_path / 'page.md'}\n"
