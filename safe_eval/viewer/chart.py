"""Chart: a drawing with its table, its links into the items, and its files to download."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from safe_data.core import table as core_table
from safe_eval.report.table import Table

SCALE = 2.0  # pixels of a PNG per pixel of the drawing
MOST = 6  # charts of a kind, as in the report
_LINK = re.compile(r"<a [^>]*>(?:<title>[^<]*</title>)?|</a>")
_SIZE = re.compile(r'<svg [^>]*width="([\d.]+)" height="([\d.]+)"[^>]*>')


@dataclass(frozen=True)
class Chart:
    """A chart as the page shows it; it is drawn when it is first asked for."""

    name: str  # of its files: lower-case letters, digits and hyphens
    title: str
    caption: str
    not_shown: str  # what a reader must not take from it
    tables: tuple[Table, ...]  # what is drawn, as numbers
    csv: str  # the same with every digit
    draw: Callable[[], str]
    leads: str = "Choose a mark to see the items behind it."  # empty: no mark leads anywhere

    @cached_property
    def inline(self) -> str:
        """The drawing with its links, as markup of the page."""
        named = f'role="group" aria-label="{html.escape(self.title)}"'
        return self.draw().replace('role="group"', named, 1)

    @cached_property
    def svg(self) -> str:
        """The drawing as a file: on white, and without links, which would lead nowhere."""
        plain = _LINK.sub("", self.inline)
        white = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return _SIZE.sub(lambda tag: tag[0] + white, plain, count=1)

    def png(self) -> bytes:
        """The drawing as a picture."""
        import vl_convert

        picture: bytes = vl_convert.svg_to_png(self.svg, scale=SCALE)
        return picture


def rows_csv(rows: Sequence[msgspec.Struct], fields: Sequence[str]) -> str:
    """Rows of the scores as CSV: these fields, with every digit.

    A list is written as its values with spaces between them.
    """
    values = [tuple(_plain(getattr(row, name)) for name in fields) for row in rows]
    return core_table.csv_text([core_table.Table("", tuple(fields), values)])


def values_csv(columns: Sequence[str], rows: Sequence[Sequence[core_table.Value]]) -> str:
    """Rows of plain values as CSV."""
    return core_table.csv_text([core_table.Table("", tuple(columns), rows)])


def _plain(value: Any) -> core_table.Value:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    plain: core_table.Value = value
    return plain
