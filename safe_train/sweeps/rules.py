"""Rules: choose among candidates by what the evidence carries, and else say how much more it would take.

All tests of a rule are one family: their p values are adjusted by Holm's method, so that the risk of any
false finding of the rule is at most 1 − confidence. A bound counts as met, or as missed, only by its adjusted
p value. A point is named only where every other is shown to be no better choice. Neither the order of the
points nor their names change what is found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from safe_eval.statistics.multiplicity import adjusted_once
from safe_train.sweeps.candidate import (
    BOTH,
    LEAST_SEEDS,
    ONE_SEED,
    BySeed,
    Candidate,
    Fixed,
    Metric,
    Scored,
    needed,
    p_value,
)
from safe_train.sweeps.rules_file import Best, RiseOrSteadier, Rule, Smallest, Target, Tiers
from safe_train.sweeps.steadier import steadier
from safe_train.sweeps.tiers import judge_tiers

GO, NO_GO, NOT_MEASURED = "go", "no-go", "not measured"
MET, MISSED, OPEN = "met", "missed", "not told apart"


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


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found: the point that it names, if any, why in words, and its tests."""

    name: str
    rule: str
    decision: str
    winner: str | None
    statement: str
    needs: str | None = None
    tests: tuple[Tested, ...] = ()


@dataclass(frozen=True)
class _Test:
    """A test to be made: whether a metric is at least, or at most, a bound."""

    point: str
    name: str
    metric: Metric | None
    bound: float
    above: bool
    against: str | None = None

    @property
    def said(self) -> str:
        return f"at {'least' if self.above else 'most'} {self.bound:g}"


