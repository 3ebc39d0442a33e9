"""Red flags: what should stop anyone who reads a checklist, whatever its verdicts say.

Each is raised, or not, by the numbers of findings; where none of them was measured, it is not known.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from safe_eval.judging.judged import NO_GO, NOT_MEASURED
from safe_train.experiments.experiment import Finding
from safe_train.plan.record import DRIFT, UNSTABLE, Failure

Findings = Mapping[str, Sequence[Finding]]  # by experiment


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A red flag. `raised` is None where nothing was measured that tells."""

    name: str
    rule: str
    raised: bool | None
    evidence: str


@dataclass(frozen=True)
class _Rule:
    """Which findings tell, by experiment and the beginning of their names, and when one raises the flag."""

    name: str
    rule: str
    told_by: tuple[tuple[str, str], ...]
    raises: Callable[[Finding], bool]
    failure: str | None = None  # the kind of a failed step that raises it, too


def _below(bound: float) -> Callable[[Finding], bool]:
    return lambda one: one.value is not None and one.value < bound


def _fails(one: Finding) -> bool:
    return one.decision == NO_GO


RULES = (
    _Rule(
        "audio gain",
        "sound gains less than 3 points on questions about it",
        (("pilot", "hearing_gains"),),
        _below(0.03),
    ),
    _Rule(
        "seeing lost",
        "questions about pictures lose a point or more",
        (
            ("pilot", "seeing_is_kept"),
            ("listening", "lomo: seeing_"),
            ("listening", "irrelevance: seeing_"),
            ("retention", "seeing_is_kept"),
        ),
        _below(-0.00999),
        DRIFT,
    ),
    _Rule(
        "seeds differ",
        "seeds differ by more than the plan allows",
        (("variance", "seeds_agree"),),
        _fails,
    ),
    _Rule(
        "losses diverge",
        "a loss is not finite, or jumps",
        (("pilot", "no_divergence"), ("overfit", "no_divergence"), ("sweep", "no_divergence")),
        _fails,
        UNSTABLE,
    ),
    _Rule(
        "files fail",
        "more than one file in twenty does not load, or an answer is missing",
        (("data", "load_rate"), ("data", "suite_load"), ("pilot", "coverage")),
        _fails,
    ),
)


def red_flags(findings: Findings, failures: Iterable[Failure] = ()) -> tuple[Flag, ...]:
    """All flags, those raised first, then those not known. A training that stopped itself raises one, too.

    >>> [flag.raised for flag in red_flags({})] == [None] * len(RULES)
    True
    """
    failed = list(failures)
    flags = [_flag(rule, findings, failed) for rule in RULES]
    return tuple(sorted(flags, key=lambda one: (True, None, False).index(one.raised)))


def _flag(rule: _Rule, findings: Findings, failures: Sequence[Failure]) -> Flag:
    for one in failures:
        if one.kind == rule.failure:
            return Flag(name=rule.name, rule=rule.rule, raised=True, evidence=one.reason)
    told = [
        one
        for experiment, name in rule.told_by
        for one in findings.get(experiment, ())
        if one.name.startswith(name)
    ]
    raising = [one for one in told if rule.raises(one)]
    measured = [one for one in told if one.decision != NOT_MEASURED or one.value is not None]
    if raising:
        said, raised = raising[0], True
    elif measured:
        said, raised = measured[0], False
    else:
        return Flag(name=rule.name, rule=rule.rule, raised=None, evidence="not measured")
    return Flag(name=rule.name, rule=rule.rule, raised=raised, evidence=f"{said.name}: {said.evidence}")
