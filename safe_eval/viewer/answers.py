"""Answers: what the viewer's page asks for, by its path; a server and an export give the same.

index.html, page.css, *.js                        the page
data/run.json, data/items, data/statistics, …     see docs/viewer.md
media/ITEM/ARM/sound.flac, picture.png, …         what an arm was sent; arm `own` is what is stored
overview.html, training.html, compare.html        parts of the page that are made here
charts/NAME.svg, .png, .csv                       the charts of the overview
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

import msgspec

from safe_data.core.errors import InputError
from safe_eval.annotation.notes import Key, Note, Notes
from safe_eval.viewer.chart import Chart
from safe_eval.viewer.disagreement import compare_html
from safe_eval.viewer.filter import read_filter
from safe_eval.viewer.item import Item, item_of
from safe_eval.viewer.notes import noted_items, notes_shown, read_given, write_note
from safe_eval.viewer.overview import Overview, overview
from safe_eval.viewer.rows import USUAL, page, step
from safe_eval.viewer.shown import STORED, media_of
from safe_eval.viewer.statistics import statistics
from safe_eval.viewer.training import charts_of, folders_of, training_html
from safe_eval.viewer.viewed import Viewed

Query = Sequence[tuple[str, str]]
_ITEM, _PAGED, _PAIRED, _STEPPED = ("item",), ("after", "limit"), ("a", "b"), ("item", "step")


class NotThereError(LookupError):
    """Nothing lies at a path."""


@dataclass(frozen=True)
class Answers:
    """The runs that are seen, and the notes about their items; without notes, none are kept."""

    viewed: Viewed
    notes: Notes | None = None
    _made: dict[str, bytes] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def read(self, path: str, query: Query = ()) -> bytes:
        """The content at a path.

        Raises:
            NotThereError: there is nothing.
            InputError: the query cannot be answered.
        """
        folder, _, name = path.partition("/")
        if path in _DATA:
            return msgspec.json.encode(_DATA[path](self, query))
        if folder == "media":
            return self._media(name)
        if folder == "charts":
            return self._chart(PurePosixPath(name))
        if path in _PARTS:
            return self.part(path)
        return page_file(path)

    def write_note(self, body: bytes) -> bytes:
        """Keep the note of a request's body, and say what is kept.

        Raises:
            InputError: no notes are kept, the body is no note, or there is no such item.
        """
        if self.notes is None:
            raise InputError("note: this viewer keeps no notes")
        return msgspec.json.encode(write_note(self.viewed, self.notes, read_given(body)))

    def part(self, path: str) -> bytes:
        """A part of the page that is made here, once: charts take seconds to draw."""
        with self._locks[path]:
            if path not in self._made:
                self._made[path] = _PARTS[path](self).encode()
            return self._made[path]

    @property
    def noted(self) -> frozenset[int]:
        """The items that have a note."""
        return frozenset(noted_items(self.viewed, self.noted_keys()))

    def noted_keys(self) -> dict[Key, Note]:
        """The notes by dataset and example id."""
        return {} if self.notes is None else self.notes.read()

    def item(self, number: int, query: Query = ()) -> Item:
        """An item in full.

        Raises:
            InputError: there is no such item, or the query cannot be read.
        """
        chosen = read_filter(query, self.viewed)
        return item_of(self.viewed, number, self.noted_keys(), chosen)

    @cached_property
    def overview(self) -> Overview:
        """The overview and its charts."""
        return overview(self.viewed)

    @cached_property
    def charts(self) -> dict[str, Chart]:
        """The charts of the overview and of the training, by name."""
        return {**self.overview.charts, **charts_of(folders_of(self.viewed))}

    def _chart(self, file: PurePosixPath) -> bytes:
        chart = self.charts.get(file.stem)
        if chart is None or file.suffix not in (".svg", ".png", ".csv"):
            raise NotThereError(f"charts/{file}: no such chart")
        if file.suffix == ".png":
            return chart.png()
        return (chart.svg if file.suffix == ".svg" else chart.csv).encode()

    def _media(self, name: str) -> bytes:
        item, _, rest = name.partition("/")
        arm, _, file = rest.partition("/")
        sent = media_of(
            self.viewed, number_of("item", item), None if arm == STORED else number_of("arm", arm)
        )
        makers: dict[str, Callable[[], bytes | None]] = {
            "sound.flac": sent.sound,
            "picture.png": sent.picture,
            "spectrogram.png": sent.spectrogram,
        }
        content = makers[file]() if file in makers else None
        if content is None:
            raise NotThereError(f"media/{name}: nothing was sent there")
        return content


def _run(answers: Answers, query: Query) -> Any:
    _split(query, ())
    return answers.viewed.facts(writes_notes=answers.notes is not None)


def _items(answers: Answers, query: Query) -> Any:
    own, rest = _split(query, _PAGED)
    noted = answers.noted
    limit = number_of("limit", own["limit"]) if "limit" in own else USUAL
    chosen = read_filter(rest, answers.viewed, noted)
    return page(answers.viewed, chosen, limit=limit, after=own.get("after"), noted=noted)


def _statistics(answers: Answers, query: Query) -> Any:
    own, rest = _split(query, _PAIRED)
    a, b = (_arm(answers, name, own[name]) if name in own else None for name in _PAIRED)
    return statistics(answers.viewed, read_filter(rest, answers.viewed, answers.noted), a, b)


def _next(answers: Answers, query: Query) -> Any:
    own, rest = _split(query, _STEPPED)
    item, way = own.get("item", ""), own.get("step", "1")
    if way not in ("1", "-1"):
        raise InputError(f"step={way}: choose 1 or -1")
    chosen = read_filter(rest, answers.viewed, answers.noted)
    return {"item": step(answers.viewed, chosen, number_of("item", item), back=way == "-1")}


def _item(answers: Answers, query: Query) -> Any:
    own, rest = _split(query, _ITEM)
    return answers.item(number_of("item", own.get("item", "")), rest)


def _noted(answers: Answers, query: Query) -> Any:
    _split(query, ())
    return notes_shown(answers.viewed, answers.noted_keys())


_DATA: dict[str, Callable[[Answers, Query], Any]] = {
    "data/run.json": _run,
    "data/items": _items,
    "data/statistics": _statistics,
    "data/next": _next,
    "data/item": _item,
    "data/notes": _noted,
}
_PARTS: dict[str, Callable[[Answers], str]] = {
    "overview.html": lambda answers: answers.overview.html(),
    "training.html": lambda answers: training_html(answers.viewed),
    "compare.html": lambda answers: compare_html(answers.viewed),
}
PARTS = tuple(_PARTS)


def _split(query: Query, names: Sequence[str]) -> tuple[dict[str, str], Query]:
    """The parameters of these names, each given once, and the others."""
    own: dict[str, str] = {}
    for name, value in query:
        if name in names and name in own:
            raise InputError(f"{name}: is given twice; give it once")
        if name in names:
            own[name] = value
    return own, [(name, value) for name, value in query if name not in names]


def _arm(answers: Answers, name: str, text: str) -> int:
    number = number_of(name, text)
    if number >= len(answers.viewed.arms):
        raise InputError(f"{name}={number}: is no arm; arms are 0 to {len(answers.viewed.arms) - 1}")
    return number


def number_of(name: str, text: str) -> int:
    """A number of a query or a path.

    Raises:
        InputError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InputError(f"{name}={text[:40]!r}: must be a number")
    return int(text)


def page_files() -> tuple[str, ...]:
    """The names of the files of the page."""
    folder = resources.files("safe_eval.viewer").joinpath("page")
    return tuple(sorted(file.name for file in folder.iterdir() if file.is_file()))


def page_file(name: str) -> bytes:
    """A file of the page.

    Raises:
        NotThereError: the page has no such file.
    """
    if name not in page_files():
        raise NotThereError(f"{name[:80]}: no such file")
    return resources.files("safe_eval.viewer").joinpath("page", name).read_bytes()
