"""The page as it is laid out: on a phone, a laptop and a wide screen, in the dark, and on paper."""

import itertools
import re
from typing import Any

import msgspec
import pytest
from browser import measured, needs_chromium
from html_page import Page
from made_captions import captioned
from made_run import make_run

from safe_eval.report.report import write_report

WIDTHS = (400, 1280, 2560)
PAPER = 718  # pixels of A4 between chromium's margins
LONG = "organisation-with-a-long-name/Vision-Language-Model-13B-instruct"

SCRIPT = r"""
const doc = win.document, width = win.innerWidth;
const linear = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const lit = (c) => { const [r, g, b] = c.map(linear); return .2126 * r + .7152 * g + .0722 * b; };
const rgb = (text) => text.match(/[\d.]+/g).map(Number);
const behind = (el) => { for (; el; el = el.parentElement) {
  const c = rgb(win.getComputedStyle(el).backgroundColor);
  if (c.length < 4 || c[3] === 1) return c.slice(0, 3); }
  return [255, 255, 255]; };
const seen = (el) => { const r = el.getBoundingClientRect(); return r.width > 1 && r.height > 1; };
const broken = [], faint = [], cut = [];
const texts = doc.createTreeWalker(doc.body, win.NodeFilter.SHOW_TEXT);
for (let node; node = texts.nextNode();) {
  const el = node.parentElement;
  if (!node.data.trim() || !seen(el) || el.closest("style")) continue;
  const style = win.getComputedStyle(el), ink = rgb(el.closest("svg") ? style.fill : style.color).slice(0, 3);
  const [a, b] = [lit(ink), lit(behind(el))].sort((x, y) => y - x);
  if ((a + .05) / (b + .05) < 4.5) faint.push(node.data.trim());
  if (el.closest("svg, dd, .found, .full, .facts, .said, .question, .expected")) continue;
  for (const word of node.data.matchAll(/[\p{L}\p{N}]+/gu)) {
    const range = doc.createRange();
    range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) broken.push(word[0]);
  }
}
let cells = 0;
for (const cell of doc.querySelectorAll("main th, main td")) {
  const r = cell.getBoundingClientRect();
  if (r.width > 1 && r.height > 1) cells += 1;
  if (r.width > 1 && (r.left < -.5 || r.right > width + .5)) cut.push(cell.textContent.trim());
}
const scrolls = [...doc.querySelectorAll(".scroll")].filter((el) => el.scrollWidth > el.clientWidth + 1);
return { width, wide: doc.documentElement.scrollWidth, broken, faint, cut, cells,
  scrolls: scrolls.map((el) => el.innerText.slice(0, 60)) };
"""


def on_screen(html: str, *, dark: bool = False) -> str:
    """The page as a frame shows it; the policy knows one style sheet only, which is changed here."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert "(prefers-color-scheme: dark)" in html
    return html.replace("(prefers-color-scheme: dark)", "all" if dark else "not all")


def on_paper(html: str) -> str:
    """The page with the styles of print."""
    html = on_screen(html)
    assert "@media print" in html
    assert "@media screen" in html
    html = html.replace("@media screen", "@media speech").replace("@media print", "@media all")
    return html.replace("<details>", "<details open>")


@pytest.fixture(scope="module")
def pages(run, answers, tmp_path_factory) -> dict[str, str]:
    """One run; models as equals, of which one has a long name; captions; and two runs side by side."""
    folder = tmp_path_factory.mktemp("layout")
    names = {"base": "alpha", "safe": LONG}
    equals = [
        msgspec.structs.replace(row, model=names[row.model], latency_ms=100.0 + len(row.model) + place % 7)
        for place, row in enumerate(answers)
    ]  # so that the page has a frontier
    runs = {
        "equals": make_run(folder / "equals", equals),
        "captions": make_run(folder / "captions", captioned()),
    }
    written = {name: write_report(one) for name, one in runs.items()}
    written["one"] = write_report(run, out=folder / "one.html")
    written["two"] = write_report(run, make_run(folder / "other", answers[:-9]), out=folder / "two.html")
    return {name: path.read_text() for name, path in written.items()}


SPOILT = {
    "wide": "main { width: 1500px; max-width: none }",
    "broken": "tbody th { max-width: 3px; min-width: 0 !important; overflow-wrap: anywhere }",
    "faint": "td .range { color: #32363b !important }",
    "scrolls": "table { width: 2000px !important }",
}


@pytest.fixture(scope="module")
def measures(pages, tmp_path_factory) -> dict[tuple[str, str], dict[str, Any]]:
    """What the browser measured, by page and medium, and of pages with one fault each; in one start."""
    frames = {}
    for name, html in pages.items():
        frames |= {(name, str(width)): (width, on_screen(html)) for width in WIDTHS}
        frames[name, "dark"] = 1280, on_screen(html, dark=True)
        frames[name, "paper"] = PAPER, on_paper(html)
    html = on_screen(pages["one"], dark=True)
    for name, style in SPOILT.items():
        frames["spoilt", name] = 1280, html.replace("</style>", f"{style}</style>")
    asked = [{"width": width, "html": html} for width, html in frames.values()]
    return dict(zip(frames, measured(SCRIPT, asked, tmp_path_factory.mktemp("browser")), strict=True))


@pytest.fixture(scope="module")
def laid_out(measures) -> dict[tuple[str, str], dict[str, Any]]:
    return {of: one for of, one in measures.items() if of[0] != "spoilt"}


@needs_chromium
def test_nothing_is_wider_than_the_window(laid_out):
    assert {of: one["wide"] for of, one in laid_out.items() if one["wide"] > one["width"]} == {}


@needs_chromium
def test_no_word_is_broken_between_letters(laid_out):
    assert {of: one["broken"] for of, one in laid_out.items() if one["broken"]} == {}


@needs_chromium
def test_text_can_be_read_in_light_and_dark(laid_out):
    assert {of: one["faint"] for of, one in laid_out.items() if one["faint"]} == {}


@needs_chromium
def test_tables_show_all_columns_without_scrolling(laid_out):
    assert {of: one["scrolls"] for of, one in laid_out.items() if one["scrolls"]} == {}
    assert {of: one["cut"] for of, one in laid_out.items() if one["cut"]} == {}


@needs_chromium
def test_paper_has_every_cell_that_the_screen_has(laid_out, pages):
    for name in pages:
        assert laid_out[name, "paper"]["cells"] >= laid_out[name, "1280"]["cells"] > 50


@needs_chromium
def test_the_measures_of_the_layout_can_fail(measures):
    assert measures["spoilt", "wide"]["wide"] > 1280
    assert all(measures["spoilt", name][name] for name in ("broken", "faint", "scrolls"))
    assert measures["spoilt", "scrolls"]["cut"]


def test_tables_are_named_reached_by_keyboard_and_headed(pages):
    for html in pages.values():
        attributes = Page(html).attributes
        regions = re.findall(r'<div class="scroll[^"]*" role="region" tabindex="0" aria-labelledby=', html)
        assert len(regions) == html.count('<div class="scroll') == html.count("<caption") >= 3
        named = {value for _, name, value in attributes if name == "aria-labelledby"}
        ids = [value for _, name, value in attributes if name == "id"]
        assert named <= set(ids)
        assert len(ids) == len(set(ids))
        assert re.findall(r"<th(?![^>]* scope=)(?!ead)[^>]*>", html) == []


def test_headings_go_down_one_level_at_a_time(pages):
    for html in pages.values():
        levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
        assert levels[0] == levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
