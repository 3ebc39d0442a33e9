"""Evidence: the tests of a rule, made as one family, and what they show of each candidate.

Their p values are adjusted by Holm's method. A bound counts as met, or as missed, only by the adjusted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from safe_eval.statistics.multiplicity import adjusted_once
from safe_train.sweeps.candidate import LEAST_SEEDS, BySeed, Candidate, Fixed, Metric, Scored, needed, p_value
from safe_train.sweeps.rules_file import Target

MET, MISSED, OPEN = "met", "missed", "not told apart"


@dataclass(frozen=True)
class Test:
    """A test to be made: whether a metric is at least, or at most, a bound."""

    point: str
    name: str
    metric: Metric | None
    bound: float
    above: bool
    against: str | None = None

    @property
    def said(self) -> str:
        """The bound in words."""
        return f"at {'least' if self.above else 'most'} {self.bound:g}"


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One test of a rule. The interval is not adjusted; `found` goes by the adjusted p value.

    `against` is the other point of a difference, of which the metric is then.
    """

    point: str
    metric: str
    against: str | None = None
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    bound: str
    p_value: float | None = None
    p_adjusted: float | None = None
    found: str
    needs: str | None = None


def of_target(one: Candidate, target: Target) -> Test:
    """Whether a candidate meets a target."""
    return Test(
        one.name, target.metric, one.metrics[target.metric], target.bound, target.at_least is not None
    )


def higher(one: Candidate, other: Candidate, name: str) -> Test:
    """Whether a candidate scores higher than another on the same questions."""
    a, b = cast(Scored, one.metrics[name]), cast(Scored, other.metrics[name])
    return Test(one.name, name, a.less(b), 0.0, True, other.name)


def faster(one: Candidate, other: Candidate) -> Test:
    """Whether a candidate answers faster than another, seed by seed."""
    a, b = one.metrics.get("latency_ms"), other.metrics.get("latency_ms")
    both = a.less(b) if isinstance(a, BySeed) and isinstance(b, BySeed) else None
    return Test(one.name, "latency_ms", both, 0.0, False, other.name)


def tested_by(tests: Sequence[Test], confidence: float) -> list[Tested]:
    """Make the tests as one family; a difference and its reverse are one test."""
    p_values = [
        None
        if test.metric is None or isinstance(test.metric, Fixed)
        else p_value(test.metric.interval, test.bound)
        for test in tests
    ]
    same = [
        (test.name, test.bound, frozenset((test.point, test.against)))
        if test.against
        else (test.point, test.name, test.bound)
        for test in tests
    ]
    adjusted = adjusted_once(p_values, same)
    family = max(1, len({key for key, p in zip(same, p_values, strict=True) if p is not None}))
    risk = (1 - confidence) / family / 2
    return [
        _tested_one(test, p, q, confidence, risk)
        for test, p, q in zip(tests, p_values, adjusted, strict=True)
    ]


def _tested_one(test: Test, p: float | None, q: float | None, confidence: float, risk: float) -> Tested:
    metric, needs = test.metric, None
    if metric is None:
        found, needs = OPEN, "latencies of every seed"
    elif isinstance(metric, Fixed):
        found = MET if (metric.value >= test.bound) == test.above or metric.value == test.bound else MISSED
    elif p is None or q is None:
        found, needs = OPEN, f"at least {LEAST_SEEDS} seeds"
    elif q < 1 - confidence and metric.value != test.bound:
        found = MET if (metric.value > test.bound) == test.above else MISSED
    else:
        found = OPEN
        needs = needed(metric, test.bound, risk) or "more than can be said: it lies on the bound"
    interval = None if metric is None else metric.interval(confidence)
    return Tested(
        point=test.point,
        metric=test.name,
        against=test.against,
        value=None if metric is None else metric.value,
        ci_low=None if interval is None else interval.low,
        ci_high=None if interval is None else interval.high,
        bound=test.said,
        p_value=p,
        p_adjusted=q,
        found=found,
        needs=needs,
    )


def status_of(candidates: Sequence[Candidate], tested: Sequence[Tested]) -> dict[str, str]:
    """Whether each candidate meets all targets, misses one, or neither is shown."""
    status = {}
    for one in candidates:
        found = {test.found for test in tested if test.point == one.name and test.against is None}
        status[one.name] = MISSED if MISSED in found else OPEN if OPEN in found else MET
    return status


def found_of(tested: Sequence[Tested], point: str, metric: str, against: str) -> str:
    """What the test of a difference found."""
    wanted = (point, metric, against)
    return next((test.found for test in tested if (test.point, test.metric, test.against) == wanted), OPEN)


def may_meet(one: Candidate, targets: Sequence[Target]) -> bool:
    """Whether the values of a candidate lie on the right side of all targets."""
    values = [(value_of(one, target.metric), target) for target in targets]
    return all(
        value is not None
        and (value >= target.bound if target.at_least is not None else value <= target.bound)
        for value, target in values
    )


def value_of(one: Candidate, name: str) -> float | None:
    """The mean of a metric, if it was measured."""
    metric = one.metrics.get(name)
    return None if metric is None else metric.value
