"""Steps: what a plan runs, each with what it needs and a key of all that its result depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import plain
from safe_train.experiments.all_experiments import EXPERIMENTS
from safe_train.experiments.experiment import (
    BATCH_SIZE,
    Estimate,
    Experiment,
    Finding,
    Work,
    material_step,
    seed_of,
    trained_step,
)
from safe_train.plan import material
from safe_train.plan.plan_file import settings_of
from safe_train.settings.plan import PlanConfig

# Raise it when stage A or its answers come to mean something else. A toy and an experiment have their own.
KEY_VERSION = 1


@dataclass(frozen=True)
class Step:
    """One part of a plan. `needs` names steps that stand before it; `key` covers theirs.

    `folder` is the name of its folder: its own, and the first eight digits of its key.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    inputs: Mapping[str, Any]
    key: str
    estimate: Estimate
    experiment: Experiment | None = None

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.key[:8]}"


@dataclass(frozen=True)
class Done:
    """What a step ended in: its findings, and the files in its folder that they rest on."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]


def steps_of(plan: PlanConfig, *, is_dry: bool = False) -> tuple[Step, ...]:
    """The steps of a plan, each after those it needs: its material, stage A for each seed, experiments.

    A dry run reads no data and no base, which need not be there.

    Raises:
        InputError: an option is refused, or a dataset or the base cannot be read.
    """
    found: dict[str, Step] = {}

    def add(
        name: str,
        title: str,
        needs: Sequence[str],
        inputs: Mapping[str, Any],
        estimate: Estimate,
        experiment: Experiment | None = None,
    ) -> None:
        key = key_of(name, inputs, {one: found[one].key for one in needs})
        found[name] = Step(name, title, tuple(needs), inputs, key, estimate, experiment)

    (first,) = material_step(plan)
    made = "the world and its toy" if plan.world else "the data and the base"
    add(first, made, (), material.material_inputs(plan, is_dry=is_dry), Estimate())
    for seed in plan.seeds:
        estimate = material.training_estimate(plan, seed)
        title = f"stage A with seed {seed}, and its answers"
        add(trained_step(seed), title, (first,), material.training_inputs(plan, seed), estimate)
    # What an experiment that trains takes from the plan; all else reaches it by the steps it needs.
    stage_a = found[trained_step(plan.seeds[0])].inputs["stage_a"]
    for experiment in EXPERIMENTS.values():
        if experiment.name in plan.leave_out:
            continue
        needs = [first, *(one for one in experiment.needs(plan) if one != first)]
        if any(one not in found for one in needs):
            continue  # it rests on an experiment that is left out, and the checklist says so
        settings = settings_of(plan, experiment)
        inputs = {
            "version": experiment.version,
            "options": plain(asdict(settings)),
            "stage_a": stage_a,
        }
        estimate = experiment.estimate(plan, settings)
        add(experiment.name, experiment.title, needs, inputs, estimate, experiment)
    return tuple(found.values())


def key_of(name: str, inputs: Mapping[str, Any], needs: Mapping[str, str]) -> str:
    """The hash of all that a step's result depends on, in hexadecimal; the order of names does not matter.

    >>> key_of("a", {"x": 1, "y": 2}, {}) == key_of("a", {"y": 2, "x": 1}, {})
    True
    """
    content = {"version": KEY_VERSION, "name": name, "inputs": inputs, "needs": needs}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def chosen(steps: Sequence[Step], only: Sequence[str]) -> tuple[Step, ...]:
    """The steps of these names or numbers, and all that they need; all steps if none is named.

    Raises:
        InputError: a name or a number is of no step.
    """
    needed = named(steps, only)
    for step in reversed(steps):
        if step.name in needed:
            needed.update(step.needs)
    return tuple(step for step in steps if step.name in needed)


def named(steps: Sequence[Step], only: Sequence[str]) -> set[str]:
    """The names of the steps of these names or numbers; of all steps if none is named.

    Raises:
        InputError: a name or a number is of no step.
    """
    if not only:
        return {one.name for one in steps}
    by_name = {one.name: one for one in steps}
    by_number = {str(one.experiment.number): one.name for one in steps if one.experiment}
    words = [word.strip() for one in only for word in one.split(",")]
    wanted = [by_number.get(word, word) for word in words]
    for word in wanted:
        if word not in by_name:
            hint = did_you_mean(word, by_name, f"there are {', '.join(by_name)}")
            raise InputError(f"only={word}: is no step of this plan; {hint}")
    return set(wanted)


def longest_first(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, those first that most work waits for, by rows that are passed through a model.

    Workers that take them so seldom wait at the end for one that holds everything up. Equal ones keep their
    order.
    """
    behind: dict[str, int] = {}
    for step in reversed(steps):
        waiting = (behind[one.name] for one in steps if step.name in one.needs and one.name in behind)
        behind[step.name] = _rows_of(step.estimate) + max(waiting, default=0)
    return tuple(sorted(steps, key=lambda step: -behind[step.name]))


def _rows_of(takes: Estimate) -> int:
    """Rough: a trained row takes as long as three answers, and a question alone as long as a batch."""
    return 3 * BATCH_SIZE * takes.all_steps + takes.answers + BATCH_SIZE * takes.alone


def run_step(plan: PlanConfig, step: Step, folder: Path, earlier: Mapping[str, Path], *, quiet: bool) -> Done:
    """Run a step in its folder; `earlier` are the folders of the steps it needs.

    Raises:
        InputError: for what a user can mend.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (first,) = material_step(plan)
    if step.name == first:
        return Done((), material.make_material(plan, folder))
    given = material.material_of(plan, earlier[first])
    if step.experiment is None:
        return Done((), material.train_and_answer(plan, seed_of(step.name), folder, given, quiet=quiet))
    work = Work(
        plan=plan,
        settings=settings_of(plan, step.experiment),
        folder=folder,
        earlier=earlier,
        material=given,
        quiet=quiet,
    )
    findings = tuple(step.experiment.run(work))
    files = {one.file for one in findings if one.file and (folder / one.file).is_file()}
    return Done(findings, tuple(sorted(files)))
