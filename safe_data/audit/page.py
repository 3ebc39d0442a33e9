"""Page: what came of a check as one HTML file that needs no network; every value in it is escaped.

What fails stands first, with its worst examples to hear and to see; what holds is folded.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from safe_data.audit.corpus import Corpus
from safe_data.audit.judged import Judged
from safe_data.audit.page_media import MAX_PAGE_BYTES, OFFENDERS_SHOWN, PageMedia
from safe_data.audit.rule_results import RuleResult
from safe_data.core.command import DOES_NOT_HOLD, HOLDS
from safe_data.core.terminal import printable
from safe_data.sampling.outlook import outlook_lines

if TYPE_CHECKING:
    from jinja2 import Template

TONES = {
    "FAIL": "bad",
    "not judged": "unknown",
    "warn": "unknown",
    "info": "rest",
    "ok": "good",
    "n/a": "rest",
}
_VERDICT_TONES = {HOLDS: "good", DOES_NOT_HOLD: "bad"}
_PARTS = (
    ("FAIL", "failures", "Does not hold", False),
    ("not judged", "unjudged", "Could not be judged", False),
    ("warn", "warnings", "Warnings", False),
    ("info", "information", "For information", False),
    ("ok", "holds", "Holds", True),
    ("n/a", "rest", "Does not apply", True),
)


class Part(NamedTuple):
    """The rules with one outcome under a title."""

    id: str
    title: str
    folded: bool
    results: list[RuleResult]


def html_page(judged: Judged, corpus: Corpus) -> str:
    """Fill in the page.

    Raises:
        ImportError: jinja2 is not installed (extra `report`).
    """
    parts = [
        Part(name, title, folded, found)
        for label, name, title, folded in _PARTS
        if (found := judged.with_label(label))
    ]
    ordered = [result for part in parts for result in part.results]
    return (
        template("check.html.j2").render(
            judged=judged,
            parts=parts,
            media=PageMedia(corpus, ordered),
            offenders_shown=OFFENDERS_SHOWN,
            page_megabytes=f"{MAX_PAGE_BYTES / 1e6:g}",
            tones=TONES,
            verdict_tone=_VERDICT_TONES.get(judged.exit_code, "unknown"),
            outlook="" if judged.outlook is None else "\n".join(outlook_lines(judged.outlook)),
            provenance=list(_flat("", judged.about)),
            **styled("check.css"),
        )
        + "\n"
    )


def template(name: str) -> "Template":
    """A template of this folder, which escapes every value.

    Raises:
        ImportError: jinja2 is not installed (extra `report`).
    """
    import jinja2  # noqa: F401 - what is missing is said, even if a template is compiled already

    return _compiled(name)


@cache
def _compiled(name: str) -> "Template":
    """A process that writes many pages compiles each template once."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return environment.from_string(_resource(name))


def styled(*names: str) -> dict[str, str]:
    """Style sheets of this folder as `style`, and as `style_hash` what lets a page use them and no other."""
    from markupsafe import Markup

    style = "".join(map(_resource, names))
    return {"style": Markup(style), "style_hash": _csp_hash(style)}  # noqa: S704 - our own files


def scripted(name: str) -> dict[str, str]:
    """A script of this folder as `script`, and as `script_hash` what lets a page run it and no other."""
    from markupsafe import Markup

    script = _resource(name)
    return {"script": Markup(script), "script_hash": _csp_hash(script)}  # noqa: S704 - our own file


def _shown(value: Any) -> Any:
    """A text without what could turn or hide other text; our own markup is of another type."""
    if type(value) is not str or value.isprintable():
        return value
    return "\n".join(printable(line) for line in value.split("\n"))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested facts as pairs of `outer · inner` and text."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix} · {key}" if prefix else str(key), inner)
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(map(str, value)) or "–"
    else:
        yield prefix.replace("_", " "), str(value)


def _resource(name: str) -> str:
    return resources.files("safe_data.audit").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """The hash by which a page's security policy allows its own style sheet or script, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
