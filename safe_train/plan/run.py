"""Run: a plan's steps, one after another or several at once; what is there and unchanged is used again.

    OUT/plan.yaml                        the plan
    OUT/NAME-1a2b3c4d/                   a step; the digits are of its key
    OUT/NAME-1a2b3c4d/step.json          written last: what it ended in
    OUT/checklist.html .json .md         the page that all leads to

A step that fails leaves what needs it unmeasured; the others run. A run that was killed goes on. Several runs
may share OUT, as jobs of a cluster do: each runs what no other runs, and waits for what it needs of them.
"""

import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_data.core.interruption import end_with_parent, interrupted_by_sigterm
from safe_data.core.terminal import complain, say
from safe_data.encoders.inference import one_thread
from safe_train.experiments.experiment import decision_of
from safe_train.plan.claim import claimed, empty, holder_of
from safe_train.plan.plan_file import write_plan
from safe_train.plan.record import (
    DEFECT,
    FAILURE,
    INPUT,
    RECORD,
    Failure,
    Record,
    kind_of,
    other_versions,
    read_failure,
    read_record,
    what_changed,
    write_failure,
    write_record,
)
from safe_train.plan.steps import Step, chosen, longest_first, named, run_step, steps_of
from safe_train.settings.plan import PlanConfig

Outcome = Record | Failure
_POLL_SECONDS = 2.0  # between looks at steps that other runs hold


@dataclass(frozen=True)
class PlanRun:
    """The steps of a plan, and how each ended; one that did not run is missing."""

    plan: PlanConfig
    steps: tuple[Step, ...]
    outcomes: Mapping[str, Outcome]


