"""Why records were rejected: counted by kind of reason, as a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Rejection:
    """A kind of reason, how many records it rejected, and the first of them."""

    kind: str
    count: int
    first: str


def count_rejections(tables: Iterable[pa.Table]) -> tuple[Rejection, ...]:
    """The rejected records by kind of reason: what stands before the colon. The most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for rows in tables:
        rejected = rows.filter(pc.equal(rows["status"], "rejected")).select(["id", "error"])
        for row in rejected.to_pylist():
            kind = row["error"].partition(":")[0]
            counts[kind] += 1
            first.setdefault(kind, f"{row['id']!r}: {row['error']}")
    return tuple(Rejection(kind, count, first[kind]) for kind, count in counts.most_common())


def rejection_table(rejections: Sequence[Rejection], rows: int, width: int = 80) -> list[str]:
    """Lines of a table: how many, which share of all records, why, and the first of them below.

    >>> print(*rejection_table([Rejection("no such file", 3, "'a-1': no such file: a.wav")], 60), sep="\\n")
      rejected  share  reason
             3   5.0%  no such file
                       'a-1': no such file: a.wav
    """
    lines = ["  rejected  share  reason"] if rejections else []
    for rejection in rejections:
        lines.append(f"  {rejection.count:8}  {rejection.count / rows:5.1%}  {rejection.kind}")
        lines.append(" " * 19 + _cut(rejection.first, width - 19))
    return lines


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
