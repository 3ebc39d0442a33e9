"""The page as one HTML file, which opens from disk: styles, modules and data stand within it.

A browser loads no module and no data from disk beside a page, so they are put into it. The policy of the file
names the hashes of its own scripts and styles, so that nothing else runs.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parent / "page"
STYLES = ("overview.css", "page.css")  # in the order of index.html
FIRST_MODULE = "main"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const )", re.MULTILINE)
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')


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
