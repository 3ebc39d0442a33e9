"""The overview: numbers of scores.json alone, charts with tables, files and links, everything escaped."""

import csv
import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser import needs_chromium
from html_page import OURS, Page, external
from made_run import make_run
from seen_runs import Seen, behind, full_answers, make_scored, seen

from safe_data.core import numerals
from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.scoring.scores import read_scores
from safe_eval.viewer.chart import Chart
from safe_eval.viewer.overview import Overview, charts, overview, overview_html

ALL_OF = {"accuracy", "lost", "hurts", "noise", "reliability", "risk-coverage", "cost", "seeds", "criteria"}
CSS = Path("safe_eval/viewer/page/overview.css")


@pytest.fixture(scope="module")
def rows() -> list[Prediction]:
    return full_answers()


@pytest.fixture(scope="module")
def shown(tmp_path_factory, rows) -> Seen:
    return seen(make_run(tmp_path_factory.mktemp("runs") / "made", rows))


@pytest.fixture(scope="module")
def made(shown) -> Overview:
    return overview(shown)


@pytest.fixture(scope="module")
def page(made) -> Page:
    return Page(made.html())


@pytest.fixture(scope="module")
def drawn(made) -> dict[str, Chart]:
    return made.charts


def links(chart: Chart) -> list[str]:
    return [unescape(href) for href in re.findall(r'<a href="([^"]*)"', chart.inline)]


def lines(chart: Chart) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(chart.csv)))


def written(value: Any) -> set[str]:
    """Every way in which the page writes a number of scores.json, and its parts."""
    if isinstance(value, dict):
        return set().union(*map(written, value.values())) if value else set()
    if isinstance(value, list | tuple):
        return set().union(*map(written, value)) if value else set()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return set()
    made = [numbers.share(value), numbers.share_points(value), numbers.plain(value), numerals.fraction(value)]
    made += [
        numerals.difference(value),
        numerals.p_value(abs(value)),
        numbers.percent(value, 1),
        f"{value:.4g}",
    ]
    made += [numbers.count(value)] if isinstance(value, int) else []
    return {text.removesuffix(" %").removesuffix(" pp") for text in made}


def test_it_opens_with_the_verdict_and_its_criteria(page, shown):
    assert page.said.startswith("Verdict: NO-GO")
    assert "criteria" in page.said[:200]
    for words in (
        "Criterion Value Bound Decision Evidence",
        "Coverage complete",
        "What these numbers do not say",
    ):
        assert words in page.said


def test_everything_that_was_measured_is_drawn(drawn):
    assert {re.sub(r"-\d+$", "", name) for name in drawn} == ALL_OF
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in drawn)


def test_every_number_in_a_table_is_one_of_scores_json(drawn, shown):
    known = written(msgspec.to_builtins(shown.runs[0].scores)) | {"–"}
    for name, chart in drawn.items():
        if name.startswith("criteria"):
            continue
        for table in chart.tables:
            for row in table.rows:
                if name.startswith("reliability") and not row.label.startswith("Calibration"):
                    continue
                for cell in filter(None, row.cells):
                    said = re.findall(
                        r"[+−<]?\d[\d\u202f]*(?:\.\d+)?(?:e[+-]\d+)?", f"{cell.value} {cell.interval}"
                    )
                    assert said or cell.value in ("yes", "no", "open"), (name, cell)
                    assert set(said) <= known, (name, row.label, cell)


def test_the_bins_hold_every_answer_and_give_the_error_of_the_scores(drawn, shown):
    bins = lines(drawn["reliability-1"])
    for row in shown.runs[0].scores.metrics:
        if (row.metric, row.condition, row.seed) == ("ece", "full", 0):
            own = [one for one in bins if one["model"] == f"{row.model}/full"]
            gaps = [int(b["answers"]) * abs(float(b["accuracy"]) - float(b["confidence"])) for b in own]
            assert sum(int(one["answers"]) for one in own) == row.n
            assert sum(gaps) / row.n == pytest.approx(row.value)
    assert "others than these bins" not in str(drawn["reliability-1"].tables)


def test_a_mark_leads_to_as_many_items_as_its_number_says(drawn, shown, rows):
    def counted(name: str) -> list[int]:
        return sorted(len(behind(href, shown, {"made": rows})) for href in links(drawn[name]))

    def wrong(name: str) -> list[int]:
        return sorted(round(int(one["n"]) * (1 - float(one["value"]))) for one in lines(drawn[name]))

    assert counted("accuracy-1") == wrong("accuracy-1")
    assert counted("noise-1") == wrong("noise-1")
    lost = [int(one["lost"]) for one in lines(drawn["lost-1"]) if one["slice"] in ("audio", "vl")]
    assert counted("lost-1") == sorted(lost)
    first = [row for row in shown.runs[0].scores.hurts if (row.seed, row.against) == (0, "base/full")]
    assert counted("hurts-1") == sorted(
        n for row in first for n in (row.gained, row.lost)
    )  # of the first seed
    points = [one for one in lines(drawn["cost-1"]) if not one["threshold"]]
    assert counted("cost-1") == sorted(round(int(one["n"]) * (1 - float(one["value"]))) for one in points)
    always = [int(one["always_wrong"]) for one in lines(drawn["seeds-1"])]
    assert counted("seeds-1") == sorted(always)
    bins = [int(one["answers"]) for one in lines(drawn["reliability-1"])]
    assert counted("reliability-1") == sorted(2 * bins)


