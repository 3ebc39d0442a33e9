"""A made run for tests of the page, told over HTTP as the contract of the viewer says, and as an export.

The rules of filtering stand here once more, in the plainest form, so that those of the page have something to
be compared with.
"""

import io
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import safe_eval.viewer

PAGE = Path(safe_eval.viewer.__file__).parent / "page"
ITEMS = 150
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>" + "W" * 400
ARMS = [
    ("base", "full, seed 0", "full", 0),
    ("listening", "full, seed 0", "full", 0),
    ("listening", "mute_audio, seed 0", "mute_audio", 0),
    ("listening", "noise_audio, seed 0", "noise_audio", 0),
]
TYPES = ("colour", "count", "sound")
NOT_RIGHT = ("wrong", "unparsed", "error")
Row = dict[str, Any]
Query = list[tuple[str, str]]


def made_rows(count: int = ITEMS) -> list[Row]:
    """Items whose outcomes follow from their number; item 7 is hostile in every field."""
    return [_row(number) for number in range(count)]


def _row(number: int) -> Row:
    outcomes = [
        "right" if number % 3 else "wrong",
        ("right", "right", "wrong", "right", "unparsed")[number % 5],
        "error" if number % 11 == 0 else "wrong" if number % 2 else "right",
        "none" if number % 7 == 3 else "right",
    ]
    kind = TYPES[number % 3]
    row: Row = {
        "item": number,
        "id": f"clip-{number:05}-{kind}",
        "dataset": "world" if number % 4 else "street",
        "split": "test",
        "group": f"place-{number // 3:04}",
        "record": f"clip-{number:05}",
        "type": kind,
        "task": "vqa",
        "needs_audio": {0: None, 1: False, 2: True}[number % 3],
        "prompt": f"what {kind} is shown in clip {number} ?",
        "references": [f"answer {number}"],
        "noted": False,
        "outcomes": outcomes,
        "answers": [None if word in ("error", "none") else f"{word} answer {number}" for word in outcomes],
        "confidences": [
            None if word == "none" else (number * 7 + arm) % 100 / 100 for arm, word in enumerate(outcomes)
        ],
        "consulted": [False, number % 2 == 0, None, True],
    }
    if number == 7:
        for name in ("id", "group", "record", "prompt"):
            row[name] = HOSTILE
        row["references"], row["answers"] = [HOSTILE], [HOSTILE, HOSTILE, HOSTILE, None]
    return row


def run_of(rows: list[Row], writes_notes: bool = True) -> dict[str, Any]:
    """data/run.json."""

    def facet(name: str, title: str) -> dict[str, Any]:
        values = sorted({_text(row[name]) for row in rows})
        return {
            "name": name,
            "title": title,
            "values": [{"value": v, "items": sum(_text(row[name]) == v for row in rows)} for v in values],
        }

    arms = [
        {
            "arm": arm,
            "run": "demo",
            "model": model,
            "condition": condition,
            "seed": seed,
            "title": model,
            "subtitle": subtitle,
            "is_baseline": arm == 0,
            "items": len(rows),
        }
        for arm, (model, subtitle, condition, seed) in enumerate(ARMS)
    ]
    return {
        "format_version": 1,
        "title": f"demo {HOSTILE[:60]}",
        "items": len(rows),
        "answers": 4 * len(rows),
        "has_media": True,
        "writes_notes": writes_notes,
        "runs": [{"name": "demo", "folder": "demo", "decision": "go"}],
        "arms": arms,
        "metrics": ["vqa_accuracy"],
        "metric_of": {"world": "vqa_accuracy", "street": "vqa_accuracy"},
        "facets": [
            facet("dataset", "Dataset"),
            facet("type", "Question type"),
            facet("needs_audio", "Needs its sound"),
        ],
    }


def _text(value: object) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value] if value in (True, False, None) else str(value)


