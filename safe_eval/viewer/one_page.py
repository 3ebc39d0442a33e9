"""The page as one HTML file, which opens from disk: styles, modules and data stand within it.

A browser loads no module and no data from disk beside a page, so they are put into it. The policy of the file
names the hashes of its own scripts and styles, so that nothing else runs.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from safe_eval.report.media import MAX_TOTAL_BYTES
from safe_eval.viewer.answers import Answers
from safe_eval.viewer.item import Item

PAGE = Path(__file__).parent / "page"
STYLES = ("overview.css", "page.css")  # in the order of index.html
FIRST_MODULE = "main"
DETAILS = 100  # items in full that lie together, as files.js expects them
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const )", re.MULTILINE)
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')

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
        details.setdefault(f"data/details/{item.item // DETAILS:03d}.json", []).append(shown)
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


def one_page(files: Mapping[str, str]) -> str:
    """The whole page with the files of an export in it, as text: `data/run.json`, …, `overview.html`, ….

    Media of the items are `data:` addresses. A file of HTML is kept as a JSON string, as files.js expects it.
    """
    style = "".join((PAGE / name).read_text("utf-8") for name in STYLES if (PAGE / name).exists())
    theme, script = (PAGE / "theme.js").read_text("utf-8"), joined_modules()
    blocks = "".join(_block(name, text) for name, text in files.items())
    policy = (
        f"default-src 'none'; script-src {_hash(theme)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    html = (PAGE / "index.html").read_text("utf-8")
    html = _POLICY.sub(f'<meta http-equiv="Content-Security-Policy" content="{policy}">', html)
    for old, new in (
        ('<meta name="source" content="server">', '<meta name="source" content="inline">'),
        ('  <link rel="stylesheet" href="overview.css">\n', ""),
        ('<link rel="stylesheet" href="page.css">', f"<style>{style}</style>"),
        ('<script src="theme.js"></script>', f"<script>{theme}</script>"),
        ('  <script type="module" src="main.js"></script>\n', ""),
        ("</body>", f'{blocks}<script type="module">{script}</script>\n</body>'),
    ):
        before, found, after = html.partition(old)
        if not found:
            raise ValueError(f"index.html: {old.strip()} is missing; one_page.py replaces it")
        html = before + new + after
    return html


def joined_modules() -> str:
    """All modules as one, each after those that it imports; their names differ, as a test makes sure."""
    texts: dict[str, str] = {}
    _add(FIRST_MODULE, texts)
    return "".join(texts.values())


def _add(name: str, texts: dict[str, str]) -> None:
    text = (PAGE / f"{name}.js").read_text("utf-8")
    for other in _IMPORT.findall(text):
        if other not in texts:
            _add(other, texts)
    texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))


def _block(name: str, text: str) -> str:
    data = json.dumps(text) if name.endswith(".html") else text
    # In JSON, "<" stands within strings only; written so, no text of the data ends the block.
    escaped = data.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{escaped}</script>\n'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
