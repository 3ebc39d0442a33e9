"""Attention tables: how cross-attention divides itself, and whether that tells that the sound helps."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from safe_eval.report.explanation import (
    Attention,
    Attribution,
    Estimate,
    Explanation,
    Parts,
    Prediction,
)
from safe_eval.report.labels import slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, Unit

Of = TypeVar("Of", Attribution, Attention)
MOST_HEADS = 8  # that are shown one by one; explain.json has all


def attention_tables(found: Explanation) -> Iterator[Table]:
    names = [name for name in slices_of(found.attention) if name in ("all", "audio", "vl")]
    at = {(row.layer, row.head, row.slice): row for row in found.attention}
    heads = {row.head for row in found.attention if row.head is not None}
    shown = heads if len(heads) <= MOST_HEADS else set()
    for title, field, unit in (
        ("Entropy of attention", "entropy", PLAIN),
        ("What is added to the hidden state", "added", PLAIN),
    ):
        note = {
            "entropy": "0: all on one audio token, 1: all alike; where the answer’s first token is chosen",
            "added": "its length by that of the state before",
        }[field]
        yield Table(
            f"{title}, by layer and head",
            note,
            "Head",
            tuple(Column(slice_title(name)) for name in names),
            tuple(
                Row(
                    "all heads" if head is None else f"head {head + 1}",
                    tuple(cell_of(getattr(at[layer, head, name], field), unit) for name in names),
                    group=f"Layer {layer}",
                )
                for layer, head in dict.fromkeys((row.layer, row.head) for row in found.attention)
                if head is None or head in shown
            ),
        )
    types = [name for name in slices_of(found.attention) if name.startswith("type:")]
    layers = list(dict.fromkeys(row.layer for row in found.attention))
    if types:
        yield Table(
            "Attention by question type",
            "entropy over all heads; below, what is added",
            "Questions",
            tuple(Column(f"Layer {layer}") for layer in layers),
            tuple(
                Row(slice_title(name), tuple(_focus(at[layer, None, name]) for layer in layers))
                for name in types
            ),
        )


def _focus(row: Attention) -> Cell:
    added = f"{PLAIN.write(row.added.value)} {PLAIN.interval(row.added.low, row.added.high)} added"
    return Cell(PLAIN.write(row.entropy.value), PLAIN.interval(row.entropy.low, row.entropy.high), (added,))


def prediction_tables(found: Explanation) -> Iterator[Table]:
    names = list(dict.fromkeys(row.slice for row in found.predictions))
    at = {(row.score, row.layer, row.head, row.slice): row for row in found.predictions}
    rows = []
    for score, layer, head in dict.fromkeys((r.score, r.layer, r.head) for r in found.predictions):
        if head is not None:
            continue
        cells = []
        for name in names:
            row = at[score, layer, head, name]
            cells.append(auroc_of(row) or Cell("not measured", lines=(row.why_not or "",)))
        rows.append(Row(score, tuple(cells), group="All layers" if layer is None else f"Layer {layer}"))
    first = {row.slice: row for row in reversed(found.predictions)}
    yield Table(
        "AUROC of numbers against “right with the sound, wrong in silence”",
        "0.5 tells nothing; below 0.5, smaller numbers go with help",
        "Number",
        tuple(
            Column(slice_title(name), detail=f"{first[name].positives} of {first[name].n} helped")
            for name in names
        ),
        tuple(rows),
    )


def auroc_of(row: Parts | Prediction) -> Cell | None:
    """An AUROC and its interval; None where there is none."""
    return None if row.auroc is None else Cell(PLAIN.write(row.auroc), PLAIN.interval(row.low, row.high))


def cell_of(found: Estimate, unit: Unit) -> Cell:
    """A mean and its interval."""
    return Cell(unit.write(found.value), unit.interval(found.low, found.high))


def slices_of(rows: Sequence[Of]) -> list[str]:
    """The slices of rows, in their order."""
    return list(dict.fromkeys(row.slice for row in rows))
