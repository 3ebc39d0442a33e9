"""One file: the viewer's page with its scripts, styles and data in one HTML file, which opens from disk.

A browser loads no module and reads no file from disk. So the modules are joined into one script, each as a
function that returns what it exports, and the data lie in blocks that are no scripts. The page's policy names
the hashes of its scripts and styles, and allows nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from safe_eval.report.media import MAX_TOTAL_BYTES
from safe_eval.viewer.answers import Answers, page_file, page_files
from safe_eval.viewer.item import Item

MAIN, EARLY = "main.js", "theme.js"  # the first module, and the script that runs before anything is drawn
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|const|class)\*? (\w+))", re.MULTILINE)
_LINK = re.compile(r' href="(charts/[\w.-]+)"')
_LEFT_OUT = "It is left out: a page of one file holds at most {} MB of media."
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
    return _page(blocks).encode()


def _part(answers: Answers, name: str, content: bytes) -> str:
    """A block of data; a fragment of HTML is a text of JSON, in which links to charts hold the charts."""
    if not name.endswith(".html"):
        return content.decode()
    held = _LINK.sub(lambda link: f' href="{_uri(answers, link[1])}"', content.decode())
    return msgspec.json.encode(held).decode()


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
            if not is_held and (note := _LEFT_OUT.format(MAX_TOTAL_BYTES // 10**6)) not in one["notes"]:
                one["notes"].append(note)
    return shown, left


def _uri(answers: Answers, address: str) -> str:
    content = base64.b64encode(answers.read(address)).decode("ascii")
    return f"data:{_TYPES[address.rpartition('.')[2]]};base64,{content}"


def _page(blocks: Mapping[str, str]) -> str:
    page = page_file("index.html").decode()
    styles = "\n".join(page_file(name).decode() for name in page_files() if name.endswith(".css"))
    early, script = page_file(EARLY).decode(), joined_modules()
    policy = (
        f"default-src 'none'; script-src {_hash(early)} {_hash(script)}; style-src {_hash(styles)}; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    data = "\n".join(_block(name, text) for name, text in blocks.items())
    page = re.sub(r'(http-equiv="Content-Security-Policy" content=")[^"]*', lambda tag: tag[1] + policy, page)
    page = page.replace('<meta name="source" content="server">', '<meta name="source" content="inline">')
    page = re.sub(r'\n *<link rel="stylesheet"[^>]*>', "", page)
    page = re.sub(r"\n *<script [^>]*></script>", "", page)
    head = f"<style>{styles}</style>\n<script>{early}</script>\n</head>"
    page = page.replace("</head>", head, 1)
    return page.replace("</body>", f"{data}\n<script>{script}</script>\n</body>", 1)


def _block(name: str, text: str) -> str:
    """JSON that ends no script element."""
    harmless = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{harmless}</script>'


def joined_modules() -> str:
    """The modules of the page as one script, each after those it imports."""
    bodies = [_module(name) for name in _in_order(MAIN)]
    return '"use strict";\nconst modules = {};\n' + "\n".join(bodies)


def _in_order(name: str, done: tuple[str, ...] = ()) -> Iterator[str]:
    """A module and all it imports, these first and each once."""
    found: list[str] = list(done)
    for match in _IMPORT.finditer(page_file(name).decode()):
        if match[2] not in found:
            new = [one for one in _in_order(match[2], tuple(found)) if one not in found]
            found += new
            yield from new
    yield name


def _module(name: str) -> str:
    text = page_file(name).decode()
    names = [match[2] for match in _EXPORT.finditer(text)]
    body = _IMPORT.sub(lambda match: f'const {{{_renamed(match[1])}}} = modules["{match[2]}"];\n', text)
    body = _EXPORT.sub(lambda match: match[1], body)
    return f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {", ".join(names)} }};\n}})();\n'


def _renamed(names: str) -> str:
    """`a as b` of an import is `a: b` where an object is taken apart."""
    return names.replace(" as ", ": ")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
