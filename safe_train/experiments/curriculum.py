"""Curriculum: a rehearsal of three stages, whole, and stopped between stages and gone on with.

    FOLDER/curriculum.yaml   stages that end by a metric, after an extension, and with the training
    FOLDER/whole/            a run of stage A that nothing stops
    FOLDER/stopped/          the same run, stopped as by Ctrl-C where a stage begins, and resumed
    FOLDER/stopped.json      where that was

It is the plan's experiment 8. What a training does is judged here, by rules that the findings state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from safe_data.core.errors import check_at_least_one
from safe_data.core.files import write_bytes
from safe_data.sampling.curriculum import Progress
from safe_data.sampling.curriculum_file import read_stages
from safe_train.experiments.curriculum_verdict import (
    STOPPED,
    WHERE,
    WHOLE,
    complete,
    extension,
    logged,
    progression,
    ratios,
    read_evaluations_by_step,
    read_lines,
    resumed_alike,
)
from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work, material_step
from safe_train.experiments.training import training_of
from safe_train.retention.drift import SILENT
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.logs import EVALUATIONS, LOSSES
from safe_train.stages.stage_a import stage_a

FILE = "curriculum.yaml"
PARTS = 8  # of a run, each as long as the steps between evaluations: 2 by a metric, 3 extended, 3 the last


@dataclass(frozen=True)
class CurriculumSettings:
    """How long the rehearsal is, and what its stages wait for.

    Raises:
        InputError: a number outside the range that its option names.
    """

    eval_steps: int = 8
    """steps between evaluations, at least 1; the run has eight times as many steps"""

    validation_questions: int = 60
    """questions of each kind in an evaluation, at least 1"""

    most_drift: float = 0.5
    """accuracy that VL questions with silence may lose at the two evaluations that end the first stage"""

    least_audio_accuracy: float = 0.99
    """audio accuracy that the second stage waits for, so high that it is extended"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "eval_steps", "validation_questions")


def run(work: Work) -> Sequence[Finding]:
    """Train through the stages twice, once stopped between two of them, and compare.

    Raises:
        InputError: see `stage_a`.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    settings: CurriculumSettings = work.settings
    file = work.folder / FILE
    write_bytes(file, curriculum_text(settings).encode())
    stage_a(_training(work, WHOLE))
    resumed_at = _stop_and_resume(work)
    lines = read_lines(work.folder / WHOLE / LOSSES)
    evaluations = read_evaluations_by_step(work.folder / WHOLE / EVALUATIONS)
    stages = read_stages(file)
    return [
        complete(work.folder, PARTS * settings.eval_steps),
        progression(stages[0], lines, evaluations),
        extension(stages[1], lines, evaluations),
        resumed_alike(work.folder, resumed_at),
        logged(lines, PARTS * settings.eval_steps),
        ratios(stages, lines),
    ]


def curriculum_text(settings: CurriculumSettings) -> str:
    """The three stages; the first ends by its metric, and the second lasts longer than planned."""
    every = settings.eval_steps
    return f"""\
stages:
  - name: mostly sounds
    weights: {{audio: 0.6, vl: 0.3, muted: 0.1}}
    until: {{metric: {SILENT}_drift, at_most: {settings.most_drift:g}, patience: 2, steps: {5 * every}}}
  - name: half sounds
    weights: {{audio: 0.5, vl: 0.3, muted: 0.2}}
    until: {{metric: audio_accuracy, at_least: {settings.least_audio_accuracy:g}, steps: {2 * every}, \
extend_steps: {every}}}
  - name: as stage A
    weights: {{audio: 0.4, vl: 0.4, muted: 0.2}}
"""


def _training(work: Work, name: str) -> TrainConfig:
    material = work.material
    settings: CurriculumSettings = work.settings
    return training_of(
        work.plan,
        material,
        work.folder / name,
        seed=work.plan.seeds[0],
        quiet=work.quiet,
        curriculum=work.folder / FILE,
        steps=PARTS * settings.eval_steps,
        eval_steps=settings.eval_steps,
        validation_questions=settings.validation_questions,
        drift_stop=None,
        tracker=("none",),
    )


def _stop_and_resume(work: Work) -> Progress | None:
    """The same run, stopped where its second stage begins, unless it was; then go on to its end.

    A Ctrl-C of a user goes through.
    """
    config, file = _training(work, STOPPED), work.folder / WHERE
    if not file.is_file():
        reached: list[Progress] = []

        def is_between_stages(progress: Progress) -> bool:
            if progress.stage:
                reached.append(progress)
            return bool(reached)

        try:
            stage_a(config, stops_at=is_between_stages)
        except KeyboardInterrupt:
            if not reached:
                raise
            write_bytes(file, msgspec.json.encode(reached[0]))
    stage_a(config)
    return msgspec.json.decode(file.read_bytes(), type=Progress) if file.is_file() else None


def _estimate(_plan: PlanConfig, settings: CurriculumSettings) -> Estimate:
    return Estimate(steps=2 * PARTS * settings.eval_steps)


EXPERIMENT = Experiment(
    number=8,
    name="curriculum",
    title="Curriculum rehearsal",
    settings=CurriculumSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
