"""Criteria files as text: which are shipped, what one says, and the JSON schema of all."""

import json
import textwrap
from collections.abc import Iterator

from safe_data.core.table import COLUMNS
from safe_eval.judging.criteria_file import criteria_path, criteria_schema, fill_criteria, shipped_criteria

_INDENT = "    "


def list_lines() -> Iterator[str]:
    """Each shipped file: its name, how many criteria it holds, its first sentence, and its parameters."""
    for name, path in shipped_criteria().items():
        filled = fill_criteria(path)
        lines = path.read_text("utf-8").splitlines()
        said = " ".join(line.lstrip("# ") for line in lines[: _first_without_comment(lines)])
        count = len(filled.criteria)
        yield f"{name} ({count} {'criterion' if count == 1 else 'criteria'})"
        set_to = ", ".join(f"{key}={value or 'null'}" for key, value in filled.parameters.items())
        for text in (said.partition(". ")[0].rstrip(".") + ".", f"parameters: {set_to}"):
            yield from textwrap.wrap(text, COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)


def show_lines(name: str) -> list[str]:
    """A criteria file as it stands, to be kept and changed."""
    return criteria_path(name).read_text("utf-8").splitlines()


def schema_lines() -> list[str]:
    """The JSON schema of criteria files."""
    return json.dumps(criteria_schema(), indent=1).splitlines()


def _first_without_comment(lines: list[str]) -> int:
    return next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