def judge(rule: Rule, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    """What a rule finds among candidates."""
    if isinstance(rule, Smallest):
        return _smallest(rule, candidates, confidence)
    if isinstance(rule, Best):
        return _best(rule, candidates, confidence)
    if isinstance(rule, RiseOrSteadier):
        return _rise_or_steadier(rule, candidates, confidence)
    return _tiers(rule, candidates, confidence)


def decision_of(ruled: Sequence[Ruled]) -> str:
    """No-go if a rule says so; else not measured if one is, or if there is no rule; else go."""
    found = {one.decision for one in ruled} or {NOT_MEASURED}
    return next(one for one in (NO_GO, NOT_MEASURED, GO) if one in found)


def _smallest(rule: Smallest, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    if missing := _missing(rule.targets, candidates):
        return _unjudged(rule, missing)
    sizes = {one.name: _value(one, "parameters") or 0.0 for one in candidates}
    tests = [_of_target(one, target) for one in candidates for target in rule.targets]
    tests += [
        _faster(one, other)
        for one in candidates
        for other in candidates
        if one is not other and sizes[one.name] == sizes[other.name]
    ]
    tested = _tested(tests, confidence)
    status = _status(candidates, tested)
    meeting = [one for one in candidates if status[one.name] == MET]

    def beats(one: Candidate, other: Candidate) -> bool:
        """Whether another is shown to be no better choice."""
        if status[other.name] == MISSED or sizes[other.name] > sizes[one.name]:
            return True
        if sizes[other.name] < sizes[one.name]:
            return False
        return _found(tested, one.name, "latency_ms", other.name) == MET

    return _named(rule, "the smallest that meets the targets", candidates, meeting, beats, tested, status)


def _best(rule: Best, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    asked = (*rule.targets, Target(metric=rule.metric, at_least=0.0))
    if missing := _missing(asked, candidates):
        return _unjudged(rule, missing)
    tests = [_of_target(one, target) for one in candidates for target in rule.targets]
    reaching = [one for one in candidates if _may_meet(one, rule.targets)]
    top = max(reaching, key=lambda one: _value(one, rule.metric) or 0.0, default=None)
    tests += [
        _higher(top, other, rule.metric) for other in candidates if top is not None and other is not top
    ]
    tested = _tested(tests, confidence)
    status = _status(candidates, tested) if rule.targets else {one.name: MET for one in candidates}
    meeting = [one for one in candidates if one is top and status[one.name] == MET]

    def beats(one: Candidate, other: Candidate) -> bool:
        return status[other.name] == MISSED or _found(tested, one.name, rule.metric, other.name) == MET

    said = f"the highest {rule.metric}" + (" of those that meet the targets" if rule.targets else "")
    return _named(rule, said, candidates, meeting, beats, tested, status)


def _named(
    rule: Smallest | Best,
    said: str,
    candidates: Sequence[Candidate],
    meeting: Sequence[Candidate],
    beats: Callable[[Candidate, Candidate], bool],
    tested: Sequence[Tested],
    status: Mapping[str, str],
) -> Ruled:
    """Name the candidate that beats every other, or say which could not be told apart, and what would."""

    def ruled(decision: str, winner: str | None, statement: str, needs: str | None = None) -> Ruled:
        return Ruled(
            name=rule.title,
            rule=rule.rule,
            decision=decision,
            winner=winner,
            statement=statement,
            needs=needs,
            tests=tuple(tested),
        )

    if all(status[one.name] == MISSED for one in candidates):
        return ruled(NO_GO, None, "no point meets the targets: each is shown to miss one")
    for one in meeting:
        if all(beats(one, other) for other in candidates if other is not one):
            return ruled(GO, one.name, f"{one.name} is {said}")
    rest = sorted(one.name for one in candidates if status[one.name] != MISSED)
    still = [
        test
        for test in tested
        if test.found == OPEN and test.point in rest and (test.against is None or test.against in rest)
    ]
    needs = _most([test.needs for test in still])
    statement = f"not told apart: {', '.join(rest)}"
    return ruled(NOT_MEASURED, None, f"{statement}; needs {needs}" if needs else statement, needs)


def _rise_or_steadier(rule: RiseOrSteadier, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    by_name = {one.name: one for one in candidates}
    if lacking := [name for name in (rule.a, rule.b) if name not in by_name]:
        return _unjudged(rule, f"there is no point {lacking[0]}")
    pair = (by_name[rule.a], by_name[rule.b])
    if missing := _missing((Target(metric=rule.metric, at_least=0.0),), pair):
        return _unjudged(rule, missing)
    a, b = (cast(Scored, one.metrics[rule.metric]) for one in pair)
    tested = _tested([_Test(rule.a, rule.metric, a.less(b), rule.rise, True, rule.b)], confidence)
    rise = f"{rule.metric} of {rule.a} over {rule.b}"
    winner, needs, decision = None, tested[0].needs, NOT_MEASURED
    if tested[0].found == MET:
        winner, decision = rule.a, GO
        statement = f"{rule.a}: {rise} rises at least {rule.rise:g}"
    elif tested[0].found == OPEN:
        statement = f"not told apart: whether {rise} rises {rule.rise:g}" + (
            f"; needs {needs}" if needs else ""
        )
    else:
        name, words, needs = steadier((rule.a, a.by_seed), (rule.b, b.by_seed), 1 - confidence)
        winner, decision = name, GO if name else NOT_MEASURED
        statement = f"{rise} does not rise {rule.rise:g}; {words}"
    return Ruled(
        name=rule.title,
        rule=rule.rule,
        decision=decision,
        winner=winner,
        statement=statement,
        needs=needs,
        tests=tuple(tested),
    )


def _tiers(rule: Tiers, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    judged = [one for one in candidates if rule.point in (None, one.name)]
    if not judged:
        return _unjudged(rule, f"there is no point {rule.point}")
    found = []
    for one in judged:
        metric = one.metrics.get(rule.metric)
        if one.missing or not isinstance(metric, Scored):
            return _unjudged(rule, f"{one.name}: {one.missing or f'{rule.metric} was not measured'}")
        found.append(judge_tiers(rule, one.name, metric, confidence))
    decisions = {one.decision for one in found}
    return Ruled(
        name=rule.title,
        rule=rule.rule,
        decision=next(one for one in (NO_GO, NOT_MEASURED, GO) if one in decisions),
        winner=found[0].point if len(found) == 1 and found[0].decision == GO else None,
        statement="; ".join(one.statement for one in found),
        needs=_most([one.needs for one in found]),
        tests=tuple(
            Tested(
                point=one.point,
                metric=rule.metric,
                value=one.value,
                ci_low=one.low,
                ci_high=one.high,
                bound=f"tier {one.tier}" if one.tier else "no one tier",
                found=MET if one.tier else OPEN,
                needs=one.needs,
            )
            for one in found
        ),
    )


def _of_target(one: Candidate, target: Target) -> _Test:
    return _Test(
        one.name, target.metric, one.metrics[target.metric], target.bound, target.at_least is not None
    )


def _higher(one: Candidate, other: Candidate, name: str) -> _Test:
    a, b = cast(Scored, one.metrics[name]), cast(Scored, other.metrics[name])
    return _Test(one.name, name, a.less(b), 0.0, True, other.name)


def _faster(one: Candidate, other: Candidate) -> _Test:
    a, b = one.metrics.get("latency_ms"), other.metrics.get("latency_ms")
    both = a.less(b) if isinstance(a, BySeed) and isinstance(b, BySeed) else None
    return _Test(one.name, "latency_ms", both, 0.0, False, other.name)


def _tested(tests: Sequence[_Test], confidence: float) -> list[Tested]:
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


def _tested_one(test: _Test, p: float | None, q: float | None, confidence: float, risk: float) -> Tested:
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


def _status(candidates: Sequence[Candidate], tested: Sequence[Tested]) -> dict[str, str]:
    """Whether each candidate meets all targets, misses one, or neither is shown."""
    status = {}
    for one in candidates:
        found = {test.found for test in tested if test.point == one.name and test.against is None}
        status[one.name] = MISSED if MISSED in found else OPEN if OPEN in found else MET
    return status


def _found(tested: Sequence[Tested], point: str, metric: str, against: str) -> str:
    wanted = (point, metric, against)
    return next((test.found for test in tested if (test.point, test.metric, test.against) == wanted), OPEN)


def _may_meet(one: Candidate, targets: Sequence[Target]) -> bool:
    """Whether the values of a candidate lie on the right side of all targets."""
    values = [(_value(one, target.metric), target) for target in targets]
    return all(
        value is not None
        and (value >= target.bound if target.at_least is not None else value <= target.bound)
        for value, target in values
    )


def _value(one: Candidate, name: str) -> float | None:
    metric = one.metrics.get(name)
    return None if metric is None else metric.value


def _missing(targets: Sequence[Target], candidates: Sequence[Candidate]) -> str | None:
    """Why candidates cannot be judged."""
    if not candidates:
        return "there is no point"
    for one in candidates:
        if one.missing:
            return f"{one.name}: {one.missing}"
        for target in targets:
            if target.metric not in one.metrics:
                return f"{one.name}: {target.metric} was not measured"
            metric = one.metrics[target.metric]
            if not isinstance(metric, Fixed) and len(metric.by_seed) < LEAST_SEEDS:
                return f"{one.name}: {ONE_SEED}; needs at least {LEAST_SEEDS} seeds"
    return None


def _unjudged(rule: Rule, why: str) -> Ruled:
    needs = f"at least {LEAST_SEEDS} seeds" if ONE_SEED in why else None
    return Ruled(
        name=rule.title,
        rule=rule.rule,
        decision=NOT_MEASURED,
        winner=None,
        statement=f"not measured: {why}",
        needs=needs,
    )


def _most(needs: Sequence[str | None]) -> str | None:
    """What would tell all apart: each kind of need, the largest number of it."""
    known = [need for need in needs if need]
    if BOTH in known:
        return BOTH
    largest: dict[str, tuple[int, str]] = {}
    for need in known:
        digits = "".join(letter for letter in need if letter.isdigit())
        kind = "".join(letter for letter in need if not letter.isdigit() and letter != ",")
        largest[kind] = max(largest.get(kind, (-1, "")), (int(digits or 0), need))
    return " and ".join(need for _, need in sorted(largest.values())) or None
