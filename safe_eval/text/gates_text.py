"""Gates as text: what a model's gate skips, loses, saves and pays, one line a measure."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.arms.consultation import SKIPPED
from safe_eval.arms.pairs import ALWAYS_ON
from safe_eval.results.gate_row import (
    AT_LEAST,
    DROP,
    HARMED,
    HELPED,
    INFLUENCED,
    TOKENS,
    GateRow,
    rows_to_show,
)
from safe_eval.results.gate_times import BREAK_EVEN, GATE_MS, GATE_TIMES
from safe_eval.results.gates import BY_KL, GATE_MEASURES, INFLUENCE_NATS
from safe_eval.results.irrelevance import FALSE_CONSULTATION
from safe_eval.scoring.scores import Scores

_NAME = 34  # "sound consulted on vl, noise_audio"
TITLES = {
    SKIPPED: "skipped",
    FALSE_CONSULTATION: "sound consulted",
    DROP: "drop against always on",
    HELPED: "helped",
    HARMED: "harmed",
    INFLUENCED: "influenced",
    TOKENS: "audio tokens",
    GATE_MS: "gate, ms (median)",
    "latency_p50": "latency, ms (median)",
    "latency_p95": "latency, ms (95th percentile)",
    "latency_p50_ratio": "median / that of the baseline",
    "latency_p95_ratio": "95th perc. / that of the baseline",
    BREAK_EVEN: "pays from this share of skips on",
}


def gate_lines(scores: Scores) -> Iterator[str]:
    """A table per dataset, seed and model: over seeds where they answered the same."""
    for (dataset, seed), rows in rows_to_show(scores.gates).items():
        for model in dict.fromkeys(row.model for row in rows):
            own = sorted((row for row in rows if row.model == model and _tells(row)), key=_order)
            if not own:
                continue
            on = "" if dataset is None else f" on {dataset}"
            seeds = f"seed {seed}" if seed is not None else f"over seeds {', '.join(map(str, own[0].seeds))}"
            yield ""
            yield from textwrap.wrap(f"when {model} listens{on}, {seeds}", COLUMNS)
            yield f"  {'':<{_NAME}}  value  interval          one-sided       n"
            yield from map(_line, (row for row in own if row.value is not None))
            for row in own:
                if row.why_not is not None:
                    yield from _wrapped(f"{TITLES[row.measure]}: not measured: {row.why_not}")
            yield from _wrapped("; ".join(_legend(own)))


def _tells(row: GateRow) -> bool:
    """Whether a row says something: a gate that is always open skips nothing and consults everything."""
    return not row.model.endswith(ALWAYS_ON) or row.measure in (HELPED, HARMED, *GATE_TIMES)


def _order(row: GateRow) -> tuple[int, str, bool, str, str]:
    return (
        GATE_MEASURES.index(row.measure),
        row.metric or "",
        row.condition != "full",
        row.condition,
        row.slice,
    )


def _line(row: GateRow) -> str:
    name = TITLES[row.measure]
    if row.measure not in GATE_TIMES and row.slice != "all":
        name += f" on {row.slice}"
    name += "" if row.condition == "full" else f", {row.condition}"
    signed = row.measure == DROP
    write = numerals.difference if signed else numerals.fraction
    interval = numerals.interval(row.ci_low, row.ci_high, signed=signed) if row.interval else ""
    sign = "≥" if row.measure in AT_LEAST else "≤"
    limit = "" if row.limit is None else f"{sign} {write(row.limit)}"
    return f"  {numerals.cut(name, _NAME):<{_NAME}}{write(row.value):>7}  {interval:<18}{limit:<9}{row.n:>8}"


def _legend(rows: Sequence[GateRow]) -> Iterator[str]:
    """What the measures that are there compare, and what answers they leave out."""
    there = {row.measure: row for row in rows if row.value is not None}
    if DROP in there:
        yield f"drop: accuracy of {there[DROP].against} − that of the gated model"
    if HELPED in there:
        yield f"helped, harmed: right with the gate and wrong in {there[HELPED].against}, and the reverse"
    if INFLUENCED in there:
        by = there[INFLUENCED].by
        yield (
            f"influenced: KL(gate off ‖ as answered) above {INFLUENCE_NATS} nat"
            if by == BY_KL
            else f"influenced: {by}"
        )
    missing = max((row.unsaid + row.only_one for row in rows), default=0)
    if missing:
        yield f"up to {missing} answers that failed, do not say or have no counterpart are left out"
    if any(row.one_by_one is False and row.value is not None for row in rows):
        yield "latencies are means of batches, which show no skip"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ")
