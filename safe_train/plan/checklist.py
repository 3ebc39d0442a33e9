"""Launch checklist: the red flags, what a launch needs, and every Go criterion with its evidence.

A launch needs all of `LAUNCH`, and no red flag. What was not run is not measured, and then there is no go.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from safe_data.core.files import write_json
from safe_data.core.options_file import TRAIN, installed_versions
from safe_eval.judging.judged import NO_GO, NOT_MEASURED, worst
from safe_train.experiments.all_experiments import EXPERIMENTS
from safe_train.experiments.experiment import Finding, decision_of
from safe_train.plan.record import DEFECT, Failure, Record, other_versions
from safe_train.plan.red_flags import Flag, red_flags
from safe_train.plan.run import PlanRun
from safe_train.plan.steps import Step

CHECKLIST = "checklist.json"
FORMAT_VERSION = 1
# What must be go before anyone scales up, and the experiments that show it.
LAUNCH: Mapping[str, tuple[str, ...]] = {
    "the base is kept": ("freeze",),
    "the pilot gains": ("pilot",),
    "efficiency": ("gates", "profile"),
    "the curriculum": ("curriculum",),
    "metrics: one modality left out, irrelevance": ("listening",),
    "reproducibility": ("variance",),
}


class LaunchItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a launch needs."""

    name: str
    experiments: tuple[str, ...]
    decision: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment: its verdict, and why there is none."""

    number: int
    name: str
    title: str
    decision: str
    findings: tuple[Finding, ...] = ()
    why: str = ""  # it was not measured
    folder: str = ""
    key: str = ""
    started: str = ""
    seconds: float | None = None


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """The content of checklist.json."""

    format_version: int = FORMAT_VERSION
    decision: str
    world: str | None  # the synthetic one; None: the user's own data and base
    seeds: tuple[int, ...]
    flags: tuple[Flag, ...]
    launch: tuple[LaunchItem, ...]
    experiments: tuple[Shown, ...]
    steps: tuple[tuple[str, float], ...]  # those that all experiments share, with their seconds
    failed: dict[str, str]  # why a step failed
    has_defect: bool  # one of them by a fault of ours
    versions: dict[str, str]  # that are installed
    made_by: dict[str, str]  # of each step that other versions made: which they were


def checklist_of(run: PlanRun) -> Checklist:
    """What a run of a plan shows."""
    steps = {one.name: one for one in run.steps}
    shown = tuple(_shown(name, steps, run) for name in EXPERIMENTS)
    decisions = {one.name: one.decision for one in shown}
    launch = tuple(
        LaunchItem(name=name, experiments=needed, decision=worst([_of(decisions, one) for one in needed]))
        for name, needed in LAUNCH.items()
    )
    records = [one for one in run.outcomes.values() if isinstance(one, Record)]
    failures = {name: one for name, one in run.outcomes.items() if isinstance(one, Failure)}
    flags = red_flags({one.name: one.findings for one in shown}, failures.values())
    raised = [NO_GO for one in flags if one.raised]
    return Checklist(
        decision=worst([*raised, *(one.decision for one in launch)]),
        world=run.plan.world,
        seeds=run.plan.seeds,
        flags=flags,
        launch=launch,
        experiments=shown,
        steps=tuple((one.name, one.seconds) for one in records if steps[one.name].experiment is None),
        failed={name: one.reason for name, one in failures.items()},
        has_defect=any(one.kind == DEFECT for one in failures.values()),
        versions=installed_versions(TRAIN),
        made_by={one.name: other for one in records if (other := other_versions(one))},
    )


def write_checklist(found: Checklist, out: Path) -> Path:
    """Write the checklist as JSON."""
    return write_json(out / CHECKLIST, found)


def _of(decisions: Mapping[str, str], experiment: str) -> str:
    return decisions.get(experiment, NOT_MEASURED)


def _shown(name: str, steps: Mapping[str, Step], run: PlanRun) -> Shown:
    experiment = EXPERIMENTS[name]
    shown = Shown(
        number=experiment.number, name=name, title=experiment.title, decision=NOT_MEASURED, why="not run yet"
    )
    change = msgspec.structs.replace
    step = steps.get(name)
    if step is None:
        left_out = name in run.plan.leave_out
        return change(shown, why=f"the plan leaves {'it' if left_out else 'what it needs'} out")
    shown = change(shown, folder=step.folder, key=step.key[:8])
    outcome = run.outcomes.get(name)
    if isinstance(outcome, Record):
        return change(
            shown,
            decision=decision_of(outcome.findings),
            findings=outcome.findings,
            why="",
            started=outcome.started,
            seconds=outcome.seconds,
        )
    if isinstance(outcome, Failure):
        return change(shown, why=f"{'a defect' if outcome.kind == DEFECT else 'failed'}: {outcome.reason}")
    lacking = [one for one in step.needs if not isinstance(run.outcomes.get(one), Record)]
    causes = [
        f"{name}: {one.reason}" for name in lacking if isinstance(one := run.outcomes.get(name), Failure)
    ]
    if not lacking:
        return shown
    because = f" ({'; '.join(causes)})" if causes else ""
    return change(shown, why=f"needs {', '.join(lacking)}, which did not finish{because}")
