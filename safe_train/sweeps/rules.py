"""Rules: choose among candidates by what the evidence carries, and else say how much more it would take.

All tests of a rule are one family: their p values are adjusted by Holm's method, so that the risk of any
false finding of the rule is at most 1 − confidence. A bound counts as met, or as missed, only by its adjusted
p value. A point is named only where every other is shown to be no better choice. Neither the order of the
points nor their names change what is found.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, worst
from safe_train.sweeps.candidate import BOTH, LEAST_SEEDS, ONE_SEED, Candidate, Fixed, Scored
from safe_train.sweeps.evidence import (
    MET,
    MISSED,
    OPEN,
    Test,
    Tested,
    faster,
    found_of,
    higher,
    may_meet,
    of_target,
    status_of,
    tested_by,
    value_of,
)
from safe_train.sweeps.rules_file import Best, RiseOrSteadier, Rule, Smallest, Target, Tiers
from safe_train.sweeps.steadier import steadier
from safe_train.sweeps.tiers import judge_tiers


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found: the point that it names, if any, why in words, and its tests."""

    name: str
    rule: str
    decision: str
    winner: str | None
    statement: str
    needs: str | None = None
    tests: tuple[Tested, ...] = ()


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
    return worst([one.decision for one in ruled])


def _smallest(rule: Smallest, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    if missing := _missing(rule.targets, candidates):
        return _unjudged(rule, missing)
    sizes = {one.name: value_of(one, "parameters") or 0.0 for one in candidates}
    tests = [of_target(one, target) for one in candidates for target in rule.targets]
    tests += [
        faster(one, other)
        for one in candidates
        for other in candidates
        if one is not other and sizes[one.name] == sizes[other.name]
    ]
    tested = tested_by(tests, confidence)
    status = status_of(candidates, tested)
    meeting = [one for one in candidates if status[one.name] == MET]

    def beats(one: Candidate, other: Candidate) -> bool:
        """Whether another is shown to be no better choice."""
        if status[other.name] == MISSED or sizes[other.name] > sizes[one.name]:
            return True
        if sizes[other.name] < sizes[one.name]:
            return False
        return found_of(tested, one.name, "latency_ms", other.name) == MET

    return _named(rule, "the smallest that meets the targets", candidates, meeting, beats, tested, status)


def _best(rule: Best, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    asked = (*rule.targets, Target(metric=rule.metric, at_least=0.0))
    if missing := _missing(asked, candidates):
        return _unjudged(rule, missing)
    tests = [of_target(one, target) for one in candidates for target in rule.targets]
    reaching = [one for one in candidates if may_meet(one, rule.targets)]
    top = max(reaching, key=lambda one: value_of(one, rule.metric) or 0.0, default=None)
    tests += [higher(top, other, rule.metric) for other in candidates if top is not None and other is not top]
    tested = tested_by(tests, confidence)
    status = status_of(candidates, tested) if rule.targets else {one.name: MET for one in candidates}
    meeting = [one for one in candidates if one is top and status[one.name] == MET]

    def beats(one: Candidate, other: Candidate) -> bool:
        return status[other.name] == MISSED or found_of(tested, one.name, rule.metric, other.name) == MET

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

    if all(status[one.name] == MISSED for one in candidates):
        return _ruled(rule, NO_GO, "no point meets the targets: each is shown to miss one", tested=tested)
    for one in meeting:
        if all(beats(one, other) for other in candidates if other is not one):
            return _ruled(rule, GO, f"{one.name} is {said}", winner=one.name, tested=tested)
    rest = sorted(one.name for one in candidates if status[one.name] != MISSED)
    still = [
        test
        for test in tested
        if test.found == OPEN and test.point in rest and (test.against is None or test.against in rest)
    ]
    needs = _most([test.needs for test in still])
    statement = f"not told apart: {', '.join(rest)}"
    statement += f"; needs {needs}" if needs else ""
    return _ruled(rule, NOT_MEASURED, statement, needs=needs, tested=tested)


def _rise_or_steadier(rule: RiseOrSteadier, candidates: Sequence[Candidate], confidence: float) -> Ruled:
    by_name = {one.name: one for one in candidates}
    if lacking := [name for name in (rule.a, rule.b) if name not in by_name]:
        return _unjudged(rule, f"there is no point {lacking[0]}")
    pair = (by_name[rule.a], by_name[rule.b])
    if missing := _missing((Target(metric=rule.metric, at_least=0.0),), pair):
        return _unjudged(rule, missing)
    a, b = (cast(Scored, one.metrics[rule.metric]) for one in pair)
    tested = tested_by([Test(rule.a, rule.metric, a.less(b), rule.rise, True, rule.b)], confidence)
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
    return _ruled(rule, decision, statement, winner=winner, needs=needs, tested=tested)


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
    tested = [
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
    ]
    return _ruled(
        rule,
        worst([one.decision for one in found]),
        "; ".join(one.statement for one in found),
        winner=found[0].point if len(found) == 1 and found[0].decision == GO else None,
        needs=_most([one.needs for one in found]),
        tested=tested,
    )


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
    return _ruled(rule, NOT_MEASURED, f"not measured: {why}", needs=needs)


def _ruled(
    rule: Rule,
    decision: str,
    statement: str,
    *,
    winner: str | None = None,
    needs: str | None = None,
    tested: Sequence[Tested] = (),
) -> Ruled:
    return Ruled(
        name=rule.title,
        rule=rule.rule,
        decision=decision,
        winner=winner,
        statement=statement,
        needs=needs,
        tests=tuple(tested),
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
