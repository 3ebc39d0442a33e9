"""Markup: the templates of a page, rendered with everything escaped except our own markup."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

REPORT = "safe_eval.report"


@cache
def template(name: str, packages: Sequence[str] = (REPORT,)) -> "Template":
    """A template of the first of these packages that has it; a process compiles each once.

    `packages` must be a tuple, since what was compiled is remembered.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def found(wanted: str) -> str | None:
        texts = (resources.files(package).joinpath(wanted) for package in packages)
        return next((text.read_text(encoding="utf-8") for text in texts if text.is_file()), None)

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(found),
    )
    environment.filters["breakable"] = breakable
    return environment.get_template(name)


def resource(name: str) -> str:
    """A text that belongs to the report's page."""
    return resources.files(REPORT).joinpath(name).read_text(encoding="utf-8")


def ours(markup: str) -> Any:
    """Markup that was made here, such as a drawing, in which all text from outside is escaped."""
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704 - only for what is named above


def breakable(text: str) -> Any:
    """A name that may break after its signs, so that no word of it has to.

    >>> str(breakable("safe/<full>"))
    'safe/&lt;full&gt;'
    >>> str(breakable("safe/full"))
    'safe/<wbr>full'
    """
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[/_.:-])(?=[^\W\d_])", text))
