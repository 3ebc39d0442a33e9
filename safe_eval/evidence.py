"""Evidence: the numbers in the scores that a criterion asks for, and where they come from in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from safe_eval import numerals
from safe_eval.comparisons import Comparison
from safe_eval.coverage import CellCoverage
from safe_eval.criterion import CHANGED, COVERAGE, Criterion, Use
from safe_eval.metric import Metric
from safe_eval.score import Scores


@dataclass(frozen=True)
class Evidence:
    """What one dataset and seed say; None for what was not measured."""

    text: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    equivalence: tuple[float | None, float | None] = (None, None)

    def numbers(self, use: Use) -> tuple[float | None, ...]:
        """The numbers that all have to keep the bound."""
        if use == "equivalence":
            return self.equivalence
        return ({"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high}[use],)


def evidence(criterion: Criterion, scores: Scores) -> list[Evidence]:
    """What the scores say about a criterion, once for each dataset and seed; never empty."""
    if criterion.metric == COVERAGE:
        cells = [c for c in scores.cells if criterion.condition in (None, f"{c.model}/{c.condition}")]
        found = [_of_coverage(cells)] if cells else []
    elif criterion.against is None:
        asked = (criterion.metric, criterion.slice, criterion.condition)
        found = [
            _of_mean(m) for m in scores.metrics if (m.metric, m.slice, f"{m.model}/{m.condition}") == asked
        ]
    else:
        sides = (criterion.slice, criterion.condition, criterion.against)
        pairs = [pair for pair in scores.comparisons if (pair.slice, pair.a, pair.b) == sides]
        if criterion.metric == CHANGED:
            found = [_of_changes(pair) for pair in pairs]
        else:
            found = [_of_difference(pair) for pair in pairs if pair.metric == criterion.metric]
    return found or [Evidence(_nothing(criterion))]


def _of_coverage(cells: Sequence[CellCoverage]) -> Evidence:
    answered, expected = sum(cell.answered for cell in cells), sum(cell.expected for cell in cells)
    text = f"{answered} of {expected} examples answered"
    worst = min(cells, key=lambda cell: cell.answered / cell.expected)
    if worst.answered < worst.expected:
        text += f"; fewest by {worst.model}/{worst.condition}: {worst.answered} of {worst.expected}"
    return Evidence(text, value=answered / expected)


def _of_mean(row: Metric) -> Evidence:
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n} in {row.clusters} clusters"
    return Evidence(
        text + _made(row.interval) + _whence(row), value=row.value, ci_low=row.ci_low, ci_high=row.ci_high
    )


def _of_changes(pair: Comparison) -> Evidence:
    if pair.only_a or pair.only_b or not pair.n:
        return Evidence(
            f"not every example has both answers: {pair.only_a} only {pair.a}, {pair.only_b} only {pair.b}"
        )
    text = f"{pair.changed} of {pair.n} answers of {pair.a} differ from {pair.b}"
    return Evidence(text + _whence(pair), value=float(pair.changed))


def _of_difference(pair: Comparison) -> Evidence:
    text = f"{pair.a} − {pair.b} on {pair.slice}: {pair.gained} gained, {pair.lost} lost"
    text += f", n {pair.n} in {pair.clusters} clusters"
    if pair.only_a or pair.only_b:
        text += f", {pair.only_a + pair.only_b} without a partner"
    if pair.test is not None:
        text += f", {pair.test} p {numerals.p_value(pair.p_value)}"
    equivalence = (pair.equivalence_low, pair.equivalence_high)
    text += f", equivalence {numerals.interval(*equivalence, signed=True)}"
    return Evidence(
        text + _made(pair.interval) + _whence(pair),
        value=pair.difference,
        ci_low=pair.ci_low,
        ci_high=pair.ci_high,
        equivalence=equivalence,
    )


def _made(interval: str | None) -> str:
    return f", interval: {interval or 'not measured'}"


def _whence(row: Metric | Comparison) -> str:
    return f" ({row.dataset}, seed {row.seed})" if row.dataset else f" (seed {row.seed})"


def _nothing(criterion: Criterion) -> str:
    if criterion.metric == COVERAGE:
        return f"the scores hold no {criterion.condition}"
    against = f" beside {criterion.against}" if criterion.against else ""
    return f"the scores hold no {criterion.condition}{against} on slice {criterion.slice}"
