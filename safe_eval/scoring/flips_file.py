"""Flips file: flips.csv, one line per example that one model gets right and another gets wrong."""

from collections import Counter
from collections.abc import Sequence

from safe_data.core.table import Table, Value, csv_text
from safe_eval.results.flips import Flip

FLIPS_FILE = "flips.csv"
COLUMNS = Flip.__struct_fields__


def flips_table(flips: Sequence[Flip]) -> Table:
    """One row per flip, with the fields of `Flip` as columns; equal references are counted."""
    return Table("flips", COLUMNS, [tuple(_cell(flip, name) for name in COLUMNS) for flip in flips])


def flips_csv(flips: Sequence[Flip]) -> bytes:
    """The content of flips.csv. Without flips it is the header, so that no older file is left."""
    return csv_text([flips_table(flips)]).encode()


def _cell(flip: Flip, name: str) -> Value:
    if name != "references":
        value: Value = getattr(flip, name)
        return value
    counted = Counter(flip.references).most_common()
    return " | ".join(text if times == 1 else f"{text} ×{times}" for text, times in counted)
