"""One file: the viewer's data for a page of one file, with media and charts as data: addresses in them."""

import base64
import re
from collections.abc import Iterable, Mapping

import msgspec

from safe_eval.report.media import MAX_TOTAL_BYTES
from safe_eval.viewer.answers import Answers
from safe_eval.viewer.item import Item
from safe_eval.viewer.one_page import one_page

_LINK = re.compile(r' href="(charts/[\w.-]+)"')
_LEFT_OUT = f"It is left out: a page of one file holds at most {MAX_TOTAL_BYTES // 10**6} MB of media."
_TYPES = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv", "flac": "audio/flac"}


def one_file(answers: Answers, parts: Mapping[str, bytes], items: Iterable[Item]) -> bytes:
    """The page; `parts` are its data by their paths, and `items` all items in full."""
    blocks = {name: _part(answers, name, content) for name, content in parts.items()}
    left = MAX_TOTAL_BYTES
    details: dict[str, list[object]] = {}
    for item in items:
        shown, left = _with_media(answers, item, left)
        details.setdefault(f"data/details/{item.item // 100:03d}.json", []).append(shown)
    blocks |= {name: msgspec.json.encode(some).decode() for name, some in details.items()}
    return one_page(blocks).encode()


def _part(answers: Answers, name: str, content: bytes) -> str:
    """A block of data; in a fragment of HTML, links to charts hold the charts."""
    text = content.decode()
    is_html = name.endswith(".html")
    return _LINK.sub(lambda link: f' href="{_uri(answers, link[1])}"', text) if is_html else text


def _with_media(answers: Answers, item: Item, left: int) -> tuple[object, int]:
    """An item with its media in place of their addresses, as long as bytes are left."""
    shown = msgspec.to_builtins(item)
    for one in (shown["media"], *(arm["sent"] for arm in shown["arms"])):
        for name in ("sound", "picture", "spectrogram"):
            address = one.get(name) if one else None
            if address is None:
                continue
            uri = _uri(answers, address)
            is_held = len(uri) <= left
            one[name] = uri if is_held else None
            left -= len(uri) if is_held else 0
            if not is_held and _LEFT_OUT not in one["notes"]:
                one["notes"].append(_LEFT_OUT)
    return shown, left


def _uri(answers: Answers, address: str) -> str:
    content = base64.b64encode(answers.read(address)).decode("ascii")
    return f"data:{_TYPES[address.rpartition('.')[2]]};base64,{content}"
