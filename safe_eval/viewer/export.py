"""Export: the viewer as static files for any web server, or as one file that opens from disk.

    index.html, *.js, page.css           the page, told to read files
    data/run.json, columns.json          what is shown, and all that lists and filters need, by column
    data/statistics.json                 of all items, of each value of each facet, and of pairs of arms
    data/details/000.json                items in full, a hundred a file
    media/, charts/, overview.html, …    as the server gives them

The page filters and sorts; numbers with intervals are those that were computed here.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes
from safe_data.core.overwriting import write_all_new
from safe_data.core.progress import Progress
from safe_eval.viewer.answers import PARTS, Answers, page_file, page_files
from safe_eval.viewer.filter import Filter, read_filter
from safe_eval.viewer.item import Item, StoredFacts
from safe_eval.viewer.one_page import DETAILS, one_file
from safe_eval.viewer.rows import MOST, page
from safe_eval.viewer.shown import SentFacts
from safe_eval.viewer.statistics import Statistics, statistics
from safe_eval.viewer.viewed import Viewed

INDEX = "index.html"
MOST_IN_ONE_FILE = 5000
MOST_PAIRED = 8  # arms of which every pair is told; of more, each with the first
_FACETS = (
    *("id", "dataset", "split", "group", "record", "type", "task", "needs_audio", "prompt", "references"),
    "noted",
)
_OF_ARMS = ("outcomes", "scores", "answers", "confidences", "consulted")
_SOURCE = b'<meta name="source" content="server">'


def export_page(answers: Answers, out: Path, *, force: bool = False, quiet: bool = False) -> Path:
    """Write the viewer into a folder, or as one file if the name ends in .html; return the page.

    Raises:
        InputError: something else is there and `force` is not given, or one file is too small for the items.
    """
    viewed = answers.viewed
    if out.suffix == ".html":
        if viewed.items > MOST_IN_ONE_FILE:
            raise InputError(
                f"{out}: {viewed.items} items are too many for one file, which takes {MOST_IN_ONE_FILE}; "
                "name a folder"
            )
        with Progress("exporting", viewed.items, unit="item", quiet=quiet) as progress:
            write_all_new({out: one_file(answers, parts(answers), items(answers, progress))}, force=force)
        return out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder, or a file that ends in .html")
    if out.is_dir() and any(out.iterdir()) and not (force and (out / INDEX).is_file()):
        raise InputError(f"{out}: holds other files; --force replaces an export, and nothing else")
    with Progress("exporting", viewed.items, unit="item", quiet=quiet) as progress:
        for name, content in _files(answers, progress):
            write_bytes(out / name, content)
    return out / INDEX


def _files(answers: Answers, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """Every file but the page first, so that a page that is there can be opened."""
    yield from parts(answers).items()
    for name, chart in answers.charts.items():
        yield f"charts/{name}.svg", chart.svg.encode()
        yield f"charts/{name}.png", chart.png()
        yield f"charts/{name}.csv", chart.csv.encode()
    for number, some in enumerate(_batches(items(answers, progress))):
        yield f"data/details/{number:03d}.json", msgspec.json.encode(some)
        for item in some:
            for address in media_of_item(item):
                yield address, answers.read(address)
    for name in sorted(page_files(), key=lambda name: name == INDEX):
        content = page_file(name)
        yield (
            name,
            content.replace(_SOURCE, _SOURCE.replace(b"server", b"files")) if name == INDEX else content,
        )


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while some := list(itertools.islice(items, DETAILS)):
        yield some


def parts(answers: Answers) -> dict[str, bytes]:
    """The data that the page reads at once, and the parts that are made here."""
    viewed = answers.viewed
    found: dict[str, Any] = {
        "data/run.json": viewed.facts(),
        "data/columns.json": columns(answers),
        "data/statistics.json": all_statistics(viewed),
    }
    encoded = {name: msgspec.json.encode(one) for name, one in found.items()}
    return encoded | {name: answers.read(name) for name in PARTS}


def items(answers: Answers, progress: Progress) -> Iterator[Item]:
    """Every item in full."""
    for number in range(answers.viewed.items):
        yield _lighter(answers.item(number))
        progress.update(1)


def _lighter(item: Item) -> Item:
    """An item whose arms share what is stored, where they were sent it, and without spectrograms.

    These take longer to draw than all else, and a server draws them.
    """
    arms = []
    for arm in item.arms:
        sent = msgspec.structs.replace(arm.sent, spectrogram=None)
        if sent.said is None and sent.checked is not False:
            own = {name: getattr(item.media, name) for name in ("sound", "picture") if getattr(sent, name)}
            sent = msgspec.structs.replace(sent, **own)
        arms.append(msgspec.structs.replace(arm, sent=sent))
    return msgspec.structs.replace(
        item, arms=arms, media=msgspec.structs.replace(item.media, spectrogram=None)
    )


def media_of_item(item: Item) -> Iterator[str]:
    """The addresses of all that an item is shown with, each once."""
    held: list[StoredFacts | SentFacts] = [item.media, *(arm.sent for arm in item.arms)]
    yield from dict.fromkeys(filter(None, (name for one in held for name in (one.sound, one.picture))))


def columns(answers: Answers) -> dict[str, Any]:
    """All that a list shows, and is filtered and sorted by, as an array over items for each column."""
    viewed, noted, after = answers.viewed, answers.noted, None
    chosen = read_filter([], viewed)
    rows = []
    while True:
        part = page(viewed, chosen, limit=MOST, after=after, noted=noted)
        rows += part.rows
        after = part.next
        if after is None:
            break
    arms = [{name: [getattr(row, name)[arm.arm] for row in rows] for name in _OF_ARMS} for arm in viewed.arms]
    return {name: [getattr(row, name) for row in rows] for name in _FACETS} | {"arms": arms}


def all_statistics(viewed: Viewed) -> dict[str, Any]:
    """The statistics of all items, and of each value of each facet, with those of pairs of arms."""
    return {
        "all": _with_pairs(viewed, read_filter([], viewed)),
        "facets": {
            facet.name: {
                one.value: _with_pairs(viewed, read_filter([(facet.name, one.value)], viewed))
                for one in facet.values
            }
            for facet in viewed.facets()
        },
    }


def _with_pairs(viewed: Viewed, chosen: Filter) -> dict[str, Any]:
    arms = range(len(viewed.arms))
    pairs = list(itertools.combinations(arms, 2))
    if len(arms) > MOST_PAIRED:
        pairs = [pair for pair in pairs if 0 in pair]
    told: dict[str, Any] = msgspec.to_builtins(statistics(viewed, chosen))
    found: dict[str, Statistics] = {f"{a}:{b}": statistics(viewed, chosen, a, b) for a, b in pairs}
    return told | {"pairs": {name: msgspec.to_builtins(one.pair) for name, one in found.items()}}
