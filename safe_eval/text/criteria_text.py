"""Criteria files as text: which are shipped, what one says, and the JSON schema of all."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.table import COLUMNS
from safe_eval.judging.criteria_file import criteria_path, criteria_schema, fill_criteria, shipped_criteria

_ACTIONS = ("list", "show", "schema")
_INDENT = "    "


def criteria_lines(words: Sequence[str]) -> list[str]:
    """What `safe-eval criteria` prints: for `list`, `show NAME` or `schema`.

    Raises:
        InputError: the words are none of these, or no criteria file has that name.
    """
    if list(words) == ["list"]:
        return list(_listed())
    if list(words) == ["schema"]:
        return json.dumps(criteria_schema(), indent=1).splitlines()
    if len(words) == 2 and words[0] == "show":
        return criteria_path(words[1]).read_text("utf-8").splitlines()
    hint = did_you_mean(words[0], _ACTIONS) if words and words[0] not in _ACTIONS else ""
    raise InputError(f"criteria {' '.join(words)}: expected list, show NAME or schema{hint and '; '}{hint}")


def _listed() -> Iterator[str]:
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


def _first_without_comment(lines: list[str]) -> int:
    return next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
