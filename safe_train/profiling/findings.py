"""Findings: what the plan asks of a profile, one by one, decided by intervals where there are some.

A bound that lies within an interval is *not measured*: noise says neither.
"""

from collections.abc import Sequence

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_train.parity.timing import TimeRatio
from safe_train.profiling.fitting_rows import GB
from safe_train.profiling.memory_model import FEWEST_SIZES
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import (
    Finding,
    Ladder,
    Largest,
    Latency,
    Sounds,
    Training,
)

_DECISIONS = {"holds": GO, "does not hold": NO_GO, "not shown": NOT_MEASURED}


def fits(taken: int | None, rows: int, largest: Largest, ladder: Ladder) -> Finding:
    """Whether the planned rows leave the headroom free; `taken` is None if they were not run."""
    name, limit = "memory fits", (1 - largest.headroom) * largest.card_bytes
    most = f"at most {_gb(limit)} of {_gb(largest.card_bytes)} GB ({largest.card_from})"
    if taken is None:
        if ladder.stopped_by == "memory":
            return Finding(name, NO_GO, f"{rows} rows a pass did not fit: {ladder.at} ended the ladder")
        return Finding(name, NOT_MEASURED, f"{rows} rows a pass were not run: {ladder.stopped_by} ended it")
    free = 1 - taken / largest.card_bytes
    return Finding(
        name,
        GO if taken <= limit else NO_GO,
        f"{rows} rows a pass take {_gb(taken)} GB, {most}; {100 * free:.0f} % free",
    )


def predictable(name: str, ladder: Ladder, bound: float) -> Finding:
    """Whether a straight line predicts memory from rows."""
    name, model = f"memory predictable, {name}", ladder.model
    if model is None:
        why = f"fewer than {FEWEST_SIZES} sizes were run: {ladder.stopped_by} ended the ladder"
        return Finding(name, NOT_MEASURED, why)
    evidence = (
        f"a line errs by {_percent(model.worst_error)} of all tensors at most (at {model.worst_at} rows), "
        f"{_percent(model.rms_error)} RMS, and predicts {model.left_out_rows} rows from the others within "
        f"{_percent(abs(model.left_out_error))} (at most {_percent(bound)}); of a pass alone, "
        f"{_percent(model.pass_error)} at most"
    )
    return Finding(name, GO if model.error <= bound else NO_GO, evidence)


def suffices(rate: Quantile | None, rows: int, goal: float | None) -> Finding:
    """Whether training reaches its goal of questions a second; the interval decides."""
    name = "throughput"
    if goal is None:
        return Finding(name, NOT_MEASURED, "no goal is stated; see --samples-per-second")
    if rate is None:
        return Finding(name, NOT_MEASURED, f"{rows} rows a pass were not run")
    evidence = f"{shown(rate)} questions/s with {rows} rows a pass (at least {goal:g})"
    low, high = rate.low, rate.high
    if low is not None and low >= goal:
        return Finding(name, GO, evidence)
    return Finding(name, NO_GO if high is not None and high < goal else NOT_MEASURED, evidence)


def cached(found: Sounds | None, missing: str | None) -> Finding:
    """Whether a sound costs less from the cache than on the fly."""
    name = "cached sounds"
    if found is None:
        return Finding(name, NOT_MEASURED, missing or "nothing was measured")
    ratio = found.ratio
    decision = GO if ratio.low > 1 else NO_GO if ratio.high <= 1 else NOT_MEASURED
    return Finding(name, decision, f"on the fly takes {_times(ratio)} × the time of the cache")


def waits(found: Sequence[Latency], limit: float) -> list[Finding]:
    """Whether each way to answer with a sound keeps the limit of time against none."""
    findings = []
    for one in found:
        if one.ratio is None:
            continue
        ratio = one.ratio
        more = _more(ratio, limit)
        evidence = (
            f"{_times(ratio)} × the time without a sound (at most {limit:g}; {ratio.pairs} pairs{more})"
        )
        findings.append(Finding(f"latency, {one.name}", _DECISIONS[ratio.judged(limit)], evidence))
    return findings


def planned_rate(training: Training) -> Quantile | None:
    """Questions a second in training with the planned rows, the optimizer's step within; None if not run.

    A global batch is as many passes as its rows need, and one step.
    """
    rung = next((one for one in training.rungs if one.rows == training.planned_rows), None)
    if rung is None:
        return None
    passes = -(-training.batch_size // rung.rows)
    ends = [
        None if one is None else passes * one + training.step_ms.value
        for one in (rung.pass_ms.value, rung.pass_ms.low, rung.pass_ms.high)
    ]
    whole = Quantile(ends[0] or 0.0, ends[1], ends[2], rung.pass_ms.n)
    return whole.scaled(0.001).per(training.batch_size)


def shown(value: Quantile, digits: int = 3) -> str:
    """A quantile with its interval.

    >>> shown(Quantile(12.345, 11.0, None, 20))
    '12.3 [11, –]'
    """
    ends = ("–" if end is None else f"{end:.{digits}g}" for end in (value.low, value.high))
    return f"{value.value:.{digits}g} [{', '.join(ends)}]"


def _more(ratio: TimeRatio, limit: float) -> str:
    """How many pairs would show what these do not."""
    if ratio.judged(limit) != "not shown":
        return ""
    needed = ratio.pairs_that_show(limit)
    return "" if needed is None else f"; about {needed:,} would show it"


def _times(ratio: TimeRatio) -> str:
    return f"{ratio.ratio:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]"


def _gb(count: float) -> str:
    return f"{count / GB:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
