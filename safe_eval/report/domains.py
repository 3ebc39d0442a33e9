"""Curves and domains on the page: where half of the gain is gone, and what the sound adds on each dataset."""

from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.labels import set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import unit_of
from safe_eval.results.domains import DomainDifference, DomainRow
from safe_eval.results.half_gain import HalfGainRow
from safe_eval.scoring.scores import Scores
from safe_eval.text.curve_text import CURVE_TITLES, half_interval, level_words

_Key = tuple[str, str | None, int | None]


def half_gain_tables(scores: Scores) -> list[Table]:
    """A table per metric and dataset: a row per curve and model."""
    groups: dict[_Key, list[HalfGainRow]] = {}
    for row in scores.half_gain:
        groups.setdefault((row.metric, row.dataset, row.seed), []).append(row)
    return [
        Table(
            caption=f"Where half of the audio gain is gone · {_title(key)}",
            note="on questions about the sound; the gain is the accuracy with the sound less that without "
            f"it; in brackets, the {numbers.percent(rows[0].confidence, 0)} % interval, < or > where it "
            "leaves the levels that were asked",
            first="Curve",
            columns=(Column("Audio gain"), Column("Half is gone at")),
            rows=tuple(
                Row(CURVE_TITLES[row.kind].capitalize(), _half_cells(row), group=row.model) for row in rows
            ),
        )
        for key, rows in groups.items()
        if key[2] is None or (*key[:2], None) not in groups
    ]


def domain_tables(scores: Scores) -> list[Table]:
    """What the sound adds on each dataset of a model, and how these gains differ; a table per seed."""
    seeds = dict.fromkeys(row.seed for row in scores.domains)
    shown = [None] if None in seeds else list(seeds)
    tables = []
    for seed in shown:
        rows = [row for row in scores.domains if row.seed == seed]
        differences = [row for row in scores.domain_differences if row.seed == seed]
        title = "over seeds" if seed is None else f"seed {seed}"
        level = numbers.percent(rows[0].confidence, 0)
        tables.append(
            Table(
                caption=f"One model on several datasets · {title}",
                note=f"in brackets, the {level} % interval; the gain is over the model without the sound",
                first="Dataset",
                columns=(Column("Accuracy"), Column("Audio gain")),
                rows=tuple(map(_domain, _in_order(rows))),
            )
        )
        if differences:
            tables.append(
                Table(
                    caption=f"Audio gain on one dataset − on another · {title}",
                    note=f"in brackets, the {level} % interval; Holm: p adjusted over the pairs of a slice",
                    first="Gain on the first − on the second",
                    columns=(Column("Difference"), Column("Holm p")),
                    rows=tuple(map(_difference, differences)),
                )
            )
    return tables


def _title(key: _Key) -> str:
    return set_title(*key) + (" · over seeds" if key[2] is None else "")


def _half_cells(row: HalfGainRow) -> tuple[Cell | None, Cell | None]:
    unit = unit_of(row.metric, difference=True)
    gain = None
    if row.gain is not None:
        gain = Cell(unit.write(row.gain), unit.interval(row.gain_low, row.gain_high))
    if row.level is None:
        return gain, Cell("not measured", lines=(row.why_not or "",), tone="unknown")
    lines = (f"interval not measured: {row.why_no_interval}",) if row.why_no_interval else ()
    return gain, Cell(level_words(row.level, row.unit), half_interval(row), lines)


def _in_order(rows: Sequence[DomainRow]) -> Iterator[DomainRow]:
    """The rows of each model and slice together."""
    for key in dict.fromkeys((row.model, row.slice) for row in rows):
        yield from (row for row in rows if (row.model, row.slice) == key)


def _domain(row: DomainRow) -> Row:
    unit, change = unit_of(row.metric), unit_of(row.metric, difference=True)
    gain = None
    if row.gain is not None:
        gain = Cell(change.write(row.gain), change.interval(row.gain_low, row.gain_high))
    detail = f"{row.metric}, {numbers.count(row.n, 'item')} in {numbers.count(row.clusters, 'cluster')}"
    return Row(
        row.dataset or numerals.MISSING,
        (Cell(unit.write(row.value), unit.interval(row.ci_low, row.ci_high)), gain),
        detail=detail + (f"; no gain: {row.why_not}" if row.why_not else ""),
        group=f"{row.model}, {slice_title(row.slice)}",
    )


def _difference(row: DomainDifference) -> Row:
    unit = unit_of(row.metric_a, difference=True)
    value = Cell(unit.write(row.difference), unit.interval(row.ci_low, row.ci_high))
    return Row(
        row.dataset_a or numerals.MISSING,
        (value, Cell(numerals.p_value(row.holm_p)) if row.holm_p is not None else None),
        group=f"{row.model}, {slice_title(row.slice)}",
        less=row.dataset_b or numerals.MISSING,
    )
