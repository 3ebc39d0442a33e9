"""A scored run of hostile texts and missing fields, opened as the viewer opens it; and a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM
from made_viewed import made_rows, scored_run
from playwright.sync_api import Browser, Page, expect, sync_playwright

from safe_eval.prediction import Prediction
from safe_eval.viewer.viewed import Viewed, open_runs

expect.set_options(timeout=30_000)  # a busy machine is slow, and not wrong


@pytest.fixture(scope="session")
def rows() -> list[Prediction]:
    return made_rows()


@pytest.fixture(scope="session")
def run(rows: list[Prediction], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_run(tmp_path_factory.mktemp("viewer") / "mine", rows)


@pytest.fixture(scope="session")
def viewed(run: Path) -> Viewed:
    return open_runs([run])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console must stay empty."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    found = context.new_page()
    found.set_default_timeout(30_000)
    said: list[str] = []
    found.on(
        "console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None
    )
    found.on("pageerror", lambda error: said.append(str(error)))
    yield found
    context.close()
    assert said == [], said
