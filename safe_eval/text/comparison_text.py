"""A comparison of two files in any format: differences, tests and flips."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table, Value
from safe_eval.comparison.comparison_file import (
    EQUIVALENT,
    NOT_MEASURED,
    NOT_SHOWN,
    POWER,
    ComparisonFile,
    Difference,
    FlipRow,
    SideCoverage,
)
from safe_eval.comparison.disagreement import DisagreementRow

_DECISIONS = {
    EQUIVALENT: "equivalent",
    NOT_SHOWN: "not shown to be equivalent",
    NOT_MEASURED: "not measured",
}
_SLICE, _FLIP, _REASON = 12, 20, 12  # widths of columns, in characters
_NO_BREAK = "\xa0"  # a space at which lines do not wrap

_DIFFERENCES: dict[str, Callable[[Difference], Value]] = {
    "slice": lambda row: row.slice,
    "mean A": lambda row: row.mean_a,
    "mean B": lambda row: row.mean_b,
    "difference": lambda row: row.difference,
    "low": lambda row: row.ci_low,
    "high": lambda row: row.ci_high,
    "p": lambda row: row.p_value,
    "Holm": lambda row: row.holm_p,
    "BH": lambda row: row.benjamini_hochberg_p,
    "n": lambda row: row.n,
    "clusters": lambda row: row.clusters,
    "effective": lambda row: row.effective_clusters,
}
_TESTS: dict[str, Callable[[Difference], Value]] = {
    "slice": lambda row: row.slice,
    "test of p": lambda row: row.test,
    "McNemar": lambda row: row.mcnemar_p,
    "mid-p": lambda row: row.mcnemar_mid_p,
    "gained": lambda row: row.gained,
    "lost": lambda row: row.lost,
    "detectable": lambda row: row.detectable,
    "equivalence": lambda row: row.equivalence,
    "its low": lambda row: row.equivalence_low,
    "its high": lambda row: row.equivalence_high,
}
_REASONS: dict[str, Callable[[DisagreementRow], Value]] = {
    "score of A": lambda row: row.metric_a,
    "score of B": lambda row: row.metric_b,
    "dataset": lambda row: row.dataset,
    "A": lambda row: row.a,
    "B": lambda row: row.b,
    "differs in": lambda row: row.reason,
    "n": lambda row: row.n,
    "share": lambda row: row.share,
    "compared": lambda row: row.compared,
    "A higher": lambda row: row.a_higher,
    "B higher": lambda row: row.b_higher,
    "first": lambda row: ", ".join(row.examples),
}
_WRITE = {
    **dict.fromkeys(("difference", "low", "high", "its low", "its high"), numerals.difference),
    **dict.fromkeys(("p", "Holm", "BH", "McNemar", "mid-p"), numerals.p_value),
}


COMPARISON_TABLES = ("differences", "tests", "flips", "disagreement", "coverage")  # their names


def comparison_tables(found: ComparisonFile) -> list[Table]:
    """Differences, tests and flips per metric, dataset and arms of A and B; disagreement and coverage."""
    tables = []
    for key in dict.fromkeys(_block(row) for row in found.rows):
        about: dict[str, Value] = dict(zip(("metric", "dataset", "A", "B"), key, strict=True))
        rows = [row for row in found.rows if _block(row) == key]
        for name, columns in (("differences", _DIFFERENCES), ("tests", _TESTS)):
            values = [tuple(value(row) for value in columns.values()) for row in rows]
            tables.append(Table(f"{_title(*key)}: {name}", tuple(columns), values, _WRITE, about, name))
        flips = [
            (flip.of, flip.n, flip.both_right, flip.only_a_right, flip.only_b_right, flip.both_wrong)
            for flip in found.flips
            if _block(flip) == key
        ]
        of = ("right in", "n", "both", "only A", "only B", "neither")
        if flips:
            tables.append(Table(f"{_title(*key)}: flips", of, flips, about=about, name="flips"))
    if found.disagreement:
        reasons = [tuple(write(why) for write in _REASONS.values()) for why in found.disagreement]
        tables.append(Table("disagreement", tuple(_REASONS), reasons, name="disagreement"))
    outcomes = ("side", "dataset", "condition", "expected", "answered", "errored", "unparsed", "excluded")
    coverage = [tuple(getattr(covered, name) for name in outcomes) for covered in found.coverage]
    return [*tables, Table("coverage", outcomes, coverage, name="coverage")]


def comparison_lines(found: ComparisonFile) -> Iterator[str]:
    """The comparison as text of at most 80 columns, without the p values of Benjamini and Hochberg."""
    made = found.provenance
    for side in (found.a, found.b):
        yield f"{side.name}  {side.model}, seed {side.seed}, in {side.file}"
    yield f"{numerals.percent(made.confidence)} intervals, clustered by {made.cluster}"
    for matched in found.matched:
        if matched.same_answers == matched.matched:
            on = f"A {matched.condition_a} and B {matched.condition_b}"
            yield from _wrapped(f"all {matched.matched} answers are the same: {on}")
    for key in dict.fromkeys(_block(row) for row in found.rows):
        rows = [row for row in found.rows if _block(row) == key]
        yield ""
        yield from _wrapped(_title(*key))
        yield from _difference_lines(rows)
        yield from _readings(rows, found)
        yield from _flip_lines([flip for flip in found.flips if _block(flip) == key])
    yield from _disagreement_lines(found.disagreement)
    yield ""
    repeats = sum(row.p_value is not None for row in found.rows) - found.family
    once = f"; {repeats} {'row repeats' if repeats == 1 else 'rows repeat'} another" if repeats else ""
    yield from _wrapped(
        f"Holm: p adjusted over all {found.family} tests{once}; other formats also show Benjamini–Hochberg"
    )
    for covered in found.coverage:
        yield from _coverage_lines(covered)
    for note in found.notes:
        yield from textwrap.wrap(f"note: {note}", COLUMNS, subsequent_indent="      ")
    if found.decision is not None:
        yield ""
        yield from _wrapped(_decision(found), "")


def _decision(found: ComparisonFile) -> str:
    """What was decided, and by which margins."""
    margins = ", ".join(f"{metric} ±{margin:g}" for metric, margin in found.margins.items())
    within = f"±{next(iter(found.margins.values())):g}" if len(set(found.margins.values())) == 1 else margins
    same = ", because all answers are the same" if found.same else ""
    return f"within {within} on {found.decided_on}: {_DECISIONS[str(found.decision)]}{same}"


def _block(row: Difference | FlipRow) -> tuple[str, str | None, str, str]:
    return row.metric, row.dataset, row.a, row.b


def _title(metric: str, dataset: str | None, a: str, b: str) -> str:
    on = "" if dataset is None else f" on {dataset}"
    return f"{metric}{on}: A {a} − B {b}"


def _difference_lines(rows: Sequence[Difference]) -> Iterator[str]:
    yield f"  {'slice':<{_SLICE}}      A      B    A − B  interval               p    Holm       n"
    for row in rows:
        name = numerals.cut(_name(row), _SLICE)
        interval = numerals.interval(row.ci_low, row.ci_high, signed=True)
        yield (
            f"  {name:<{_SLICE}}{numerals.fraction(row.mean_a):>7}{numerals.fraction(row.mean_b):>7}"
            f"{numerals.difference(row.difference):>9}  {interval:<16}{numerals.p_value(row.p_value):>8}"
            f"{numerals.p_value(row.holm_p):>8}{row.n:>8}"
        )


def _readings(rows: Sequence[Difference], found: ComparisonFile) -> Iterator[str]:
    """What else the differences show, slice by slice."""
    tests = dict.fromkeys(row.test for row in rows if row.test is not None)
    for test in tests:
        of = "" if len(tests) == 1 else f" ({', '.join(_name(row) for row in rows if row.test == test)})"
        yield from _wrapped(f"p: {test}{of}", "  ")
    yield from _by_slice(
        "exact McNemar over items, without clusters (mid-p)",
        rows,
        lambda row: row.mcnemar_p is not None,
        lambda row: f"{numerals.p_value(row.mcnemar_p)} ({numerals.p_value(row.mcnemar_mid_p)})",
    )
    least = 1 - found.provenance.confidence
    yield from _by_slice(
        f"not significant; detectable with a power of {numerals.percent(POWER)} from",
        rows,
        lambda row: row.detectable is not None and row.p_value is not None and row.p_value >= least,
        lambda row: numerals.fraction(row.detectable),
    )
    margin = rows[0].margin or 0
    yield from _by_slice(
        f"within ±{margin:g}",
        rows,
        lambda row: row.equivalence is not None,
        lambda row: (
            f"{row.equivalence} {numerals.interval(row.equivalence_low, row.equivalence_high, signed=True)}"
        ),
    )
    yield from _by_slice(
        f"to show that it is within ±{margin:g}",
        rows,
        lambda row: row.equivalence not in (None, EQUIVALENT) and row.equivalence_low is not None,
        lambda row: "no number of items would" if row.would_show is None else str(row.would_show),
    )


def _by_slice(
    about: str,
    rows: Sequence[Difference],
    has: Callable[[Difference], bool],
    write: Callable[[Difference], str],
) -> Iterator[str]:
    told = [f"{_name(row)} {write(row)}".replace(" ", _NO_BREAK) for row in rows if has(row)]
    if told:
        yield from (line.replace(_NO_BREAK, " ") for line in _wrapped(f"{about}: {'; '.join(told)}", "  "))


def _flip_lines(flips: Sequence[FlipRow]) -> Iterator[str]:
    if not flips:
        return
    yield f"  {'right in':<{_FLIP}}       n      both    only A    only B   neither"
    for flip in flips:
        counts = (flip.both_right, flip.only_a_right, flip.only_b_right, flip.both_wrong)
        yield f"  {numerals.cut(flip.of, _FLIP):<{_FLIP}}{flip.n:>8}" + "".join(f"{n:>10}" for n in counts)


def _disagreement_lines(found: Sequence[DisagreementRow]) -> Iterator[str]:
    """Why items are scored differently, a table per pair of scores."""
    keys = dict.fromkeys((row.metric_a, row.metric_b, row.dataset, row.a, row.b) for row in found)
    for key in keys:
        rows = [row for row in found if (row.metric_a, row.metric_b, row.dataset, row.a, row.b) == key]
        metric_a, metric_b, dataset, a, b = key
        scores = metric_a if metric_a == metric_b else f"{metric_a} of A, {metric_b} of B"
        differ, compared = sum(row.n for row in rows), rows[0].compared
        yield ""
        on = "" if dataset is None else f" on {dataset}"
        yield from _wrapped(
            f"disagreement: {scores}{on}: A {a} and B {b} are scored differently on {differ} of {compared} "
            "items"
        )
        yield f"  {'differs in':<{_REASON}}      n    share  A higher  B higher  first"
        for row in rows:
            line = f"  {row.reason:<{_REASON}}{row.n:>7}{numerals.share_text(row.share):>9}"
            line += f"{row.a_higher:>10}{row.b_higher:>10}  {', '.join(row.examples)}"
            yield numerals.cut(line, COLUMNS)


def _coverage_lines(covered: SideCoverage) -> Iterator[str]:
    """The coverage of one side; every answer is in the numbers above, failures as wrong."""
    on = "" if covered.dataset is None else f" on {covered.dataset}"
    failures = [
        f"{count} {name}" for name in ("errored", "unparsed", "excluded") if (count := getattr(covered, name))
    ]
    answered = f"{covered.answered} of {covered.expected} answered"
    yield from _wrapped(f"{covered.side} {covered.condition}{on}: {', '.join([answered, *failures])}")


def _name(row: Difference) -> str:
    return row.slice.removeprefix("type:")


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent=indent, subsequent_indent=indent + "  ")
