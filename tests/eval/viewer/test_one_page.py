"""The page as one file, opened from disk."""

import re
from pathlib import Path

from browser import CHROMIUM, needs_chromium
from playwright.sync_api import expect, sync_playwright
from viewer.seen_items import made_rows, write_export

from safe_eval.viewer.one_page import PAGE, joined_modules, one_page


def test_names_of_modules_differ_so_that_they_can_be_joined() -> None:
    names: list[str] = []
    for file in PAGE.glob("*.js"):
        text = file.read_text("utf-8")
        assert " as " not in "".join(re.findall(r"^import .*?;", text, re.M | re.S)), file.name
        names += re.findall(r"^(?:export )?(?:async )?(?:function|const|let) (\w+)", text, re.M)
    assert len(names) > 60
    assert sorted({name for name in names if names.count(name) > 1}) == []
    joined = joined_modules()
    assert not re.search(r"^(import|export)\b", joined, re.M)
    assert set(re.findall(r"^(?:async )?function (\w+)", joined, re.M)) >= {"start", "found", "rowFrom"}


@needs_chromium
def test_one_file_opens_from_disk(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "run", made_rows(60))
    files = {
        str(file.relative_to(folder)): file.read_text("utf-8")
        for file in folder.rglob("*")
        if file.suffix == ".json" or file.name in ("overview.html", "training.html", "compare.html")
    }
    for name in files:  # this file holds no media
        files[name] = re.sub(r'"media/[^"]*"', "null", files[name])
    whole = tmp_path / "whole.html"
    whole.write_text(one_page(files), "utf-8")
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{whole.as_uri()}#overview")
        page.get_by_role("link", name="what was lost").click()
        expect(page.locator(".said")).to_contain_text("`safe-eval view`")
        page.get_by_role("button", name="Clear all").click()
        expect(page.locator("#count")).to_contain_text("60 items")
        expect(page.locator(".pair")).to_contain_text("lost")
        page.locator('a[data-item="2"]').click()
        expect(page.locator(".item-view h1")).to_contain_text("clip 2 ?")
        expect(page.locator("audio")).to_have_count(0)
        ground = page.evaluate("getComputedStyle(document.body).fontVariantNumeric")
        browser.close()
    assert ground == "tabular-nums"
    assert said == []
