"""Disagreement: where the runs that are shown answer the same items differently, as a part of the page."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from typing import Protocol

from safe_data.core import numerals
from safe_data.core.errors import require_extra
from safe_eval.comparison.disagreement import REASONS, reason
from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.report.markup import REPORT, template
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import unit_of
from safe_eval.viewer.arm_pairs import (
    MOST_PAIRS,
    ArmPair,
    Example,
    Side,
    arm_pairs,
    numbered_examples,
)
from safe_eval.viewer.links import NOT_RIGHT, items
from safe_eval.viewer.told import Seen

MOST_EXAMINED = 1000  # items of a pair whose answers are read to say why they differ
_COUNTED = (
    "Items of both",
    "Both right",
    "Only A right",
    "Only B right",
    "Both wrong, alike",
    "Both wrong, apart",
)
_WHY = {
    "prompt": "Another prompt",
    "answer": "Another answer",
    "parsing": "Read otherwise",
    "scoring": "Scored otherwise",
}

Numbers = Mapping[tuple[str, str, str, int], int]  # of arms, by run, model, condition and seed
Rows = Callable[[str | None, str], Mapping[int, Prediction]]  # of a dataset and an example id, by arm


class SeenRows(Seen, Protocol):
    """The runs that are shown, with the answers to an item."""

    def rows_of(self, item: int, /) -> Mapping[int, Prediction]: ...


def compare_html(seen: SeenRows, kept: Collection[int] | None = None) -> str:
    """The comparison of the runs that are shown, as a fragment of HTML; `kept` are the items that count.

    Raises:
        InputError: see `disagreement_of`.
    """
    examples = numbered_examples(seen.runs)
    numbers_of = {example: number for number, example in enumerate(examples)}

    def rows(dataset: str | None, example: str) -> Mapping[int, Prediction]:
        found = seen.rows_of(numbers_of[dataset, example])
        return {arm: row for arm, row in found.items() if row.example_id == example}

    return disagreement_of(seen, rows, None if kept is None else {examples[number] for number in kept})


def disagreement_of(seen: Seen, rows: Rows, kept: Set[Example] | None = None) -> str:
    """The comparison, with the answers of each arm to an example; `kept` are the examples that count.

    Raises:
        InputError: a package of the `report` extra is missing; or see `arm_pairs`.
    """
    require_extra("the viewer", "view", "jinja2")
    arms = {(arm.run, arm.model, arm.condition, arm.seed): arm.arm for arm in seen.arms}
    pairs = arm_pairs(seen.runs, seen.metric_of, kept)
    several = len(seen.runs) > 1
    tables = [
        _counts(pairs, arms, several),
        _differences(pairs, several, seen.runs[0].scores.provenance.confidence),
        _reasons(pairs, arms, several, rows),
    ]
    return template("disagreement.html.j2", ("safe_eval.viewer", REPORT)).render(
        table_ids="compare-",
        tables=[table for table in tables if pairs],
        apart=list(_apart(seen, pairs)),
        one=not several,
        filtered=kept is not None,
        most=MOST_PAIRS if len(pairs) == MOST_PAIRS else 0,
    )


def _counts(pairs: Sequence[ArmPair], arms: Numbers, several: bool) -> Table:
    """How many items each pair answered alike and apart; each count leads to its items."""
    several_sets = len({pair.dataset for pair in pairs}) > 1
    return Table(
        caption="Agreement",
        note="items that both were asked under the full input; right from a score of 0.5 on; alike: with "
        "the same answer, letter by letter",
        first="A beside B",
        columns=tuple(map(Column, _COUNTED)),
        rows=tuple(_row(pair, several, tuple(_counted(pair, arms, several_sets))) for pair in pairs),
    )


def _counted(pair: ArmPair, arms: Numbers, several_sets: bool) -> Iterator[Cell]:
    found, a, b = pair.counts, arms.get(pair.a.number_key), arms.get(pair.b.number_key)
    both = [("outcome", f"{a}:{NOT_RIGHT}"), ("outcome", f"{b}:{NOT_RIGHT}")]
    right = [("outcome", f"{a}:right"), ("outcome", f"{b}:right")]
    filters = [
        (found.both, None),
        (found.right, right),
        (found.only_a, [("flip", f"{a}:{b}:gained")]),
        (found.only_b, [("flip", f"{a}:{b}:lost")]),
        (found.wrong_alike, both),
        (found.wrong_apart, both),
    ]
    of_set = [("dataset", pair.dataset)] if pair.dataset and several_sets else []
    for count, query in filters:
        leads = count > 0 and query is not None and None not in (a, b)
        share = numbers.share(count / found.both) if query is not None else ""
        href = items([*(query or ()), *of_set], "").href if leads else ""
        yield Cell(numbers.count(count), share, href=href)


def _differences(pairs: Sequence[ArmPair], several: bool, confidence: float) -> Table:
    """A − B of each pair with its interval and p."""
    return Table(
        caption="A − B",
        note="differences of shares in percentage points (pp); in brackets, the "
        f"{numbers.percent(confidence, 0)} % interval by clusters; Holm: p adjusted over all pairs here, "
        "repeats once",
        first="A beside B",
        columns=(Column("Difference"), Column("p"), Column("Holm p"), Column("Asked of one only")),
        rows=tuple(_row(pair, several, _difference(pair)) for pair in pairs),
    )


def _difference(pair: ArmPair) -> tuple[Cell | None, ...]:
    found, unit = pair.compared, unit_of(pair.metric, difference=True)
    tested = "not measured" if found.p_value is None else numerals.p_value(found.p_value)
    return (
        Cell(unit.write(found.difference), unit.interval(found.ci_low, found.ci_high)),
        Cell(tested, lines=(found.test,) if found.test else ()),
        Cell(numerals.p_value(found.holm_p)) if found.holm_p is not None else None,
        Cell(
            numbers.count(found.only_a + found.only_b),
            lines=(f"A {numbers.count(found.only_a)}, B {numbers.count(found.only_b)}",),
        ),
    )


def _reasons(pairs: Sequence[ArmPair], arms: Numbers, several: bool, rows: Rows) -> Table:
    """Why items are scored differently."""
    return Table(
        caption="Why they differ",
        note=f"items that are scored differently, by the first thing that differs; of each pair, the first "
        f"{numbers.count(MOST_EXAMINED)} at most are looked into",
        first="A beside B",
        columns=(Column("Scored differently"), *(Column(_WHY[why]) for why in REASONS)),
        rows=tuple(_row(pair, several, _why(pair, arms, rows)) for pair in pairs),
        empty="–",
    )


def _why(pair: ArmPair, arms: Numbers, rows: Rows) -> tuple[Cell | None, ...]:
    a, b = arms.get(pair.a.number_key), arms.get(pair.b.number_key)
    found: Counter[str] = Counter()
    higher: Counter[str] = Counter()
    for example, is_higher in zip(pair.differing[:MOST_EXAMINED], pair.a_higher, strict=False):
        answers = rows(pair.dataset, example)
        one, other = (None if arm is None else answers.get(arm) for arm in (a, b))
        if one is None or other is None:
            continue
        why = reason(one, other, pair.metric)
        found[why] += 1
        higher[why] += bool(is_higher)
    total, looked = len(pair.differing), found.total()
    lines = () if looked == total else (f"{numbers.count(looked)} of them looked into",)
    cells = [_reason(found[why], higher[why]) if found[why] else None for why in REASONS]
    return (Cell(numbers.count(total), lines=lines), *cells)


def _reason(count: int, higher: int) -> Cell:
    sides = f"A higher {numbers.count(higher)}, B higher {numbers.count(count - higher)}"
    return Cell(numbers.count(count), lines=(sides,))


def _row(pair: ArmPair, several: bool, cells: tuple[Cell | None, ...]) -> Row:
    a, b = (_named(side, several) for side in (pair.a, pair.b))
    seeds = "" if pair.a.seed == pair.b.seed == 0 else f", seed {pair.a.seed} beside {pair.b.seed}"
    on = f" on {pair.dataset}" if pair.dataset else ""
    return Row(f"{a} beside {b}", cells, detail=f"{pair.metric}{on}{seeds}")


def _named(side: Side, several: bool) -> str:
    return f"{side.run}: {side.model}" if several else side.model


def _apart(seen: Seen, pairs: Sequence[ArmPair]) -> Iterator[str]:
    """The pairs of runs that answered no item in common."""
    met = {frozenset((pair.a.run, pair.b.run)) for pair in pairs}
    names = [run.name for run in seen.runs]
    for number, later in enumerate(names):
        for earlier in names[:number]:
            if frozenset((later, earlier)) not in met:
                yield f"{later} beside {earlier}"
