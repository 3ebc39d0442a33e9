"""Experiment: one of the plan's twelve, what it needs, what it runs, and the findings it ends in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, Judged
from safe_train.settings.plan import PlanConfig

_WORST_FIRST = (NO_GO, NOT_MEASURED, GO)
WARNING = "warning"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One Go criterion with what was found for it. Shares are fractions of 1; a warning decides nothing."""

    name: str
    bound: str  # what must hold, such as ">= 0.03"
    decision: str  # go, no-go or not measured
    evidence: str  # a sentence with the numbers, or why there are none
    judged_by: str  # the criteria file, suite or command whose criterion it is
    file: str  # where the evidence lies, in the experiment's folder
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    severity: str = "critical"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment will take: training steps and answers; seconds and memory where they are known."""

    steps: int = 0  # training steps, over all runs
    answers: int = 0  # questions asked, over all arms
    runs: int = 0  # trainings


@dataclass(frozen=True)
class Material:
    """The data and the base of one seed."""

    seed: int
    shards: tuple[Path, ...]
    backbone: str


@dataclass(frozen=True)
class Work:
    """What an experiment is given to run."""

    plan: PlanConfig
    settings: Any  # the experiment's own options, an instance of its `settings`
    folder: Path  # its folder; it holds parts of the run where an earlier one was stopped
    earlier: Mapping[str, Path]  # the folders of the steps it needs, by name
    materials: Mapping[int, Material]  # by seed
    quiet: bool = False


@dataclass(frozen=True)
class Experiment:
    """A step of the plan that ends in findings.

    `run` writes all its evidence into `Work.folder`, goes on where it was stopped, and prints progress unless
    `Work.quiet`. It raises `InputError` for what a user can mend, and returns a finding that is not measured
    for what could not be measured, and says why.
    """

    number: int
    name: str
    title: str
    settings: type[Any]  # a frozen dataclass, whose defaults are those of the plan `demo`
    needs: Callable[[PlanConfig], tuple[str, ...]]  # names of steps
    run: Callable[[Work], Sequence[Finding]]
    estimate: Callable[[PlanConfig, Any], Estimate]


def decision_of(findings: Sequence[Finding]) -> str:
    """No-go if a finding that decides is; else not measured if one is, or there is none; else go.

    >>> decision_of([])
    'not measured'
    """
    found = {one.decision for one in findings if one.severity != WARNING}
    return next((decision for decision in _WORST_FIRST if decision in found), NOT_MEASURED)


def findings_of(judged: Sequence[Judged], *, judged_by: str, file: str) -> tuple[Finding, ...]:
    """The criteria of a verdict as findings."""
    return tuple(
        Finding(
            name=row.name,
            bound=row.bound,
            decision=row.decision,
            evidence=row.evidence,
            judged_by=judged_by,
            file=file,
            value=row.value,
            ci_low=row.ends[0],
            ci_high=row.ends[1],
            severity=row.severity,
        )
        for row in judged
    )