def filtered(rows: list[Row], query: Query) -> list[Row]:
    """The rows that a query asks for, in its order. Raises ValueError for what it does not know."""
    found = [row for row in rows if all(_holds(row, name, query) for name in {name for name, _ in query})]
    sort = dict(query).get("sort", "")
    if not sort:
        return found
    kind, _, arm = sort.lstrip("-").partition(":")

    def value(row: Row) -> Any:
        if kind == "score":
            return scores(row)[int(arm)]
        if kind == "confidence":
            return row["confidences"][int(arm)]
        if kind == "changed":
            right = row["outcomes"].count("right")
            return -min(right, 4 - right - row["outcomes"].count("none"))
        return row[kind]

    told = [row for row in found if value(row) is not None]
    # Python's sort is stable, also when it is reversed: ties stay in the order of their numbers.
    told.sort(key=value, reverse=sort.startswith("-"))
    return told + [row for row in found if value(row) is None]


def scores(row: Row) -> list[float | None]:
    """The score of each arm."""
    return [None if word == "none" else float(word == "right") for word in row["outcomes"]]


def _holds(row: Row, name: str, query: Query) -> bool:
    values = [value for key, value in query if key == name]
    if name in ("dataset", "split", "task", "type", "needs_audio", "group", "record"):
        return _text(row[name]) in values
    if name == "outcome":
        return all(row["outcomes"][int(v.split(":")[0])] in v.split(":")[1].split(",") for v in values)
    if name == "flip":
        return all(_flips(row, *value.split(":")) for value in values)
    if name == "consulted":
        return all(row["consulted"][int(v.split(":")[0])] is (v.split(":")[1] == "yes") for v in values)
    if name == "confidence":
        for arm, low, high in (value.split(":") for value in values):
            told = row["confidences"][int(arm)]
            if told is None or not float(low) <= told <= float(high):
                return False
        return True
    if name == "text":
        texts = [row["prompt"], *row["references"], *filter(None, row["answers"])]
        return any(values[0].lower() in text.lower() for text in texts)
    if name == "noted":
        return bool(row["noted"])
    if name in ("sort", "metric"):
        return True
    raise ValueError(f"query: {name} is unknown; expected a filter; remove it")


def _flips(row: Row, a: str, b: str, kind: str) -> bool:
    before, after = row["outcomes"][int(a)], row["outcomes"][int(b)]
    gained, lost = before in NOT_RIGHT and after == "right", before == "right" and after in NOT_RIGHT
    return {"gained": gained, "lost": lost, "any": gained or lost}[kind]


def told(rows: list[Row], a: int | None = None, b: int | None = None) -> dict[str, Any]:
    """data/statistics of some rows; the intervals are made, for the page only shows them."""
    arms = []
    for arm in range(4):
        known = [score for row in rows if (score := scores(row)[arm]) is not None]
        mean = sum(known) / len(known) if known else None
        wide = None if mean is None else 1.96 * math.sqrt(mean * (1 - mean) / len(known))
        arms.append(
            {
                "arm": arm,
                "items": len(known),
                "right": int(sum(known)),
                "accuracy": mean,
                "low": None if wide is None else mean - wide,
                "high": None if wide is None else mean + wide,
            }
        )
    pair = None
    if a is not None and b is not None:
        gained = sum(_flips(row, str(a), str(b), "gained") for row in rows)
        lost = sum(_flips(row, str(a), str(b), "lost") for row in rows)
        part = (gained - lost) / len(rows) if rows else None
        pair = {
            "a": a,
            "b": b,
            "items": len(rows),
            "gained": gained,
            "lost": lost,
            "difference": part,
            "low": None if part is None else part - 0.05,
            "high": None if part is None else part + 0.05,
            "p": None if part is None else 0.031,
            "test": "sign test by group",
        }
    return {
        "count": len(rows),
        "groups": len({row["group"] for row in rows}),
        "metric": "vqa_accuracy",
        "arms": arms,
        "pair": pair,
        "confidence": 0.95,
        "said": "Made intervals, clustered by group; who looks at many filters finds differences by chance.",
    }