def test_every_link_of_the_page_names_arms_and_values_that_exist(page, shown, rows):
    found = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    leading = [value for value in found if value.startswith("#")]
    assert len(leading) > 50
    for href in set(leading):
        behind(href, shown, {"made": rows})
    assert all(re.fullmatch(r"charts/[a-z0-9-]+\.(svg|png|csv)", href) for href in set(found) - set(leading))


def test_every_chart_has_a_table_and_three_files(page, drawn):
    for name, chart in drawn.items():
        assert f'id="chart-{name}"' in page.text
        for kind in ("svg", "png", "csv"):
            assert f'href="charts/{name}.{kind}"' in page.text
        assert chart.tables
        assert all(table.rows and table.caption for table in chart.tables)
        assert len(lines(chart)) > 0
        assert chart.svg.startswith("<svg ")
        assert "<a " not in chart.svg
    assert page.text.count("<details>") == page.text.count("<figure") == len(drawn)
    assert drawn["accuracy-1"].png()[:8] == b"\x89PNG\r\n\x1a\n"
    named = re.findall(r'<a href="#[^"]*" aria-label="([^"]*)"', page.text)
    assert "answers of safe that are not right: Audio questions" in named


def test_nothing_is_loaded_run_or_styled_by_the_fragment(page):
    assert page.tags <= OURS | {"rect", "title"}
    assert [one for one in external(page.text) if not one.startswith("charts/")] == []
    assert len(re.findall(r' id="([^"]+)"', page.text)) == len(set(re.findall(r' id="([^"]+)"', page.text)))


def test_several_runs_with_text_from_outside_which_stays_text(tmp_path):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&]]>|@all {{ 7*7 }}"
    rows = [
        msgspec.structs.replace(
            row,
            example_id=row.example_id + evil,
            question_type=f"{row.question_type}{evil}",
            dataset=evil,
            model=row.model if row.model == "base" else evil,
        )
        for row in full_answers()
        if row.seed == 0 and row.condition in ("full", "mute_audio")
    ]
    plain = [row for row in rows if row.condition == "full"]
    folders = make_run(tmp_path / "run<b>", rows), make_scored(tmp_path / "other", plain)
    both = seen(*folders)
    page = Page(overview_html(both))
    assert page.said.startswith("Verdict: NOT MEASURED, 1 NOT JUDGED run<b>: NOT MEASURED")
    assert "other: Not judged" in page.said
    assert page.tags <= OURS | {"rect", "title"}
    assert [one for one in external(page.text) if not one.startswith("charts/")] == []
    assert evil in page.said
    found = {value for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert any("type=" in href for href in found)
    for href in found:
        assert re.fullmatch(r"#items\?[\w.~%:,=&-]*", href)
        behind(href, both, {"run<b>": rows, "other": plain})
    led = {int(number) for href in found for number in re.findall(r"[=:](\d+):", href)}
    assert {arm.arm for arm in both.arms} <= led


def test_what_is_not_measured_is_one_line_and_no_chart(tmp_path, rows):
    bare = [
        msgspec.structs.replace(row, confidence=None, latency_ms=None, consulted=None, audio_tokens=None)
        for row in rows
        if row.condition == "full" and row.seed == 0
    ]
    shown = seen(make_scored(tmp_path / "bare", bare))
    text = overview_html(shown)
    said = Page(text).said
    assert said.startswith("Verdict: NOT JUDGED Not judged: the run has no verdict.json")
    for what in (
        "what each modality adds",
        "the noise curve",
        "the reliability diagram",
        "risk–coverage",
        "accuracy against latency",
        "accuracy against skips",
        "the spread over seeds",
    ):
        assert f"Not measured: {what}" in said
    assert {re.sub(r"-\d+$", "", name) for name in charts(shown)} == {"accuracy", "hurts"} - (
        set() if read_scores(shown.runs[0].folder).hurts else {"hurts"}
    )


@pytest.mark.slow
@needs_chromium
def test_axe_finds_nothing_serious(page, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    from browser import CHROMIUM

    head = f'<!doctype html><html lang="en"><title>x</title><style>{CSS.read_text()}</style><main><h1>x</h1>'
    (tmp_path / "page.html").write_text(head + page.text.replace("<details>", "<details open>"), "utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme, width in (("light", 400), ("dark", 1280)):
            tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            tab.goto((tmp_path / "page.html").as_uri())
            if scheme == "dark":
                tab.add_style_tag(content="body { background: #15171a }")
            found = axe.Axe().run(tab).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            assert tab.evaluate("document.documentElement.scrollWidth") == width
        browser.close()
