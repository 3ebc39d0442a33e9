"""The page of the viewer in Debian's chromium: over a server, and over the files of an export."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browser import needs_chromium
from playwright.sync_api import Browser, Page, Route, expect
from viewer.seen_items import app_of, filtered, made_rows, serving, write_export

pytestmark = needs_chromium
NOTES: dict[int, str] = {}
ROWS = made_rows()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = write_export(tmp_path_factory.mktemp("export") / "run", made_rows())
    with serving(app_of(ROWS, folder, NOTES)) as found:
        yield found


@pytest.fixture(params=["seen", "export"])
def place(request: pytest.FixtureRequest, address: str) -> str:
    return f"{address}/{request.param}/"


def ids(page: Page) -> list[str]:
    links: list[str] = page.locator("table.items a.prompt").evaluate_all(
        "links => links.map(one => one.dataset.item)"
    )
    return links


def wanted(*query: tuple[str, str]) -> list[str]:
    return [str(row["item"]) for row in filtered(ROWS, list(query))]


def count(page: Page, number: int) -> None:
    """Waits, frame by frame, until so many items are left and their rows are there."""
    script = """number => document.querySelector("#count")?.textContent.split(" ")[0] === String(number) &&
      !document.querySelector(".waiting")"""
    page.wait_for_function(script, arg=number)


def open_items(page: Page, place: str, query: str = "") -> None:
    page.goto(f"{place}#items{query}")
    page.wait_for_selector("table.items tbody tr")


def test_filters_narrow_the_items_and_the_address_says_so(page: Page, place: str) -> None:
    open_items(page, place)
    count(page, len(ROWS))
    page.get_by_role("checkbox", name="sound 50").check()
    count(page, 50)
    page.get_by_label("listening (full, seed 0): wrong", exact=True).check()
    asked = wanted(("type", "sound"), ("outcome", "1:wrong"))
    count(page, len(asked))
    assert ids(page) == asked
    assert page.url.endswith("#items?type=sound&outcome=1:wrong")
    page.reload()
    count(page, len(asked))
    expect(page.get_by_role("checkbox", name="sound 50")).to_be_checked()
    page.locator(".chip", has_text="Question type: sound").click()
    count(page, len(wanted(("outcome", "1:wrong"))))
    page.go_back()
    count(page, len(asked))
    page.get_by_role("button", name="Clear all").click()
    count(page, len(ROWS))


QUERIES = [
    "flip=0:1:gained",
    "flip=0:1:any&sort=-id",
    "flip=3:1:lost&needs_audio=yes",
    "consulted=1:yes&dataset=street",
    "confidence=1:0.2:0.5&sort=confidence:1",
    "text=WRONG%20answer%201&sort=-score:2",
    "group=place-0003",
    "sort=changed&needs_audio=unknown",
    "outcome=0:right,wrong&outcome=2:error",
    "sort=-confidence:3&type=count",
]


def test_both_sources_filter_and_sort_as_the_contract_says(page: Page, place: str) -> None:
    open_items(page, place)
    for query in QUERIES:
        page.goto(f"{place}#items?{query}")
        asked = wanted(*[(name, value) for name, value in parse_qsl(query)])
        assert 0 < len(asked) < len(ROWS)
        count(page, len(asked))
        assert ids(page) == asked[:60], query


def test_flips_between_two_arms_and_what_is_said_of_them(page: Page, place: str) -> None:
    open_items(page, place)
    gained = len(wanted(("flip", "0:1:gained")))
    expect(page.locator(".pair")).to_contain_text(f"▲ {gained} gained")
    expect(page.locator(".pair")).to_contain_text("p = 0.031")
    page.get_by_text("Gained", exact=True).click()
    count(page, gained)
    expect(page.locator("table.items .flip.gained")).to_have_count(gained)
    page.get_by_label("To", exact=True).select_option("3")
    count(page, len(wanted(("flip", "0:3:gained"))))
    assert "flip=0:3:gained" in page.url


def test_an_export_tells_only_the_intervals_that_it_holds(page: Page, address: str) -> None:
    open_items(page, f"{address}/export/", "?type=sound")
    expect(page.locator("thead .accuracy").first).to_contain_text("%")
    page.get_by_role("checkbox", name="street").check()
    count(page, len(wanted(("type", "sound"), ("dataset", "street"))))
    expect(page.locator(".said")).to_contain_text("is told by `safe-eval view`")


def test_a_header_sorts_and_keeps_the_focus(page: Page, place: str) -> None:
    open_items(page, place)
    header = page.locator('[data-sort="score:1"]')
    header.click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("listening")
    header.click()
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    expect(page.locator("table.items tbody tr").first).to_contain_text("clip-00000")
    expect(header).to_be_focused()


def test_scrolling_loads_more_and_keeps_few_rows(page: Page, place: str) -> None:
    open_items(page, place)
    for _ in range(6):
        page.locator(".scroller").evaluate("node => node.scrollTo(0, node.scrollHeight)")
        page.wait_for_timeout(60)
    expect(page.locator(f'a[data-item="{len(ROWS) - 1}"]')).to_be_visible()
    expect(page.locator("tr.space")).not_to_have_count(0)
    assert len(ids(page)) < len(ROWS)
    page.locator(".scroller").evaluate("node => node.scrollTo(0, 0)")
    expect(page.locator('a[data-item="0"]')).to_be_visible()


def test_keys_walk_the_items_and_come_back_to_the_place(page: Page, place: str) -> None:
    open_items(page, place, "?sort=-id")
    order = wanted(("sort", "-id"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f'a[data-item="{order[1]}"]')).to_be_focused()
    page.locator(f'a[data-item="{order[40]}"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator(".item-view h1")).to_be_focused()
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(rf"item={order[41]}&"))
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile(rf"item={order[40]}&"))
    flips = [number for number in order[41:] if number in wanted(("flip", "0:1:any"))]
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile(rf"item={flips[0]}&"))
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile(rf"item={flips[1]}&"))
    page.keyboard.press("Shift+F")
    expect(page).to_have_url(re.compile(rf"item={flips[0]}&"))
    page.keyboard.press("Escape")
    expect(page.locator(f'a[data-item="{flips[0]}"]')).to_be_focused()
    assert page.locator(".scroller").evaluate("node => node.scrollTop") > 500
    page.keyboard.press("f")
    expect(page.locator(f'a[data-item="{flips[1]}"]')).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search prompts and answers")).to_be_focused()


def test_an_item_is_told_in_full(page: Page, place: str) -> None:
    page.goto(f"{place}#item?item=1&type=count")
    item = page.locator(".item-view")
    expect(item.locator("h1")).to_have_text(ROWS[1]["prompt"])
    expect(item).to_contain_text("The hash is that of the row.")
    expect(item).to_contain_text("The hash differs from that of the row")
    expect(item).to_contain_text("The row has no hash to check.")
    expect(item.locator("table.answers tbody tr")).to_have_count(4)
    expect(item.locator("table.answers")).to_contain_text("the whole answer, in lower case")
    expect(item.locator("table.choices .fill.most")).to_have_count(2)
    expect(item.locator(".waveform")).to_have_count(2)
    expect(item.locator("img.picture").first).to_have_js_property("naturalWidth", 32)
    item.locator(".neighbours a").first.click()
    expect(page).to_have_url(re.compile(r"item=0&type=count"))


def test_space_plays_the_first_sound_or_the_focused_one(page: Page, place: str) -> None:
    page.goto(f"{place}#item?item=1")
    first, second = page.locator("audio").nth(0), page.locator("audio").nth(1)
    expect(page.locator(".item-view h1")).to_be_focused()
    page.keyboard.press(" ")
    expect(first).to_have_js_property("paused", False)
    second.evaluate("audio => audio.play()")
    expect(first).to_have_js_property("paused", True)
    page.locator(".item-view h1").focus()
    page.keyboard.press(" ")
    expect(second).to_have_js_property("paused", True)


def test_a_note_is_saved_and_an_export_offers_none(page: Page, address: str) -> None:
    open_items(page, f"{address}/seen/")
    page.locator('a[data-item="2"]').click()
    expect(page.locator("#note")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.type("the bell is faint")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert NOTES == {2: "the bell is faint"}
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator('tr:has(a[data-item="2"])')).to_contain_text("note")
    page.reload()
    page.locator('a[data-item="2"]').click()
    expect(page.locator("#note")).to_have_value("the bell is faint")
    page.goto(f"{address}/export/#item?item=2")
    expect(page.locator(".item-view h1")).to_be_visible()
    expect(page.locator("#note")).to_have_count(0)


def test_a_note_that_could_not_be_saved_says_so(page: Page, address: str) -> None:
    page.goto(f"{address}/seen/#item?item=4")
    page.route("**/data/notes", lambda route: route.fulfill(status=200, body="no JSON"))
    page.locator("#note").fill("kept")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("Not saved:")).to_be_visible()
    expect(page.locator("#note")).to_have_value("kept")


def test_an_outdated_reply_never_replaces_a_newer_one(page: Page, address: str) -> None:
    open_items(page, f"{address}/seen/")
    held: list[Route] = []
    given_up: list[str] = []
    page.route("**/data/items?text=clip&*", lambda route: held.append(route))
    page.on("requestfailed", lambda request: given_up.append(request.url))
    search = page.get_by_label("Search prompts and answers")
    with page.expect_request("**/data/items?text=clip&*"):
        search.fill("clip")
    search.fill("clip 125")
    count(page, 1)
    held[0].continue_()
    page.wait_for_timeout(100)
    assert ids(page) == ["125"]
    assert any("text=clip&" in url for url in given_up)


def test_a_server_that_fails_is_told_and_asked_again(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.route("**/data/items?*", lambda route: route.abort())
    page.goto(f"{address}/seen/#items")
    expect(page.get_by_role("alert")).to_contain_text("Is `safe-eval view` still running?")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    count(page, len(ROWS))
    page.goto(f"{address}/seen/#items?colour=red")
    expect(page.get_by_role("alert").first).to_contain_text("query: colour is unknown")
    page.close()


def test_hostile_strings_neither_run_nor_break_the_layout(page: Page, place: str) -> None:
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for hash_ in ("#items", "#item?item=7"):
            page.goto(f"{place}{hash_}")
            expect(page.get_by_text("onerror=").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, hash_
            assert page.title() != "run"
            assert page.locator("main script, img[src=x]").count() == 0


VIEWS = {
    "#overview": ".verdict h2",
    "#items?group=place-0001&flip=0:1:any": ".items tbody tr",
    "#item?item=1": ".item-view h1",
    "#training": ".training h2",
    "#compare": ".compare h2",
}


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 400)])
def test_every_view_passes_axe(browser: Browser, address: str, theme: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{address}/seen/")
    page.evaluate(AXE_SCRIPT)
    for hash_, shown in VIEWS.items():
        page.goto(f"{address}/seen/{hash_}")
        page.wait_for_selector(shown)
        page.wait_for_function("() => !document.querySelector('.waiting, .loading')")
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        grave = [
            (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        ]
        assert grave == [], hash_
    context.close()


def test_the_switch_of_themes_outlives_a_reload(page: Page, address: str) -> None:
    page.goto(f"{address}/seen/#overview")
    expect(page.get_by_role("heading", name="Go")).to_be_visible()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button = page.get_by_role("button", name="Theme:")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate(ground) != light


def test_the_overview_leads_into_the_items(page: Page, place: str) -> None:
    page.goto(f"{place}#overview")
    page.get_by_role("link", name="what was lost").click()
    count(page, len(wanted(("flip", "0:1:lost"))))
    expect(page.get_by_label("Lost")).to_be_checked()
