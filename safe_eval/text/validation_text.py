"""A validation in any format: what predictions files hold, and which metrics judge them."""

import textwrap
from collections.abc import Iterator

from safe_data.core.table import COLUMNS, Table, render
from safe_eval.scoring.validate import Judging, Validation

VALIDATION_TABLES = ("arms", "judging")  # their names


def validation_lines(found: Validation) -> list[str]:
    """A validation as text for people."""
    text = render(list(validation_tables(found)), "text")
    text += [""] if found.notes else []
    for note in found.notes:
        text += textwrap.wrap(f"note: {note}", COLUMNS, subsequent_indent="      ")
    return [*text, "", f"valid: {', '.join(found.files)}" if found.files else "valid"]


def validation_tables(found: Validation) -> Iterator[Table]:
    """How many rows each arm has, and which metrics judge them."""
    title = f"{found.rows} rows, {found.examples} examples, {found.clusters} clusters ({found.cluster})"
    counts = ("rows", "missing", "errors")
    worded = ("prompt",) if any(arm.prompt_id is not None for arm in found.cells) else ()
    yield Table(
        title,
        ("dataset", "model", "condition", "seed", *worded, *counts),
        [
            (
                *(arm.dataset, arm.model, arm.condition, arm.seed),
                *((arm.prompt_id,) if worded else ()),
                *(arm.rows, arm.absent, arm.errors),
            )
            for arm in found.cells
        ],
        name=VALIDATION_TABLES[0],
    )
    yield Table(
        "judged by",
        ("dataset", "task", "rows", "metrics"),
        [(of.dataset, _asked(of), of.rows, ", ".join(of.metrics) or "none") for of in found.judging],
        name=VALIDATION_TABLES[1],
    )


def _asked(of: Judging) -> str:
    return f"{of.task}, choices" if of.choices else of.task
