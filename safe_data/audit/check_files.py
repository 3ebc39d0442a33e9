"""Check files: what a check writes (facts.json, results.json, the page, JUnit XML, Markdown) and prints."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import msgspec

from safe_data.audit.corpus import Corpus
from safe_data.audit.judged import Judged
from safe_data.audit.junit import junit_xml
from safe_data.audit.markdown_summary import markdown_summary
from safe_data.audit.page import html_page
from safe_data.core.errors import InputError, install_extra
from safe_data.core.overwriting import write_all_new

Format = Literal["text", "json", "markdown", "junit"]

FILES = ("facts.json", "results.json", "junit.xml", "summary.md", "index.html")


def formatted(judged: Judged, format: Format) -> list[str]:
    """The lines that are printed in a format."""
    if format == "json":
        return _json(judged.document()).decode().rstrip().split("\n")
    if format == "markdown":
        return markdown_summary(judged).rstrip().split("\n")
    if format == "junit":
        return junit_xml(judged).decode().rstrip().split("\n")
    return judged.lines()


def write_files(judged: Judged, corpus: Corpus, out: Path, *, force: bool) -> str:
    """Write all files and return what to tell the user; without Jinja2 there is no page.

    Raises:
        InputError: a file is there with other content, and `force` is not set.
    """
    found = {name: asdict(fact) for name, fact in judged.facts.items()}
    texts = {
        out / "facts.json": _json({**judged.about, "facts": found}),
        out / "results.json": _json(judged.document()),
        out / "junit.xml": junit_xml(judged),
        out / "summary.md": markdown_summary(judged).encode(),
    }
    try:
        texts[out / "index.html"] = html_page(judged, corpus).encode()
    except ImportError:
        write_all_new(texts, force=force)
        return f"{out / 'results.json'} (for an HTML page as well, {install_extra('report')})"
    write_all_new(texts, force=force)
    return str(out / "index.html")


def check_same_judged(results: Path, about: Mapping[str, Any]) -> None:
    """Refuse, before any work, to replace results about another dataset, or by other suites or versions.

    Raises:
        InputError: the file is there, and is about something else.
    """
    if not results.exists():
        return
    try:
        found = json.loads(results.read_text("utf-8"))
        same = all(found[name] == value for name, value in json.loads(_json(dict(about))).items())
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise InputError(
            f"{results}: is there already, about other rows, suites or versions; name another --out, or add "
            "--force to replace it"
        )


def _json(content: dict[str, Any]) -> bytes:
    """JSON with every letter as it is; what is no number becomes null."""
    return msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=1) + b"\n"
