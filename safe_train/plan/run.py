"""Run: a plan's steps, one after another or several at once; what is there and unchanged is used again.

    OUT/plan.yaml                        the plan
    OUT/NAME-1a2b3c4d/                   a step; the digits are of its key
    OUT/NAME-1a2b3c4d/step.json          written last: what it ended in
    OUT/checklist.html .json .md         the page that all leads to

A step that fails leaves what needs it unmeasured; the others run. A run that was killed goes on.
"""

import multiprocessing
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.only_writer import only_writer
from safe_data.core.terminal import complain, say
from safe_data.encoders.inference import one_thread
from safe_train.experiments.experiment import decision_of
from safe_train.plan.plan_file import write_plan
from safe_train.plan.record import (
    DEFECT,
    FAILURE,
    RECORD,
    Failure,
    Record,
    kind_of,
    read_failure,
    read_record,
    what_changed,
    write_failure,
    write_record,
)
from safe_train.plan.steps import Step, chosen, run_step, steps_of
from safe_train.settings.plan import PlanConfig

Outcome = Record | Failure


@dataclass(frozen=True)
class PlanRun:
    """The steps of a plan, and how each ended; one that did not run is missing."""

    plan: PlanConfig
    steps: tuple[Step, ...]
    outcomes: Mapping[str, Outcome]


@interrupted_by_sigterm()
def run_plan(
    plan: PlanConfig, out: Path, *, only: Sequence[str] = (), workers: int = 1, quiet: bool = False
) -> PlanRun:
    """Run the steps of a plan, or only those named and what they need.

    Raises:
        InputError: a step is unknown, or the data or the base cannot be read.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    if workers < 1:
        raise InputError(f"workers={workers}: must be at least 1")
    steps = steps_of(plan)
    wanted = chosen(steps, only)
    out.mkdir(parents=True, exist_ok=True)
    with only_writer(out), one_thread():
        write_plan(plan, out)
        running = _Running(plan, out, steps, wanted, quiet)
        if workers == 1:
            _one_by_one(running)
        else:
            _side_by_side(running, workers)
    return PlanRun(plan, steps, running.outcomes)


def found_outcomes(out: Path, steps: Sequence[Step]) -> dict[str, Outcome]:
    """How each step in OUT ended, of those that did."""
    found = {one.name: _outcome(out, one) for one in steps}
    return {name: outcome for name, outcome in found.items() if outcome is not None}


def _outcome(out: Path, step: Step) -> Outcome | None:
    folder = out / step.folder
    return read_record(folder, step.key) or read_failure(folder)


class _Running:
    """What is left to run, what may run now, and how each step ended: also those that are not wanted.

    The files of a finished step are hashed once a run.
    """

    def __init__(
        self, plan: PlanConfig, out: Path, steps: Sequence[Step], wanted: Sequence[Step], quiet: bool
    ) -> None:
        self.plan, self.out, self.quiet = plan, out, quiet
        self.steps = {one.name: one for one in wanted}
        self.number = {one.name: f"{at}/{len(wanted)}" for at, one in enumerate(wanted, 1)}
        self.outcomes = found_outcomes(out, steps)
        self.failed: set[str] = set()
        for step in wanted:
            if isinstance(record := self.outcomes.get(step.name), Record):
                self.tell(step, f"unchanged{_decided(record)}")

    @property
    def finished(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if isinstance(outcome, Record)}

    def needed(self, step: Step) -> dict[str, Step]:
        """The steps that a step needs, by name."""
        return {name: self.steps[name] for name in step.needs}

    def tell(self, step: Step, what: str) -> None:
        say([f"{self.number[step.name]} {step.name}: {what}"], flush=True)

    def begin(self, step: Step) -> None:
        folder = self.out / step.folder
        changed = what_changed(self.out, step)
        goes_on = folder.is_dir() and not (folder / RECORD).is_file()
        why = "; ".join(changed[:3]) + (f"; and {len(changed) - 3} more" if len(changed) > 3 else "")
        self.tell(step, "goes on" if goes_on else f"begins: {why}" if changed else f"begins: {step.title}")

    def end(self, step: Step) -> None:
        outcome = _outcome(self.out, step)
        if outcome is not None:
            self.outcomes[step.name] = outcome
        if isinstance(outcome, Record):
            self.tell(step, f"finished in {outcome.seconds:.0f} s{_decided(outcome)}")
            return
        self.failed.add(step.name)
        reason = outcome.reason if outcome else "ended without a result: it was killed"
        complain([f"{self.number[step.name]} {step.name}: failed: {reason}"])

    def next(self, busy: Sequence[str] = ()) -> Step | None:
        """A step that may run now: all it needs has finished."""
        finished = self.finished
        left = (step for name, step in self.steps.items() if name not in finished | self.failed | set(busy))
        return next((one for one in left if finished.issuperset(one.needs)), None)


def _one_by_one(running: _Running) -> None:
    while step := running.next():
        running.begin(step)
        carry_out(running.plan, running.out, step, running.needed(step), quiet=running.quiet)
        running.end(step)


def _side_by_side(running: _Running, workers: int) -> None:
    """Each step in a process, which loads afresh; stopped, all of them stop and can go on."""
    context = multiprocessing.get_context("spawn")
    busy: dict[str, Any] = {}
    try:
        while True:
            while len(busy) < workers and (step := running.next(list(busy))):
                running.begin(step)
                given = (running.plan, running.out, step, running.needed(step))
                process = context.Process(target=in_process, args=given)
                process.start()
                busy[step.name] = process
            if not busy:
                return
            wait([process.sentinel for process in busy.values()])
            for name in [name for name, process in busy.items() if not process.is_alive()]:
                busy.pop(name).join()
                running.end(running.steps[name])
    finally:
        for process in busy.values():
            process.terminate()
        for process in busy.values():
            process.join()


@interrupted_by_sigterm()
def in_process(plan: PlanConfig, out: Path, step: Step, needed: Mapping[str, Step]) -> None:
    """Carry out a step of a plan in a process of its own, quietly."""
    try:
        with one_thread():
            carry_out(plan, out, step, needed, quiet=True)
    except KeyboardInterrupt:
        return


def carry_out(plan: PlanConfig, out: Path, step: Step, needed: Mapping[str, Step], *, quiet: bool) -> None:
    """Run a step and write its record, or why it failed; `needed` are the steps that it needs."""
    folder = out / step.folder
    (folder / FAILURE).unlink(missing_ok=True)
    begun = time.time()
    try:
        done = run_step(plan, step, folder, {n: out / one.folder for n, one in needed.items()}, quiet=quiet)
        write_record(folder, step, {name: one.key for name, one in needed.items()}, done, begun)
    except Exception as error:
        if kind_of(error) == DEFECT:
            complain(traceback.format_exc().splitlines())
        write_failure(folder, error)


def _decided(record: Record) -> str:
    return f": {decision_of(record.findings)}" if record.findings else ""
