"""A validation in any format: what predictions files hold, and which metrics judge them."""

import textwrap
from collections.abc import Iterator

from safe_data.core.table import COLUMNS, Format, Table, render
from safe_eval.scoring.validate import Judging, Validation


def validation_lines(found: Validation, format: Format = "text") -> list[str]:
    """The lines of a validation: as text for people, as the JSON document, or as tables."""
    tables = list(_tables(found))
    text = render(tables, "text")
    text += [""] if found.notes else []
    for note in found.notes:
        text += textwrap.wrap(f"note: {note}", COLUMNS, subsequent_indent="      ")
    text += ["", f"valid: {', '.join(found.files)}" if found.files else "valid"]
    return render(tables, format, document=found, text=text)


def _tables(found: Validation) -> Iterator[Table]:
    title = f"{found.rows} rows, {found.examples} examples, {found.clusters} clusters ({found.cluster})"
    yield Table(
        title,
        ("dataset", "model", "condition", "seed", "rows", "missing", "errors"),
        [
            (arm.dataset, arm.model, arm.condition, arm.seed, arm.rows, arm.absent, arm.errors)
            for arm in found.cells
        ],
    )
    yield Table(
        "judged by",
        ("dataset", "task", "rows", "metrics"),
        [(of.dataset, _asked(of), of.rows, ", ".join(of.metrics) or "none") for of in found.judging],
    )


def _asked(of: Judging) -> str:
    return f"{of.task}, choices" if of.choices else of.task
