"""Tables: scores and verdicts as lines of at most 80 columns."""

import textwrap
from collections.abc import Iterator

from safe_eval.judging.verdict import GO, Judged, Verdict
from safe_eval.scoring.measures import measure_lines
from safe_eval.scoring.score import Scores
from safe_eval.scoring.slices import COMPARED_SLICES, without_repeats
from safe_eval.tables import numerals
from safe_eval.tables.overview import BESIDE, overview_lines
from safe_eval.tables.seed_tables import seed_lines

_COLUMNS = 80
_NAME = 30  # columns of "safe/mute_audio − base/full"
_DECISION = 14
_ASKED = {
    "value": "",
    "ci_low": "the low end ",
    "ci_high": "the high end ",
    "equivalence": "the equivalence interval ",
}


def scores_table(scores: Scores) -> Iterator[str]:
    """Means, comparisons and coverage; the question types are left to scores.json."""
    made = scores.provenance
    confidence = numerals.percent(made.confidence)
    yield f"{made.rows} predictions; {confidence} intervals, clustered by {made.cluster}"
    for metric, dataset, seed in dict.fromkeys((m.metric, m.dataset, m.seed) for m in scores.metrics):
        if metric in BESIDE:
            continue
        yield ""
        yield f"{metric}, seed {seed}" if dataset is None else f"{metric} on {dataset}, seed {seed}"
        yield from _metric_lines(scores, metric, dataset, seed)
        yield from _comparison_lines(scores, metric, dataset, seed)
    yield from overview_lines(scores)
    yield from seed_lines(scores)
    yield from measure_lines(scores)
    yield ""
    yield f"{'coverage':<17} expected  answered   errored  unparsed  excluded"
    for condition, c in scores.coverage.items():
        missing = c.expected - c.answered - c.errored - c.unparsed - c.excluded
        counts = f"{c.expected:>10}{c.answered:>10}{c.errored:>10}{c.unparsed:>10}{c.excluded:>10}"
        yield f"  {numerals.cut(condition, 13):<13}{counts}" + (f"  {missing} absent" if missing else "")
    for note in scores.notes:
        yield from textwrap.wrap(f"note: {note}", _COLUMNS, subsequent_indent="      ")


def verdict_table(verdict: Verdict) -> Iterator[str]:
    """Each criterion with what was found, what was asked for, and the evidence; the decision last."""
    for row in verdict.criteria:
        warning = " (a warning: decides nothing)" if row.severity == "warning" else ""
        yield f"{row.decision:<{_DECISION}}{row.name}{warning}"
        indent = " " * _DECISION
        for text in (f"{_found(row)}; asked for {_ASKED[row.use]}{row.bound}", row.evidence):
            yield from textwrap.wrap(text, _COLUMNS, initial_indent=indent, subsequent_indent=indent)
    yield ""
    kept = sum(row.decision == GO for row in verdict.criteria)
    yield f"verdict: {verdict.decision} ({kept} of {len(verdict.criteria)} criteria hold)"


def _metric_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    yield f"  {'':<{_NAME}} slice     mean  interval             n clusters"
    own = [m for m in scores.metrics if (m.metric, m.dataset, m.seed) == (metric, dataset, seed)]
    compared = [m for m in own if m.slice in COMPARED_SLICES]
    for m in without_repeats(compared, ("model", "condition")):
        name = numerals.cut(f"{m.model}/{m.condition}", _NAME) if m.slice == "all" else ""
        interval = numerals.interval(m.ci_low, m.ci_high)
        yield (
            f"  {name:<{_NAME}} {m.slice:<6} {numerals.fraction(m.value):>7}  {interval:<14}"
            f"{m.n:>7}{m.clusters:>9}"
        )


def _comparison_lines(scores: Scores, metric: str, dataset: str | None, seed: int) -> Iterator[str]:
    pairs = [c for c in scores.comparisons if (c.metric, c.dataset, c.seed) == (metric, dataset, seed)]
    if not pairs:
        return
    yield ""
    yield f"  {'':<{_NAME}} slice  difference  interval               p"
    shown = ""
    for pair in without_repeats(pairs, ("a", "b")):
        name = f"{pair.a} − {pair.b}"
        interval = numerals.interval(pair.ci_low, pair.ci_high, signed=True)
        yield (
            f"  {numerals.cut(name, _NAME) if name != shown else '':<{_NAME}} {pair.slice:<6} "
            f"{numerals.difference(pair.difference):>10}  {interval:<16} {numerals.p_value(pair.p_value):>7}"
        )
        shown = name
    tests = sorted({pair.test for pair in pairs if pair.test is not None})
    yield f"  p: {' or '.join(tests) or 'not measured'}"


def _found(row: Judged) -> str:
    """The value with its interval; a count, or a whole share, has none."""
    if row.value is None:
        return "not measured"
    if row.ci_low is None and row.value.is_integer():
        return f"{row.value:.0f}"
    value = f"{row.value:.4f}".replace("-", "−")
    return value if row.ci_low is None else f"{value} {numerals.interval(row.ci_low, row.ci_high)}"