@interrupted_by_sigterm()
def run_plan(
    plan: PlanConfig,
    out: Path,
    *,
    only: Sequence[str] = (),
    workers: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> PlanRun:
    """Run the steps of a plan, or only those named and what they need.

    `force` empties the folders of the steps named, or of all if none is, and runs them again.

    Raises:
        InputError: a step is unknown, or the data or the base cannot be read.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    if workers < 1:
        raise InputError(f"workers={workers}: must be at least 1")
    steps = steps_of(plan)
    wanted = chosen(steps, only)
    anew = named(steps, only) if force else set()
    write_plan(plan, out)
    with one_thread():
        running = _Running(plan, out, steps, wanted, anew, quiet)
        if workers == 1:
            _one_by_one(running)
        else:
            _side_by_side(running, workers)
    return PlanRun(plan, steps, running.outcomes)


def latest(run: PlanRun, out: Path) -> PlanRun:
    """The same with what other runs have finished in OUT since."""
    known = {name: one for name, one in run.outcomes.items() if isinstance(one, Record)}
    found = found_outcomes(out, [one for one in run.steps if one.name not in known])
    return PlanRun(run.plan, run.steps, known | found)


def found_outcomes(out: Path, steps: Sequence[Step]) -> dict[str, Outcome]:
    """How each step in OUT ended, of those that did."""
    found = {one.name: _outcome(out, one) for one in steps}
    return {name: outcome for name, outcome in found.items() if outcome is not None}


def _outcome(out: Path, step: Step) -> Outcome | None:
    folder = out / step.folder
    return read_record(folder, step.key) or read_failure(folder)


class _Running:
    """What is left to run, what may run now, and how each step ended: also those that are not wanted.

    The files of a finished step are hashed once a run. `anew` are steps to run again; `elsewhere` are those
    that another run holds.
    """

    def __init__(
        self,
        plan: PlanConfig,
        out: Path,
        steps: Sequence[Step],
        wanted: Sequence[Step],
        anew: set[str],
        quiet: bool,
    ) -> None:
        self.plan, self.out, self.quiet = plan, out, quiet
        self.steps = {one.name: one for one in wanted}
        self.number = {one.name: f"{at}/{len(wanted)}" for at, one in enumerate(wanted, 1)}
        self.outcomes = {name: one for name, one in found_outcomes(out, steps).items() if name not in anew}
        self.anew = anew
        self.failed: set[str] = set()
        self.elsewhere: set[str] = set()
        for step in wanted:
            if isinstance(record := self.outcomes.get(step.name), Record):
                self.tell(step, f"unchanged{_decided(record)}{_made_by(record)}")

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
        is_forced = step.name in self.anew
        goes_on = folder.is_dir() and not (folder / RECORD).is_file() and not is_forced
        why = "; ".join(changed[:3]) + (f"; and {len(changed) - 3} more" if len(changed) > 3 else "")
        begins = f"begins: {'forced' if is_forced else why or step.title}"
        self.tell(step, "goes on" if goes_on else begins)

    def end(self, step: Step) -> None:
        outcome = _outcome(self.out, step)
        if outcome is not None:
            self.outcomes[step.name] = outcome
        if isinstance(outcome, Record):
            self.tell(step, f"finished in {outcome.seconds:.0f} s{_decided(outcome)}")
            return
        self.failed.add(step.name)
        reason = outcome.reason if outcome else "ended without a result: it was killed"
        kind = outcome.kind if outcome else INPUT
        complain([f"{self.number[step.name]} {step.name}: failed: {reason}", self._how_to_go_on(step, kind)])

    def _how_to_go_on(self, step: Step, kind: str) -> str:
        go_on = f"safe-train plan resume {self.out} --only {step.name}"
        if kind == INPUT:
            return f"  in {self.out / step.folder}; once it is mended, this goes on: {go_on}"
        if kind == DEFECT:
            return f"  in {self.out / step.folder}; it is a fault of ours; this tries again: {go_on}"
        return f"  in {self.out / step.folder}; other options of the plan make another training"

    def next(self, busy: Sequence[str] = ()) -> Step | None:
        """A step that may run now: all it needs has finished, and no other run holds it."""
        while True:
            finished = self.finished
            left = [one for one in self.steps.values() if one.name not in finished | self.failed | {*busy}]
            ready = [one for one in left if finished.issuperset(one.needs)]
            free = next((one for one in ready if not self._is_held(one)), None)
            if free is None or free.name not in self.elsewhere:
                return free
            self.elsewhere.remove(free.name)
            if _outcome(self.out, free) is None:
                return free  # the other run was stopped or killed
            self.end(free)

    def _is_held(self, step: Step) -> bool:
        holder = holder_of(self.out / step.folder)
        if holder and step.name not in self.elsewhere:
            self.elsewhere.add(step.name)
            self.anew.discard(step.name)
            self.tell(step, f"is run by {holder}; its result is awaited")
        return holder is not None


def _one_by_one(running: _Running) -> None:
    while (step := running.next()) or running.elsewhere:
        if step is None:
            time.sleep(_POLL_SECONDS)
            continue
        running.begin(step)
        given = (running.plan, running.out, step, running.needed(step))
        carry_out(*given, anew=step.name in running.anew, quiet=running.quiet)
        running.end(step)


def _side_by_side(running: _Running, workers: int) -> None:
    """Each step in a process, which loads afresh; stopped, all of them stop and can go on."""
    running.steps = {one.name: one for one in longest_first(tuple(running.steps.values()))}
    context = multiprocessing.get_context("spawn")
    busy: dict[str, Any] = {}
    try:
        while True:
            while len(busy) < workers and (step := running.next(list(busy))):
                running.begin(step)
                given = (running.plan, running.out, step, running.needed(step), step.name in running.anew)
                with _no_ctrl_c():
                    busy[step.name] = context.Process(target=in_process, args=given)
                    busy[step.name].start()
            if not busy and not running.elsewhere:
                return
            if not busy:
                time.sleep(_POLL_SECONDS)
            wait(
                [process.sentinel for process in busy.values()],
                timeout=_POLL_SECONDS if running.elsewhere else None,
            )
            for name in [name for name, process in busy.items() if not process.is_alive()]:
                busy.pop(name).join()
                running.end(running.steps[name])
    finally:
        for process in busy.values():
            process.terminate()
        for process in busy.values():
            process.join()


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Leave Ctrl-C to us: processes inherit that it is blocked, and are sent SIGTERM in its place."""
    resource_tracker.ensure_running()  # otherwise start() runs it, and unblocks the signal again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@interrupted_by_sigterm()
def in_process(plan: PlanConfig, out: Path, step: Step, needed: Mapping[str, Step], anew: bool) -> None:
    """Carry out a step of a plan in a process of its own, quietly, as long as the plan's process lives."""
    end_with_parent()
    try:
        with one_thread():
            carry_out(plan, out, step, needed, anew=anew, quiet=True)
    except KeyboardInterrupt:
        return


def carry_out(
    plan: PlanConfig, out: Path, step: Step, needed: Mapping[str, Step], *, anew: bool = False, quiet: bool
) -> None:
    """Run a step and write its record, or why it failed; `needed` are the steps that it needs.

    Nothing is done if another run has finished it, or failed, by the time it is free, unless it is to run
    anew.
    """
    folder = out / step.folder
    failed_before = _failed_at(folder)
    try:
        with claimed(folder):
            if anew:
                empty(folder)
            elif read_record(folder, step.key) or _failed_at(folder) not in (None, failed_before):
                return
            for name in (RECORD, FAILURE):
                (folder / name).unlink(missing_ok=True)
            _carry_out_claimed(plan, out, step, needed, quiet=quiet)
    except InputError as error:  # the folder cannot be claimed
        write_failure(folder, error)


def _carry_out_claimed(
    plan: PlanConfig, out: Path, step: Step, needed: Mapping[str, Step], *, quiet: bool
) -> None:
    """A failure is written while the folder is held, so that whoever waits for it sees one."""
    folder, begun = out / step.folder, time.time()
    try:
        earlier = {name: out / one.folder for name, one in needed.items()}
        done = run_step(plan, step, folder, earlier, quiet=quiet)
        write_record(folder, step, {name: one.key for name, one in needed.items()}, done, begun)
    except Exception as error:
        if kind_of(error) == DEFECT:
            complain(traceback.format_exc().splitlines())
        write_failure(folder, error)


def _failed_at(folder: Path) -> int | None:
    try:
        return (folder / FAILURE).stat().st_mtime_ns
    except OSError:
        return None


def _decided(record: Record) -> str:
    return f": {decision_of(record.findings)}" if record.findings else ""


def _made_by(record: Record) -> str:
    other = other_versions(record)
    return f" (made by {other})" if other else ""
