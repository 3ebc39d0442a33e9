"""The whole viewer as a person walks through it: real runs, the real server, and its exports, in chromium."""

import re
from pathlib import Path

import pytest
from browser import needs_chromium
from made_sent_run import SentRun, made_sent_run
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from viewer.seen_items import serving

from safe_eval.annotation.notes import NOTES_FILE, Notes
from safe_eval.viewer.answers import Answers
from safe_eval.viewer.export import export_page
from safe_eval.viewer.served import make_app
from safe_eval.viewer.viewed import open_runs

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> SentRun:
    return made_sent_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def answers(sent: SentRun, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    notes = Notes(tmp_path_factory.mktemp("notes") / NOTES_FILE)
    return Answers(open_runs([sent.folder], sent.shards), notes)


def shown(page: Page) -> int:
    """How many items are left, once they are there."""
    expect(page.locator("#count")).to_have_text(re.compile(r"^\d"))
    page.wait_for_function("() => !document.querySelector('.waiting')")
    return int(
        re.sub(r"\D", "", (page.locator("#count").text_content() or "").split(" item")[0].split(" of ")[0])
    )


def test_filter_flip_play_link_and_note(page: Page, answers: Answers) -> None:
    with serving(make_app(answers, "secret")) as address:
        page.goto(f"{address}/secret/#items")
        assert shown(page) == answers.viewed.items
        number = next(arm.arm for arm in answers.viewed.arms if arm.condition == "swap_audio")
        page.goto(f"{address}/secret/#items?outcome=0:wrong,unparsed")
        wrong = shown(page)
        assert 0 < wrong <= answers.viewed.items
        page.goto(f"{address}/secret/#items?flip=0:{number}:any")
        shown(page)
        page.goto(f"{address}/secret/#item?item=0")
        expect(page.locator("#view-item audio").first).to_be_attached()
        page.keyboard.press("Space")
        page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => !one.paused)")
        page.locator("#note").fill("<i>odd</i>")
        page.locator("#note").blur()
        page.locator("#view-item button", has_text="Save").click()
        expect(page.locator("#view-item [role=status], #live").first).to_be_attached()
        page.wait_for_function("() => document.body.textContent.includes('aved')")
        assert [note.text for note in answers.notes.read().values()] == ["<i>odd</i>"]  # type: ignore[union-attr]
        page.reload()
        expect(page.locator("#note")).to_have_value("<i>odd</i>")
        for view in ("overview", "training", "compare"):
            page.goto(f"{address}/secret/#{view}")
            expect(page.locator(f"#view-{view} h2, #view-{view} h1").first).to_be_visible(timeout=60_000)


def test_an_export_opens_from_a_web_server_and_from_disk(
    page: Page, answers: Answers, tmp_path: Path
) -> None:
    export_page(answers, tmp_path / "files", quiet=True)
    with serving(
        Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path / "files", html=True))])
    ) as address:
        page.goto(f"{address}/#items")
        assert shown(page) == answers.viewed.items
        page.goto(f"{address}/#item?item=1")
        expect(page.locator("#view-item audio").first).to_be_attached()
        page.wait_for_load_state("networkidle")
        page.goto("about:blank")
    one = export_page(answers, tmp_path / "one.html", quiet=True)
    page.goto(f"{one.as_uri()}#items")
    assert shown(page) == answers.viewed.items
    page.goto(f"{one.as_uri()}#item?item=1")
    expect(page.locator("#view-item audio").first).to_have_attribute(
        "src", re.compile("^data:audio/flac;base64,")
    )
    page.goto(f"{one.as_uri()}#overview")
    expect(page.locator("#view-overview h2, #view-overview h1").first).to_be_visible(timeout=60_000)
