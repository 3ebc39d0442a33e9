"""`safe-eval view` in Chromium: the first page, filters and sorts of a million answers, and an exported page.

A run of 200,000 items and five arms is made and scored, and viewed in a process of its own; then one of
10,000 items is exported and opened from a file server. Times are those that a person waits: until rows are on
the page. SAFE_BENCHMARK_ITEMS sets the number of items.
"""

import functools
import http.server
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from psutil import Process

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files

ITEMS, EXPORTED, ROUNDS = 200_000, 10_000, 6
ARMS = (
    ("base", "full", 0.45),
    ("safe", "full", 0.7),
    ("safe", "mute_audio", 0.45),
    ("safe", "noise_audio", 0.46),
    ("safe", "gate_off", 0.45),
)
TYPES, WORDS = ("animal", "vehicle", "weather", "speech"), ("cat", "dog", "bell", "rain", "train", "voice")
QUERIES = {
    "a question type": "type=animal",
    "wrong, then right": "outcome=0:wrong&outcome=1:right",
    "flips": "flip=0:1:gained",
    "search": "text=voice",
    "search, rare": "text=number 1999",
    "by confidence": "sort=-confidence:1",
    "by disagreement": "sort=changed",
    "confidence and gate": "confidence=1:0.2:0.3&consulted=1:yes",
    "no filter": "",
}

# From a new filter or order until its first row is there, in ms.
_TURN = """async (hash) => {
  for (const row of document.querySelectorAll("table.items tbody tr")) row.dataset.old = "1";
  const started = performance.now();
  location.hash = hash;
  while (!document.querySelector("table.items tbody tr:not([data-old])")) {
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - started;
}"""


def main() -> None:
    """Measure the server with all items, and the export with fewer."""
    from playwright.sync_api import sync_playwright

    print_line(benchmark="viewer", **describe())
    items = int(os.environ.get("SAFE_BENCHMARK_ITEMS", ITEMS))
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        folder = Path(name)
        _of_server(make_run(folder / "large", items), items, browser)
        _of_export(make_run(folder / "small", min(EXPORTED, items)), folder / "export", browser)
        browser.close()


def make_run(folder: Path, items: int) -> Path:
    """Predictions of five arms, scored."""
    folder.mkdir()
    write_predictions(folder / "predictions.jsonl", _rows(items))
    score_files([folder / "predictions.jsonl"], Sampling(), out=folder)
    return folder


def _rows(items: int) -> Iterator[Prediction]:
    rng = random.Random(0)
    for number in range(items):
        reference, kind = rng.choice(WORDS), rng.choice(TYPES)
        for model, condition, right in ARMS:
            yield Prediction(
                example_id=f"q{number:06d}",
                references=(reference,),
                answer=reference if rng.random() < right else rng.choice(WORDS),
                record_id=f"r{number // 2:06d}",
                dataset="made",
                split="test",
                group=f"g{number // 5:06d}",
                task="vqa",
                question_type=kind,
                needs_audio=number % 2 == 0,
                prompt=f"what makes the sound number {number} ?",
                condition=condition,
                model=model,
                confidence=round(rng.random(), 4),
                consulted=model != "base" and rng.random() < 0.7,
            )


@contextmanager
def _viewing(run: Path) -> Iterator[tuple[str, int, float]]:
    """The address of a viewer of a run, its process, and the seconds until it was ready."""
    started = time.perf_counter()
    words = [sys.executable, "-m", "safe_eval", "view", str(run), "--quiet"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            yield address, process.pid, time.perf_counter() - started
        finally:
            process.terminate()


def _of_server(run: Path, items: int, browser: object) -> None:
    with _viewing(run) as (address, pid, opened):
        page = browser.new_page()  # type: ignore[attr-defined]
        first = _seconds(page, f"{address}#items")
        print_line(
            benchmark="viewer",
            what=f"{items} items × {len(ARMS)} arms",
            seconds_to_open=opened,
            first_page_s=first,
            goal="<= 2 s",
            met=first <= 2,
        )
        taken: dict[str, list[float]] = {name: [] for name in QUERIES}
        for _ in range(ROUNDS):
            for name, query in QUERIES.items():
                taken[name].append(page.evaluate(_TURN, f"#items?{query}"))
        for name, times in taken.items():
            print_line(benchmark="viewer", what=name, ms=times)
        every = [one for times in taken.values() for one in times]
        p95 = quantiles(every, n=20)[-1]
        print_line(benchmark="viewer", what="filters and sorts", p95_ms=p95, goal="<= 300 ms", met=p95 <= 300)
        memory = Process(pid).memory_info().rss / 2**30
        print_line(
            benchmark="viewer", what="memory of the server", gib=memory, goal="<= 1 GiB", met=memory <= 1
        )
        page.close()


def _of_export(run: Path, out: Path, browser: object) -> None:
    started = time.perf_counter()
    words = [sys.executable, "-m", "safe_eval", "view", str(run), "--export", str(out), "--quiet"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    exported = time.perf_counter() - started
    handler = functools.partial(_Quiet, directory=str(out))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()  # type: ignore[attr-defined]
        first = _seconds(page, f"http://127.0.0.1:{server.server_port}/#items")
        page.close()
        server.shutdown()
    what = f"an export of {EXPORTED} items"
    print_line(
        benchmark="viewer", what=what, export_s=exported, first_page_s=first, goal="<= 2 s", met=first <= 2
    )


def _seconds(page: object, address: str) -> float:
    """From a new address until its rows and their count are on the page."""
    page.goto("about:blank")  # type: ignore[attr-defined]
    started = time.perf_counter()
    page.goto(address)  # type: ignore[attr-defined]
    page.wait_for_selector("table.items tbody tr")  # type: ignore[attr-defined]
    return time.perf_counter() - started


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""
