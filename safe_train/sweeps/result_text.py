"""Result text: the tables and the decision of a sweep as Markdown, LaTeX and CSV."""

from collections.abc import Sequence

from safe_data.core.numerals import MISSING
from safe_data.core.table import Table, Value, csv_text, render
from safe_train.sweeps.evidence import Tested
from safe_train.sweeps.measured import Measured
from safe_train.sweeps.result import SweepResult, csv_table, results_table
from safe_train.sweeps.rules import Ruled

_LEGEND = (
    "audio: accuracy on audio questions beside their own sound, in points, as gain against the base; VL and "
    "drift: accuracy on VL questions beside an irrelevant sound, and what that loses against the base; ms: a "
    "request at batch 1, and as a multiple of the base's; swing: oscillation of the loss; wrong: audio + VL "
    "questions wrong on every seed; intervals: 95 % unless said, for new seeds and questions at once."
)


def markdown(result: SweepResult) -> str:
    """results.md: the table, the decision, and the tests behind it."""
    lines = [f"# Sweep {result.grid}", ""]
    lines += [result.about, ""] if result.about else []
    lines += [*render([results_table(result)], "markdown"), "", legend(result), ""]
    lines += [f"**Decision: {result.decision}**", "", *(f"- {line}" for line in rule_lines(result.rules)), ""]
    for table in test_tables(result):
        lines += [*render([table], "markdown"), ""]
    lines += ["Questions wrong on every seed of every point: " + _wrong(result), ""]
    return "\n".join(lines)


def latex(result: SweepResult) -> str:
    """results.tex: the table, with every name escaped."""
    return "\n".join([*render([results_table(result)], "latex"), ""])


def csv(result: SweepResult) -> str:
    """results.csv: every metric of every point, in full."""
    return csv_text([csv_table(result)])


def wrong_csv(points: Sequence[Measured]) -> str:
    """wrong.csv: a row for each question that a point got wrong on every seed, and how many points did."""
    found = [one for point in points for one in point.wrong]
    counts: dict[tuple[str, str], int] = {}
    for one in found:
        counts[one.kind, one.example_id] = counts.get((one.kind, one.example_id), 0) + 1
    rows: list[list[Value]] = [
        [one.point, one.kind, one.example_id, one.cluster, counts[one.kind, one.example_id]] for one in found
    ]
    return csv_text([Table("wrong", ("point", "slice", "example_id", "cluster", "points"), rows)])


def legend(result: SweepResult) -> str:
    """What the columns say."""
    return _LEGEND.replace("95 % unless said", f"{100 * result.confidence:g} %")


def rule_lines(rules: Sequence[Ruled]) -> list[str]:
    """Each rule in a line: its name, its decision, and why."""
    if not rules:
        return ["not measured: the grid has no rule; add one under 'rules'"]
    return [f"{one.name}: {one.decision}: {one.statement}" for one in rules]


def test_tables(result: SweepResult) -> list[Table]:
    """The tests of each rule."""
    columns = ("point", "metric", "value", "interval", "must be", "p", "Holm p", "found", "needs")
    return [
        Table(f"Tests of {one.name}", columns, [_test_row(test) for test in one.tests], name="tests")
        for one in result.rules
        if one.tests
    ]


def _test_row(test: Tested) -> list[Value]:
    metric = test.metric if test.against is None else f"{test.metric} less that of {test.against}"
    interval = None
    if test.ci_low is not None and test.ci_high is not None:
        interval = f"[{_number(test.ci_low)}, {_number(test.ci_high)}]"
    return [
        test.point,
        metric,
        _number(test.value),
        interval,
        test.bound,
        _p(test.p_value),
        _p(test.p_adjusted),
        test.found,
        test.needs,
    ]


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}".replace("-", "−")


def _p(value: float | None) -> str | None:
    """A p value; above 0.5 it says nothing, and is not computed."""
    if value is None:
        return None
    return "> 0.5" if value > 0.5 else f"{value:.2g}"


def _wrong(result: SweepResult) -> str:
    if not result.wrong_always:
        return MISSING
    return ", ".join(f"{count} {kind}" for kind, count in result.wrong_always.items()) + " (wrong.csv)"