def item_of(rows: list[Row], number: int, note: str | None = None) -> dict[str, Any]:
    """data/item: one item in full."""
    row = rows[number]
    said = [None, None, "no sound", "noise"]
    choices = ["answer a", "answer b", *row["references"]]
    peaks = [abs(math.sin(place / 9)) for place in range(200)]
    arms = []
    for arm, outcome in enumerate(row["outcomes"]):
        sound = None if arm == 2 else f"media/{number}/{arm}/sound.flac"
        arms.append(
            {
                "arm": arm,
                "outcome": outcome,
                "score": scores(row)[arm],
                "scores": {"vqa_accuracy": scores(row)[arm]},
                "answer": row["answers"][arm],
                "read_as": row["answers"][arm],
                "rule": "the whole answer, in lower case",
                "probabilities": dict(zip(choices, (0.1, 0.2, 0.7), strict=True)) if arm < 2 else None,
                "confidence": row["confidences"][arm],
                "consulted": row["consulted"][arm],
                "gate_score": 0.25,
                "audio_tokens": 32,
                "influence_kl": 0.0123,
                "latency_ms": 41.5,
                "gate_ms": 0.4,
                "error": f"timed out {HOSTILE[:40]}" if outcome == "error" else None,
                "sent": {
                    "said": said[arm],
                    "sound": sound,
                    "picture": f"media/{number}/{arm}/picture.png",
                    "spectrogram": sound and f"media/{number}/{arm}/spectrogram.png",
                    "peaks": sound and peaks,
                    "checked": (True, True, None, False)[arm],
                    "notes": [],
                },
            }
        )
    near = [other for other in rows if other["group"] == row["group"] and other is not row]
    return {
        **row,
        "choices": choices,
        "question": {},
        "note": note,
        "arms": arms,
        "neighbours": [{key: other[key] for key in ("item", "id", "prompt", "outcomes")} for other in near],
        "media": {
            "picture": f"media/{number}/0/picture.png",
            "sound": f"media/{number}/0/sound.flac",
            "notes": [],
        },
    }


FRAGMENTS = {
    "overview": '<div class="told overview"><section class="verdict"><h2>Go</h2><p>Every criterion holds: '
    '<a href="#items?flip=0:1:lost">what was lost</a>.</p></section></div>',
    "training": '<div class="told training"><h2>Training</h2><p>No training run is here.</p></div>',
    "compare": '<div class="told compare"><h2>Disagreement</h2><p>Four arms.</p></div>',
}


def media(name: str) -> tuple[bytes, str]:
    """A sound of two seconds, or a small picture."""
    file = io.BytesIO()
    if name == "sound.flac":
        soundfile.write(file, 0.1 * np.sin(np.arange(16_000) * 0.3), 8_000, format="FLAC")
        return file.getvalue(), "audio/flac"
    pixels = np.add.outer(np.arange(24), np.arange(32)) * 4
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue(), "image/png"


