"""Experiment: one of the plan's twelve, what it needs, what it runs, and the findings it ends in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, worst
from safe_eval.judging.verdict import VERDICT_FILE, decide
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig

WARNING = "warning"
BATCH_SIZE = 64  # questions that are asked together; rows depend on it
# What a trained seed has in its folder.
ADAPTER, PREDICTIONS = "adapter", "predictions.jsonl"
_STAGE_A = "stage-a-"


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


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """A training with settings of its own, for `runs` seeds; `steps` are those of one, None not known."""

    name: str
    config: TrainConfig
    steps: int | None
    runs: int = 1


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment will take, as far as its options and the data say.

    Answers to `questions_of` a split are counted where the split is there, or of a synthetic world. `unknown`
    says what is not counted.
    """

    steps: int = 0  # training steps by the plan's settings of stage A, over all runs
    trainings: tuple[Training, ...] = ()  # those by other settings
    answers: int = 0  # questions asked in batches, over all arms
    alone: int = 0  # questions asked one by one, over all models
    unknown: str = ""

    @property
    def all_steps(self) -> int:
        """All training steps that are known."""
        return self.steps + sum((one.steps or 0) * one.runs for one in self.trainings)


@dataclass(frozen=True)
class Material:
    """The data and the base; the seed is that of a synthetic world."""

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
    material: Material  # which all seeds of the plan share
    quiet: bool = False

    def adapter(self, seed: int) -> Path:
        """The checkpoint of a seed."""
        return self.earlier[trained_step(seed)] / ADAPTER

    def answers(self, seed: int) -> Path:
        """What a seed and its base answered under the plan's conditions."""
        return self.earlier[trained_step(seed)] / PREDICTIONS


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
    version: int = 1  # raise it when the same inputs come to mean other findings, so that all run again


def decision_of(findings: Sequence[Finding]) -> str:
    """No-go if a finding that decides is; else not measured if one is, or there is none; else go.

    >>> decision_of([])
    'not measured'
    """
    return worst([one.decision for one in findings if one.severity != WARNING])


def decided(holds: bool | None) -> str:
    """What follows from a rule that holds, does not, or could not be judged.

    >>> decided(True), decided(None)
    ('go', 'not measured')
    """
    return NOT_MEASURED if holds is None else GO if holds else NO_GO


def material_step(plan: PlanConfig) -> tuple[str, ...]:
    """The step that makes, or names, the data and the base."""
    return (f"seed-{plan.seeds[0]}",)


def trained_step(seed: int) -> str:
    """The step that trains a seed and has it answer."""
    return f"{_STAGE_A}{seed}"


def trained_steps(plan: PlanConfig) -> tuple[str, ...]:
    """The steps that train all seeds."""
    return tuple(map(trained_step, plan.seeds))


def seed_of(step: str) -> int:
    """The seed that such a step trains."""
    return int(step.removeprefix(_STAGE_A))


def by_criteria(
    criteria: str,
    out: Path,
    *,
    within: Path,
    settings: Mapping[str, object] | None = None,
    expect: Sequence[Path] = (),
) -> tuple[Finding, ...]:
    """Judge the scores in a folder by a criteria file of safe_eval, each criterion as a finding.

    Args:
        criteria: name of the file
        out: folder that `score_files` wrote; the verdict is written there, too
        within: folder of the experiment, from which the finding names its file
        settings: parameters of the file
        expect: datasets of which every question must be answered

    Raises:
        InputError: see `decide`.
    """
    parameters = [f"{name}={value}" for name, value in (settings or {}).items()]
    verdict = decide(out, criteria, expect=expect, settings=parameters, force=True)
    return tuple(
        Finding(
            name=row.name,
            bound=row.bound,
            decision=row.decision,
            evidence=row.evidence,
            judged_by=f"criteria {criteria}.yaml",
            file=(out / VERDICT_FILE).relative_to(within).as_posix(),
            value=row.value,
            ci_low=row.ends[0],
            ci_high=row.ends[1],
            severity=row.severity,
        )
        for row in verdict.criteria
    )
