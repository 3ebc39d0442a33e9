"""Hearing on the page: what goes without the sound, what stays beside others, and whom the answers follow."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from safe_eval.report import numbers
from safe_eval.report.labels import Models, arm_key, set_title, slice_title, slices_in_order
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, Unit
from safe_eval.results.contradiction import FOLLOWS, ContradictionRow
from safe_eval.results.irrelevance import (
    ACCURACY,
    ANSWERS_CHANGED,
    FALSE_CONSULTATION,
    KEPT,
    IrrelevanceRow,
)
from safe_eval.results.lomo import LomoRow
from safe_eval.results.lomo_agreement import LomoAgreementRow
from safe_eval.results.sound_kinds import ALL
from safe_eval.scoring.scores import Scores

Of = TypeVar("Of", LomoRow, LomoAgreementRow, IrrelevanceRow, ContradictionRow)
Set = tuple[str | None, str | None, int | None]  # metric, dataset, seed
Arm = tuple[str, str]  # model and condition

SHARE, POINTS = Unit(is_share=True), Unit(is_share=True, is_difference=True)
_NEED = {
    "declared_and_shown": "Declared and shown",
    "only_declared": "Only declared",
    "only_shown": "Only shown",
    "neither": "Neither",
}
_MEASURES = {
    ACCURACY: "Accuracy",
    KEPT: "Accuracy",
    ANSWERS_CHANGED: "Answers changed",
    FALSE_CONSULTATION: "Sound consulted",
}
FOLLOWED = {"picture": "The picture", "sound": "The sound", "neither": "Neither", "abstained": "Abstains"}


def hearing_tables(scores: Scores, models: Models) -> list[Table]:
    """The tables of the section, each per metric, dataset and seed, and over seeds where rows are."""
    return [
        *(drop_table(key, rows, models) for key, rows in by_set(scores.lomo)),
        *(_need(key, rows, models) for key, rows in by_set(scores.lomo_agreement)),
        *(_beside(key, rows, models) for key, rows in _irrelevance(scores)),
        *(followed_table(key, rows, models) for key, rows in by_set(scores.contradiction)),
    ]


def by_set(rows: Sequence[Of]) -> Iterator[tuple[Set, list[Of]]]:
    """The rows by metric, dataset and seed; without those of each seed where all seeds have rows together."""
    found: dict[Set, list[Of]] = {}
    for row in rows:
        found.setdefault((row.metric, row.dataset, row.seed), []).append(row)
    for (metric, dataset, seed), own in found.items():
        if seed is None or (metric, dataset, None) not in found:
            yield (metric, dataset, seed), own


def _irrelevance(scores: Scores) -> Iterator[tuple[Set, list[IrrelevanceRow]]]:
    """The rows of each metric, with those of consultation, which has none."""
    found = dict(by_set(scores.irrelevance))
    judged = {(dataset, seed) for metric, dataset, seed in found if metric is not None}
    for (metric, dataset, seed), rows in found.items():
        if metric is not None:
            yield (metric, dataset, seed), [*rows, *found.get((None, dataset, seed), [])]
        elif (dataset, seed) not in judged:
            yield (None, dataset, seed), rows


def drop_table(key: Set, rows: Sequence[LomoRow], models: Models) -> Table:
    """A row per slice and question type; the cells say how much of the drop is beyond that on pictures."""
    found = {(row.slice, (row.model, row.condition)): row for row in rows}
    names = [name for name in slices_in_order(row.slice for row in rows) if name != "all"] or ["all"]
    return Table(
        caption=_caption("Accuracy lost", key),
        note=f"full input − condition, in percentage points (pp); {_level(rows)}",
        first="Questions",
        columns=_columns(rows, models),
        rows=tuple(
            Row(
                slice_title(name),
                tuple(_drop(found.get((name, arm))) for arm in _arms(rows)),
                detail=_sizes(found[name, arm].asked for arm in _arms(rows) if (name, arm) in found),
            )
            for name in names
        ),
    )


def _drop(row: LomoRow | None) -> Cell | None:
    if row is None or row.drop is None:
        return None
    beyond: tuple[str, ...] = ()
    if row.beyond_vl is not None:
        around = POINTS.interval(row.beyond_vl_low, row.beyond_vl_high)
        beyond = tuple(filter(None, (f"{POINTS.write(row.beyond_vl)} beyond VL", around)))
    return Cell(POINTS.write(row.drop), POINTS.interval(row.drop_low, row.drop_high), beyond)


def _need(key: Set, rows: Sequence[LomoAgreementRow], models: Models) -> Table:
    """Counts of declared × shown need of the sound, and kappa."""
    counts = [
        Row(title, tuple(Cell(numbers.count(getattr(row, field))) for row in rows))
        for field, title in _NEED.items()
    ]
    kappas = tuple(
        None
        if row.kappa is None
        else Cell(PLAIN.write(row.kappa), PLAIN.interval(row.kappa_low, row.kappa_high))
        for row in rows
    )
    return Table(
        caption=_caption("Need of the sound, declared and shown", key),
        note=f"questions; shown: right under full input and wrong without the sound; {_level(rows)}",
        first="Questions",
        columns=_columns(rows, models),
        rows=(*counts, Row("Cohen’s kappa", kappas, detail="1: they agree, 0: as by chance")),
    )


def _beside(key: Set, rows: Sequence[IrrelevanceRow], models: Models) -> Table:
    """A row per kind of sound, measure, and arm that is compared with."""
    found = {(row.sound, row.measure, row.against, (row.model, row.condition)): row for row in rows}
    lines = dict.fromkeys((row.sound, row.measure, row.against) for row in rows)
    several = len({row.sound for row in rows}) > 1
    order = list(_MEASURES)
    return Table(
        caption=_caption("Pictures beside sounds that do not matter", key),
        note=f"shares in percent, differences in percentage points (pp); {_level(rows)}; one-sided limits",
        first="VL questions",
        columns=_columns(rows, models),
        rows=tuple(
            Row(
                _MEASURES[measure] + (f" beside {against}" if measure == ANSWERS_CHANGED and against else ""),
                tuple(_measure(found.get((sound, measure, against, arm))) for arm in _arms(rows)),
                group=("Every sound" if sound == ALL else f"Sound: {sound}") if several else "",
                less=against or "" if measure == KEPT else "",
            )
            for sound, measure, against in sorted(
                lines, key=lambda line: (line[0] != ALL, line[0], order.index(line[1]), line[2] or "")
            )
        ),
        empty="–",
    )


def _measure(row: IrrelevanceRow | None) -> Cell | None:
    if row is None:
        return None
    if row.value is None:
        return Cell("not measured", lines=(row.why_not or "",))
    unit = POINTS if row.measure == KEPT else SHARE
    side = "at least" if row.measure in (KEPT, ACCURACY) else "at most"
    limit = "" if row.limit is None else f"{side} {unit.write(row.limit)}"
    return Cell(unit.write(row.value), unit.interval(row.ci_low, row.ci_high), (limit,) if limit else ())


def followed_table(key: Set, rows: Sequence[ContradictionRow], models: Models) -> Table:
    """A row per model and slice; the cells say how much more than with the gate off."""
    found = {(row.model, row.slice, row.follows): row for row in rows}
    lines = dict.fromkeys((row.model, row.slice) for row in rows)
    names = slices_in_order(name for _, name in lines)
    return Table(
        caption=_caption("Whom answers follow where the sound contradicts", key),
        note=f"in percent; by hearing: less the share with the gate off, in points (pp); {_level(rows)}",
        first="Questions",
        columns=tuple(Column(FOLLOWED[follows]) for follows in FOLLOWS),
        rows=tuple(
            Row(
                slice_title(name),
                tuple(_share(found[model, name, follows]) for follows in FOLLOWS),
                detail=numbers.count(found[model, name, FOLLOWS[0]].n, "item"),
                group=models.title(model, "full"),
            )
            for model, name in sorted(lines, key=lambda line: (line[0], names.index(line[1])))
        ),
    )


def _share(row: ContradictionRow) -> Cell | None:
    if row.value is None:
        return Cell("not measured", lines=(row.why_not or "",))
    gap: tuple[str, ...] = ()
    if row.difference is not None:
        around = POINTS.interval(row.difference_low, row.difference_high)
        gap = tuple(filter(None, (f"{POINTS.write(row.difference)} by hearing", around)))
    return Cell(SHARE.write(row.value), SHARE.interval(row.ci_low, row.ci_high), gap)


def _caption(what: str, key: Set) -> str:
    return f"{what} · {set_title(key[0] or '', key[1], key[2])}".removesuffix(" · ")


def _arms(rows: Sequence[Of]) -> list[Arm]:
    return list(dict.fromkeys((row.model, row.condition) for row in rows))


def _columns(rows: Sequence[Of], models: Models) -> tuple[Column, ...]:
    return tuple(Column(models.title(*arm), arm_key(*arm)) for arm in _arms(rows))


def _level(rows: Sequence[Of]) -> str:
    return f"in brackets, the {numbers.percent(rows[0].confidence, 0)} % interval"


def _sizes(counts: Iterator[int]) -> str:
    """How many items, where all arms answered as many."""
    sizes = set(counts)
    return numbers.count(sizes.pop(), "item") if len(sizes) == 1 else ""
