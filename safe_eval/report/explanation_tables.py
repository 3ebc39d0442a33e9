"""Explanation tables: what explain.json holds, as tables of the page; explain.md has the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.attention_tables import (
    attention_tables,
    auroc_of,
    cell_of,
    prediction_tables,
    slices_of,
)
from safe_eval.report.explanation import (
    NOT_SHOWN,
    Association,
    Attribution,
    Explanation,
    GroupRow,
)
from safe_eval.report.labels import slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, Unit

SHARE, POINTS = Unit(is_share=True), Unit(is_share=True, is_difference=True)
DIFFERENCE = Unit(is_share=False, is_difference=True)
METHODS = {
    "gradients": "Integrated gradients",
    "shapley": "Shapley values",
    "shapley given the words": "Shapley values, words always there",
}
PLAYERS = {"words": "Words", "picture": "Picture", "sound": "Sound"}
_ANSWERS = {"all": "All answers", "changed": "Another answer than without", "kept": "The same answer"}
_MOST_PAIRS = 12  # of associations that are shown
_TONES = {"go": "good", "no-go": "bad"}


@dataclass(frozen=True)
class ExplanationPart:
    """One part of the section: its title, its tables, and what its numbers do not show."""

    key: str
    title: str
    tables: tuple[Table, ...]
    not_shown: str


def explanation_parts(found: Explanation) -> list[ExplanationPart]:
    """All parts that have a table, in the order of the section."""
    made: tuple[tuple[str, str, Callable[[Explanation], Iterator[Table]]], ...] = (
        ("checks", "Can the maps be believed?", _checks),
        ("attribution", "What answers rest on", _attribution),
        ("parts", "Parts of the sound", _parts),
        ("attention", "Attention to audio tokens", attention_tables),
        ("predictions", "Does attention tell that the sound helps?", prediction_tables),
        ("influence", "How far the sound moves the answer", _influence),
        ("modes", "How answers come out", _modes),
        ("associations", "Does a sound make the model see things?", _associations),
        ("by_group", "Groups of the metadata", _groups),
    )
    parts = [
        ExplanationPart(key, title, tuple(of(found)), found.not_shown.get(key, NOT_SHOWN[key]))
        for key, title, of in made
    ]
    return [part for part in parts if any(table.rows for table in part.tables)]


def explanation_lead(found: Explanation) -> str:
    """What was explained, and how."""
    gate = "it has no gate" if found.gate is None else f"modes are of its answers with its {found.gate} gate"
    left = ", ".join(f"{numbers.count(count)} {why}" for why, count in found.left_out.items())
    return (
        f"{numbers.count(found.questions, 'question')} in {numbers.count(found.groups, 'group')} of "
        f"{found.dataset}, split {found.split}. Maps are of the model listening to every sound with "
        f"{found.tokens} audio tokens; {gate}. In brackets, {numbers.percent(found.confidence, 0)} % "
        "intervals over groups." + (f" Left out: {left}." if left else "")
    )


def _checks(found: Explanation) -> Iterator[Table]:
    rows = [
        Row(one.name, (Cell(one.decision, tone=_TONES.get(one.decision, "unknown")),), detail=one.evidence)
        for one in found.checks
    ]
    note = f"of {numbers.count(found.checked, 'question')}; completeness of all"
    yield Table("Sanity checks", note, "Check", (Column("Decision"),), tuple(rows))
    shuffled = [
        Row(one.stage, (cell_of(one.correlation, PLAIN),), group=f"Map of {one.map}")
        for one in found.shuffled
    ]
    if shuffled:
        yield Table(
            "Weights shuffled from the top down to a stage",
            "mean rank correlation with the map of the whole model; 1 is the same map",
            "Stage",
            (Column("Correlation"),),
            tuple(shuffled),
        )


def _attribution(found: Explanation) -> Iterator[Table]:
    for method, title in METHODS.items():
        own = [row for row in found.attribution if row.method == method]
        players = list(dict.fromkeys(row.player for row in own))
        at = {(row.slice, row.player): row for row in own}
        yield Table(
            f"{title}, by questions",
            "mean nats of the answer’s log-probability; below, the mean share of the absolute values",
            "Questions",
            tuple(Column(PLAYERS.get(player, player)) for player in players),
            tuple(
                Row(
                    slice_title(name),
                    tuple(_attributed(at.get((name, player))) for player in players),
                    detail=numbers.count(at[name, players[0]].nats.n, "question"),
                )
                for name in slices_of(own)
            ),
        )


def _attributed(row: Attribution | None) -> Cell | None:
    if row is None:
        return None
    share = f"{SHARE.write(row.share.value)} {SHARE.interval(row.share.low, row.share.high)}"
    return Cell(
        DIFFERENCE.write(row.nats.value), DIFFERENCE.interval(row.nats.low, row.nats.high), (share.strip(),)
    )


def _parts(found: Explanation) -> Iterator[Table]:
    if not found.parts:
        return
    first = found.parts[0]
    how = "exact" if first.is_exact else "over random orders"
    why = f"; {first.why_not}" if first.why_not else ""
    yield Table(
        f"Shapley values of {numbers.count(first.count)} {first.unit}",
        f"mean nats, {how}{why}; AUROC: a part with an annotated event gets more than one without",
        "Questions",
        (*(Column(str(number + 1)) for number in range(min(first.count, 4))), Column("AUROC")),
        tuple(
            Row(
                slice_title(row.slice),
                (
                    *(Cell(DIFFERENCE.write(value)) for value in row.nats[:4]),
                    auroc_of(row),
                ),
                detail=numbers.count(row.n, "question"),
            )
            for row in found.parts
        ),
    )


def _influence(found: Explanation) -> Iterator[Table]:
    yield Table(
        "KL of the first token, gate shut ‖ open",
        "nats",
        "Questions",
        (Column("Mean"), Column("Median"), Column("10 % to 90 %"), Column("Above 0.1")),
        tuple(
            Row(
                _ANSWERS[row.answers],
                (
                    cell_of(row.mean, PLAIN),
                    Cell(_small(row.quantiles[1])),
                    Cell(f"{_small(row.quantiles[0])} to {_small(row.quantiles[2])}"),
                    Cell(SHARE.write(row.above)),
                ),
                detail=numbers.count(row.mean.n, "question"),
                group=slice_title(row.slice),
            )
            for row in found.influence
        ),
    )


def _modes(found: Explanation) -> Iterator[Table]:
    yield Table(
        "Every question has one mode",
        "share of the questions of its kind",
        "Mode",
        (Column("Questions"), Column("Share")),
        tuple(
            Row(
                row.mode,
                (
                    Cell(numbers.count(row.count), tone="bad" if row.is_failure else ""),
                    cell_of(row.share, SHARE),
                ),
                detail=row.means if row.slice == found.modes[0].slice else "",
                group=slice_title(row.slice),
            )
            for row in found.modes
        ),
    )


def _associations(found: Explanation) -> Iterator[Table]:
    pairs = found.associations
    shown = [*pairs[:_MOST_PAIRS], *(row for row in pairs[_MOST_PAIRS:] if row.named)]
    largest = max((abs(row.effect.value) for row in pairs), default=0.0)
    sure = sum(row.holm_p < 1 - found.confidence for row in pairs)
    if not pairs:
        return
    yield Table(
        "A wrong answer about the picture, beside a sound of a class",
        f"change of its probability against other classes, in points (pp), of "
        f"{numbers.count(found.association_questions, 'question')}; {numbers.count(len(pairs), 'pair')}, of "
        f"which {sure} differ from 0 after Holm; the largest change is {numbers.points(largest, 2)} pp",
        "Heard and seen",
        (Column("Change"), Column("Probability beside others"), Column("p, Holm")),
        tuple(_association(row) for row in shown),
    )


def _association(row: Association) -> Row:
    effect = row.effect
    low, high = (numbers.points(end, 2) for end in (effect.low, effect.high))
    return Row(
        f"{row.heard} → {row.seen}",
        (
            Cell(f"{numbers.points(effect.value, 2)} pp", numbers.interval(low, high)),
            Cell(numbers.percent(row.chance, 2) + " %"),
            Cell(numerals.p_value(row.holm_p)),
        ),
        detail=f"{numbers.count(effect.n, 'question')} in {numbers.count(effect.groups, 'group')}"
        + ("; of one name" if row.named else ""),
    )


def _groups(found: Explanation) -> Iterator[Table]:
    yield Table(
        "Accuracy where the metadata say so, and what the sound adds to silence",
        "p values are adjusted over all rows (Holm)",
        "Group",
        (Column("Accuracy"), Column("Gain"), Column("p, Holm")),
        tuple(_group(row) for row in found.by_group),
    )


def _group(row: GroupRow) -> Row:
    return Row(
        row.value,
        (cell_of(row.accuracy, SHARE), cell_of(row.gain, POINTS), Cell(numerals.p_value(row.holm_p))),
        detail=f"{numbers.count(row.gain.n, 'question')} in {numbers.count(row.gain.groups, 'group')}",
        group=f"{slice_title(row.slice)}: {row.field}",
    )


def _small(value: float) -> str:
    return numbers.plain(float(f"{value:.2g}"))
