"""Curriculum verdict: what the logs of a rehearsal say, by rules that each finding states.

When a stage must end is worked out from the logged evaluations and the rule of its file, not by the code
that trains.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.files import file_sha256
from safe_data.core.numerals import counted
from safe_data.sampling.curriculum import Progress
from safe_data.sampling.curriculum_file import Stage, Until
from safe_data.sampling.mixture import exact_shares
from safe_train.checkpoint import CONFIG, WEIGHTS
from safe_train.experiments.experiment import Finding, decided
from safe_train.stages.logs import EPOCHS, EVALUATIONS, LOSSES, read_evaluations

WHOLE, STOPPED = "whole", "stopped"  # the folders of the two runs
WHERE = "stopped.json"  # where the second was stopped
MOST_RATIO_ERROR = 0.02
LOGGED = ("stage", "stage_number", "stage_step", "counts", "audio_ratio", "unique")
COMPARED = (LOSSES, EVALUATIONS, EPOCHS, WEIGHTS)
_BY = "this experiment's rule"


class Line(msgspec.Struct, frozen=True):
    """What a step logs of the stage that it is in."""

    step: int
    stage: str | None = None
    stage_number: int | None = None
    stage_step: int | None = None
    counts: dict[str, int] | None = None
    audio_ratio: float | None = None
    unique: int | None = None


def read_lines(path: Path) -> list[Line]:
    """What a run logged of its steps."""
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]


def read_evaluations_by_step(path: Path) -> dict[int, dict[str, float]]:
    """The metrics after so many steps."""
    return {int(line["step"]): line for line in read_evaluations(path)}


def ended(stage: Stage, start: int, evaluations: Mapping[int, Mapping[str, float]]) -> tuple[int, bool]:
    """After which step a stage must end by its rule and the evaluations, and whether its metric held then."""
    until = stage.until or Until(steps=1)
    held = 0
    for step in range(start + 1, start + until.most_steps + 1):
        if until.metric and step in evaluations:
            held = held + 1 if until.accepts(evaluations[step][until.metric]) else 0
        holds = until.metric is not None and held >= until.patience
        planned = step - start >= until.steps
        if holds and (planned or until.extend_steps is None):
            return step, True
    return start + until.most_steps, False


def _span(name: str, lines: Sequence[Line]) -> tuple[int, int] | None:
    """The first step of a stage, and the step after its last."""
    steps = [line.step for line in lines if line.stage == name]
    return (steps[0], steps[-1] + 1) if steps else None


def progression(
    stage: Stage, lines: Sequence[Line], evaluations: Mapping[int, Mapping[str, float]]
) -> Finding:
    """Whether a stage ended at the evaluation at which its metric held, before its most steps."""
    span = _span(stage.name, lines)
    until = stage.until
    if span is None or until is None:
        return _finding("stage_ends_by_its_metric", "", None, f"stage {stage.name!r} was not run", LOSSES)
    must, holds = ended(stage, span[0], evaluations)
    evidence = f"{stage.name!r} ended after step {span[1]}; its metric {until.metric} held at step {must}"
    if not holds:
        evidence = f"{until.metric} did not hold in {until.steps} steps, so no stage ended by it"
    return _finding(
        "stage_ends_by_its_metric",
        f"it ends at the evaluation at which {until.metric} held {until.patience} times in a row",
        (span[1] == must) if holds else None,
        evidence,
        f"{WHOLE}/{LOSSES}",
    )


def extension(stage: Stage, lines: Sequence[Line], evaluations: Mapping[int, Mapping[str, float]]) -> Finding:
    """Whether a stage whose metric does not hold in its planned steps lasts longer, as its rule says."""
    span = _span(stage.name, lines)
    until = stage.until
    if span is None or until is None or until.extend_steps is None:
        return _finding("stage_is_extended", "", None, f"stage {stage.name!r} was not run", LOSSES)
    must, held = ended(stage, span[0], evaluations)
    lasted, planned, due = span[1] - span[0], until.steps, must - span[0]
    evidence = f"{stage.name!r} was planned for {planned} steps and lasted {lasted}; by its rule {due}"
    needed = due > planned  # else nothing was to be extended
    why = "" if needed else f": {until.metric} held in time" if held else ""
    return _finding(
        "stage_is_extended",
        f"it lasts beyond {planned} steps until {until.metric} holds, by {until.extend_steps} at most",
        (lasted == due) if needed else None,
        evidence + why,
        f"{WHOLE}/{LOSSES}",
    )


def complete(folder: Path, steps: int) -> Finding:
    """Whether both runs reached their last step and wrote a checkpoint."""
    reached = {name: len(read_lines(folder / name / LOSSES)) for name in (WHOLE, STOPPED)}
    wrote = all((folder / name / CONFIG).is_file() for name in reached)
    return _finding(
        "no_crash",
        f"both runs take {steps} steps and write a checkpoint",
        wrote and set(reached.values()) == {steps},
        ", ".join(f"{name}: {count} steps" for name, count in reached.items()),
        f"{WHOLE}/{LOSSES}",
    )


def resumed_alike(folder: Path, resumed_at: Progress | None) -> Finding:
    """Whether a run that was stopped between stages ends with the same bytes."""
    bound = f"{', '.join(COMPARED)}: the same bytes with and without a stop between stages"
    if resumed_at is None:
        return _finding(
            "identical_after_resume", bound, None, "no stage began, so none was stopped at", WHERE
        )
    hashes = {name: [file_sha256(folder / run / name) for run in (WHOLE, STOPPED)] for name in COMPARED}
    other = [name for name, (one, two) in hashes.items() if one != two]
    same = f"all {len(COMPARED)} files are the same; {WEIGHTS} {hashes[WEIGHTS][0][:12]}…"
    return _finding(
        "identical_after_resume",
        bound,
        not other,
        f"stopped after step {resumed_at.step}, where stage {resumed_at.stage + 1} began; "
        + (f"differ: {', '.join(other)}" if other else same),
        WHERE,
    )


def logged(lines: Sequence[Line], steps: int) -> Finding:
    """Whether each step is logged once and in order, with its stage and what was drawn."""
    lacking = [line.step for line in lines if any(getattr(line, name) is None for name in LOGGED)]
    ordered = [line.step for line in lines] == list(range(steps))
    counting = all(
        now.stage_step == (0 if now.stage_number != before.stage_number else (before.stage_step or 0) + 1)
        for before, now in pairwise(lines)
    )
    evidence = f"{counted(len(lines), 'line')}, {counted(len({line.stage for line in lines}), 'stage')}"
    if lacking:
        evidence += f"; incomplete: steps {', '.join(map(str, lacking[:5]))}"
    if not (ordered and counting):
        evidence += "; steps are missing, repeated, or counted wrongly in their stage"
    return _finding(
        "logging_is_complete",
        f"every step has {', '.join(LOGGED)}",
        ordered and counting and not lacking,
        evidence,
        f"{WHOLE}/{LOSSES}",
    )


def ratios(stages: Sequence[Stage], lines: Sequence[Line]) -> Finding:
    """How far what each stage drew is from its weights: the largest distance of a share."""
    errors: dict[tuple[str, str], float] = {}
    for stage in stages:
        drawn: dict[str, int] = {}
        for line in lines:
            if line.stage == stage.name:
                for name, count in (line.counts or {}).items():
                    drawn[name] = drawn.get(name, 0) + count
        total = sum(drawn.values())
        for name, share in exact_shares(stage.weights).items() if total else ():
            errors[stage.name, name] = abs(drawn.get(name, 0) / total - float(share))
    worst = max(errors, key=lambda key: errors[key], default=None)
    value = errors[worst] if worst else None
    said = f"at most {value:.4f} off: {worst[1]} in {worst[0]!r}" if worst else "nothing was drawn"
    return _finding(
        "ratios_are_drawn",
        f"each share <= {MOST_RATIO_ERROR:g} off the stage's weight",
        None if value is None else value <= MOST_RATIO_ERROR,
        said,
        f"{WHOLE}/{LOSSES}",
        value,
    )


def _finding(
    name: str, bound: str, holds: bool | None, evidence: str, file: str, value: Any = None
) -> Finding:
    return Finding(
        name=name,
        bound=bound,
        decision=decided(holds),
        evidence=evidence,
        judged_by=_BY,
        file=file,
        value=value,
    )
