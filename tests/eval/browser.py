"""A browser for tests: Debian's chromium, without the network; tests that need it are skipped without it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom"
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here to open the page with")


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What a page became, and on stderr what the console says about it."""
    command = [CHROMIUM, *OPTIONS.split(), *options, f"--user-data-dir={profile}", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def measured(script: str, frames: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What a script finds in each frame: an HTML text that is laid out in a window of its own width.

    `script` is the body of a function of the frame's window. All frames are opened at once.
    """
    asked = json.dumps([{"width": one["width"], "html": one["html"]} for one in frames]).replace(
        "<", "\\u003c"
    )
    page = folder / "frames.html"
    page.write_text(
        f"""<!doctype html><meta charset="utf-8"><body><pre id="found"></pre><script>
const frames = {asked}, found = [];
const measure = (win) => {{ {script} }};
frames.forEach((frame, place) => {{
  const one = document.createElement("iframe");
  one.style = `border:0;display:block;height:900px;width:${{frame.width}}px`;
  one.onload = () => {{
    found[place] = measure(one.contentWindow);
    document.getElementById("found").textContent = JSON.stringify(found);
  }};
  one.srcdoc = frame.html;
  document.body.append(one);
}});
</script>""",
        "utf-8",
    )
    done = browse(page, folder / "profile", "--window-size=2600,1000", "--virtual-time-budget=20000")
    start = done.stdout.index('<pre id="found">') + len('<pre id="found">')
    text = done.stdout[start : done.stdout.index("</pre>", start)]
    read: list[dict[str, Any]] = json.loads(
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )
    assert len(read) == len(frames), done.stderr
    return read