def write_export(folder: Path, rows: list[Row]) -> Path:
    """The same run as static files; its media are those of `app_of`."""
    (folder / "data/details").mkdir(parents=True)
    for file in PAGE.iterdir():
        text = file.read_text("utf-8")
        source = '<meta name="source" content="files">'
        text = (
            text.replace('<meta name="source" content="server">', source) if file.suffix == ".html" else text
        )
        (folder / file.name).write_text(text, "utf-8")
    (folder / "overview.css").touch()
    shared = [
        name for name in rows[0] if name not in ("item", "outcomes", "answers", "confidences", "consulted")
    ]
    arms = [
        {
            name: [row[name][arm] for row in rows]
            for name in ("outcomes", "answers", "confidences", "consulted")
        }
        | {"scores": [scores(row)[arm] for row in rows]}
        for arm in range(4)
    ]
    pairs = {f"{a}:{b}": told(rows, a, b)["pair"] for a in range(4) for b in range(a + 1, 4)}
    run = run_of(rows, writes_notes=False)
    facets = {
        facet["name"]: {
            one["value"]: told(filtered(rows, [(facet["name"], one["value"])])) for one in facet["values"]
        }
        for facet in run["facets"]
    }
    written: dict[str, Any] = {
        "run": run,
        "columns": {name: [row[name] for row in rows] for name in shared} | {"arms": arms},
        "statistics": {"all": told(rows) | {"pairs": pairs}, "facets": facets},
    }
    for start in range(0, len(rows), 100):
        numbers = range(start, min(start + 100, len(rows)))
        written[f"details/{start // 100:03}"] = [item_of(rows, number) for number in numbers]
    for name, value in written.items():
        (folder / f"data/{name}.json").write_text(json.dumps(value), "utf-8")
    for name, text in FRAGMENTS.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return folder


def app_of(rows: list[Row], folder: Path, notes: dict[int, str]) -> Starlette:
    """The contract under /seen/, and a folder under /export/."""

    def items(request: Request) -> Response:
        query = request.query_params.multi_items()
        asked = dict(query)
        try:
            found = filtered(rows, [(k, v) for k, v in query if k not in ("limit", "after")])
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        start, limit = int(asked.get("after", 0)), int(asked.get("limit", 100))
        more = str(start + limit) if start + limit < len(found) else None
        return JSONResponse({"count": len(found), "rows": found[start : start + limit], "next": more})

    def statistics(request: Request) -> Response:
        query = request.query_params.multi_items()
        asked = dict(query)
        try:
            found = filtered(rows, [(k, v) for k, v in query if k not in ("a", "b")])
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(told(found, int(asked["a"]), int(asked["b"])))

    def following(request: Request) -> Response:
        query = request.query_params.multi_items()
        asked = dict(query)
        flips = [(k, v) for k, v in query if k not in ("item", "step")]
        wanted = {row["item"] for row in filtered(rows, flips)}
        order = [row["item"] for row in filtered(rows, [(k, v) for k, v in flips if k != "flip"])]
        step = int(asked["step"])
        place = order.index(int(asked["item"]))
        rest = order[place + 1 :] if step > 0 else order[:place][::-1]
        return JSONResponse({"item": next((number for number in rest if number in wanted), None)})

    def item(request: Request) -> Response:
        number = int(request.query_params["item"])
        return JSONResponse(item_of(rows, number, notes.get(number)))

    async def write_note(request: Request) -> Response:
        asked = await request.json()
        notes[asked["item"]] = asked["text"]
        rows[asked["item"]]["noted"] = bool(asked["text"].strip())
        return JSONResponse({})

    def medium(request: Request) -> Response:
        data, kind = media(request.path_params["name"])
        return Response(data, media_type=kind)

    def fragment(name: str) -> Route:
        return Route(f"/{name}.html", lambda _: Response(FRAGMENTS[name], media_type="text/html"))

    routes = [
        Route("/data/run.json", lambda _: JSONResponse(run_of(rows))),
        Route("/data/items", items),
        Route("/data/statistics", statistics),
        Route("/data/next", following),
        Route("/data/item", item),
        Route("/data/notes", write_note, methods=["POST"]),
        Route("/media/{item:int}/{arm:int}/{name}", medium),
        Route("/overview.css", lambda _: Response(_css(), media_type="text/css")),
        *map(fragment, FRAGMENTS),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    export = [
        Route("/media/{item:int}/{arm:int}/{name}", medium),
        Mount("/", StaticFiles(directory=folder, html=True)),
    ]
    return Starlette(routes=[Mount("/seen", routes=routes), Mount("/export", routes=export)])


def _css() -> str:
    file = PAGE / "overview.css"
    return file.read_text("utf-8") if file.exists() else ""


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The address at which an app answers until the block ends."""
    config = uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
