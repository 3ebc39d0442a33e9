"""Retention text: the table of each seed and over the seeds in Markdown, and the verdict in words."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev

from safe_data.core import numerals
from safe_data.core.table import Table, render
from safe_train.experiments.retention_result import VALIDATION, Judged, Kept, RetentionResult

COLUMNS = (
    "mechanism",
    "audio",
    "audio, muted",
    "VL: base",
    "VL: other's sound",
    "VL: silence",
    "drift",
    "KL (nats)",
    "flips",
)


def retention_markdown(result: RetentionResult) -> str:
    """The content of retention.md."""
    level = f"{result.confidence:.0%}"
    head = (
        f"Accuracy, drift and flips in percent on the test split, [{level} interval over groups of clips]. "
        "VL questions are asked with the gate open; drift is what the sound of another clip costs against "
        "the base."
    )
    lines = [head, "", *render(retention_tables(result), "markdown"), "", *verdict_lines(result)]
    if any(row.kl_of == VALIDATION for row in result.rows):
        lines += ["", f"KL is over the {VALIDATION}: the predictions have no choice probabilities."]
    return "\n".join(lines) + "\n"


def retention_tables(result: RetentionResult) -> list[Table]:
    """A table for each seed, and one over all seeds if there are several."""
    seeds = list(dict.fromkeys(row.seed for row in result.rows))
    tables = [
        Table(f"Seed {seed}", COLUMNS, [_line(row) for row in result.rows if row.seed == seed])
        for seed in seeds
    ]
    if len(seeds) > 1:
        title = f"Mean ± standard deviation over seeds {', '.join(map(str, seeds))}"
        names = dict.fromkeys(map(_name, result.rows))
        lines = [_mean_line([row for row in result.rows if _name(row) == name]) for name in names]
        tables.insert(0, Table(title, COLUMNS, lines))
    return tables


def verdict_lines(result: RetentionResult) -> list[str]:
    """The verdict and each statement, as list items."""
    return [f"verdict: {result.decision}", *map(_statement, result.judged)]


def _statement(judged: Judged) -> str:
    interval = numerals.interval(judged.ci_low, judged.ci_high, signed=True)
    bound = f"{numerals.difference(judged.value)} {interval}, must be at most {judged.bound:g}"
    note = " (decides nothing)" if judged.severity == "warning" else ""
    return f"- {judged.decision}{note}: {judged.statement}: {judged.evidence}; {bound}"


def _name(row: Kept) -> str:
    return row.mechanism if row.dataset is None else f"{row.dataset}: {row.mechanism}"


def _line(row: Kept) -> list[str]:
    return [
        _name(row),
        _percent(row.audio_accuracy, row.audio_low, row.audio_high),
        _percent(row.audio_muted),
        _percent(row.vl_base),
        _percent(row.vl_accuracy, row.vl_low, row.vl_high),
        _percent(row.vl_muted),
        _percent(row.drift, row.drift_low, row.drift_high),
        _nats(row.kl_nats, row.kl_low, row.kl_high),
        _percent(row.flips),
    ]


def _mean_line(rows: Sequence[Kept]) -> list[str]:
    shares: tuple[Callable[[Kept], float | None], ...] = (
        lambda row: row.audio_accuracy,
        lambda row: row.audio_muted,
        lambda row: row.vl_base,
        lambda row: row.vl_accuracy,
        lambda row: row.vl_muted,
        lambda row: row.drift,
    )
    cells = [_spread([share(row) for row in rows], ".1f", scale=100) for share in shares]
    nats = _spread([row.kl_nats for row in rows], ".2g")
    return [_name(rows[0]), *cells, nats, _spread([row.flips for row in rows], ".1f", scale=100)]


def _spread(found: Sequence[float | None], digits: str, *, scale: float = 1) -> str:
    values = [scale * value for value in found if value is not None]
    if len(values) < len(found):
        return numerals.MISSING
    return _signed(f"{mean(values):{digits}} ± {stdev(values):{digits}}")


def _percent(share: float | None, low: float | None = None, high: float | None = None) -> str:
    if share is None:
        return numerals.MISSING
    low, high = (None if end is None else 100 * end for end in (low, high))
    return _with_interval(100 * share, low, high, ".1f")


def _nats(value: float | None, low: float | None, high: float | None) -> str:
    return numerals.MISSING if value is None else _with_interval(value, low, high, ".2g")


def _with_interval(value: float, low: float | None, high: float | None, digits: str) -> str:
    ends = "" if low is None or high is None else f" [{low:{digits}}, {high:{digits}}]"
    return _signed(f"{value:{digits}}{ends}")


def _signed(text: str) -> str:
    """A true minus, and none before a zero."""
    return text.replace("-0.0", "0.0").replace("-", "−")
