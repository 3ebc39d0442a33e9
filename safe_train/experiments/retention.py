"""Retention: what mechanisms that keep the base's answers keep, in one short training on the plan's data.

    FOLDER/seed-N/                       what `compare_mechanisms` writes
    FOLDER/retention.json, retention.md  the table and the verdict

It is the plan's experiment 9. The statements are those of `safe-train retention`, which makes a world and a
base for each seed; here all seeds share those of the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from safe_data.core.errors import InputError, check_at_least_one, check_seed
from safe_eval.options import Sampling
from safe_train.experiments.experiment import (
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Training,
    Work,
    material_step,
)
from safe_train.experiments.plan_questions import NO_QUESTIONS, NOT_THERE, questions_of, steps_of_training
from safe_train.experiments.retention_mechanisms import (
    CONDITIONS,
    RESULT,
    TABLE,
    check_mechanisms,
    check_named_once,
    compare_mechanisms,
    write_result,
)
from safe_train.experiments.retention_result import Contrasted, Judged, Kept
from safe_train.experiments.retention_verdict import ALL, KL, LEAST_SEEDS, NONE, drift_of
from safe_train.experiments.training import planned_training, training_of
from safe_train.presets import preset_options
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig

DISTILLED = (KL, ALL)  # those of which a plan expects that they keep everything
SEEING_IS_KEPT = "seeing_is_kept_by_"
MOST_LOST = 0.01  # VL accuracy: a point


@dataclass(frozen=True)
class RetentionSettings:
    """Which mechanisms are compared, and on how long a training.

    Raises:
        InputError: a mechanism is unknown, a mechanism or seed is named twice, an option is one that
            mechanisms set, or a number is outside the range that its option names.
    """

    mechanisms: tuple[str, ...] = (NONE, KL)
    """no_retention, kl, fisher, nullspace or all_retention; the criterion needs the first two"""

    seeds: tuple[int, ...] = ()
    """seeds of trainings (default: those of the plan, and one more where it has but one: it takes two)"""

    steps: int | None = 200
    """training steps of each mechanism with each seed, at least 1; null: as long as the plan's stage A"""

    options: dict[str, Any] = field(default_factory=dict)
    """options of stage A over those of the plan, such as epochs: 0.2"""

    resamples: int = 10_000
    """resamples of an interval where nothing varies, at least 100"""

    def __post_init__(self) -> None:
        check_mechanisms(self.mechanisms)
        if self.seeds:
            check_named_once("seed", self.seeds)
        for seed in self.seeds:
            check_seed(seed)
        if self.steps is not None:
            check_at_least_one(self, "steps")
        Sampling(resamples=self.resamples)
        for name in self.options.keys() & preset_options(NONE, *self.mechanisms).keys():
            raise InputError(f"options: {name}: is what the mechanisms set; leave it out")


def run(work: Work) -> Sequence[Finding]:
    """Train each mechanism with each seed, have it answer, and judge what all seeds lost.

    Raises:
        InputError: see `compare_mechanisms`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    settings: RetentionSettings = work.settings
    for name in (RESULT, TABLE):  # a run that is stopped must not leave the results of an earlier one
        (work.folder / name).unlink(missing_ok=True)
    sampling = Sampling(resamples=settings.resamples)
    rows: list[Kept] = []
    losses: list[Contrasted] = []
    for seed in seeds_of(work.plan, settings):
        trainings = {name: training_for(work, seed, name) for name in settings.mechanisms}
        folder = work.folder / f"seed-{seed}"
        found, lost = compare_mechanisms(folder, work.material, trainings, sampling, quiet=work.quiet)
        rows += found
        losses.append(lost)
    result = write_result(work.folder, rows, losses, sampling)
    distilled = [name for name in settings.mechanisms if name in DISTILLED]
    kept = [seeing_is_kept(losses, name, sampling) for name in distilled]
    return [*map(_finding, result.judged), *kept]


def seeds_of(plan: PlanConfig, settings: RetentionSettings) -> tuple[int, ...]:
    """The seeds that are trained: as many as the verdict needs, unless the settings name them."""
    seeds = settings.seeds or plan.seeds
    if settings.seeds or len(seeds) >= LEAST_SEEDS:
        return seeds
    return (*seeds, max(seeds) + 1)


def training_for(work: Work, seed: int, mechanism: str) -> TrainConfig:
    """The plan's stage A with a mechanism alone, which nothing stops."""
    return training_of(
        with_mechanism(work.plan, mechanism),
        work.material,
        work.folder / f"seed-{seed}" / mechanism,
        seed=seed,
        quiet=work.quiet,
        **_changes(work.settings),
    )


def with_mechanism(plan: PlanConfig, mechanism: str) -> PlanConfig:
    """A plan in which what a mechanism's preset says wins over the plan's presets and options.

    `no_retention` stands before it, so that what it does not say is off.
    """
    presets = (NONE, mechanism)
    said = preset_options(*presets)
    options = {name: value for name, value in plan.options.items() if name not in said}
    return replace(plan, presets=(*plan.presets, *presets), options=options)


def _changes(settings: RetentionSettings) -> dict[str, Any]:
    steps = {} if settings.steps is None else {"steps": settings.steps}
    return steps | settings.options


def _finding(judged: Judged) -> Finding:
    return Finding(
        name=judged.name,
        bound=f"{judged.statement}: <= {judged.bound:g}",
        decision=judged.decision,
        evidence=judged.evidence,
        judged_by="safe-train retention",
        file=RESULT,
        value=judged.value,
        ci_low=judged.ci_low,
        ci_high=judged.ci_high,
        severity=judged.severity,
    )


def seeing_is_kept(found: Sequence[Contrasted], mechanism: str, sampling: Sampling) -> Finding:
    """Whether a mechanism that distills loses less than a point: what stage A stops for, and a red flag.

    It is a warning: the experiment asks what mechanisms do, and the pilot what the plan's own training loses.
    """
    drift = drift_of(found, mechanism, sampling)
    return Finding(
        name=f"{SEEING_IS_KEPT}{mechanism}",
        bound=f">= {-MOST_LOST:g} of VL accuracy beside an irrelevant sound",
        decision=drift.within(MOST_LOST),
        evidence=drift.evidence,
        judged_by="safe-train retention",
        file=RESULT,
        value=None if drift.value is None else 0.0 - drift.value,
        ci_low=None if drift.interval.high is None else 0.0 - drift.interval.high,
        ci_high=None if drift.interval.low is None else 0.0 - drift.interval.low,
        severity=WARNING,
    )


def _estimate(plan: PlanConfig, settings: RetentionSettings) -> Estimate:
    runs = len(seeds_of(plan, settings)) * len(settings.mechanisms)
    found = questions_of(plan, "test")
    # Each training is asked beside the base, which hears nothing.
    return Estimate(
        trainings=tuple(_planned(plan, settings, name) for name in settings.mechanisms),
        answers=runs * (len(CONDITIONS) + 1) * (found or NO_QUESTIONS).all,
        unknown="" if found else NOT_THERE,
    )


def _planned(plan: PlanConfig, settings: RetentionSettings, mechanism: str) -> Training:
    config = planned_training(with_mechanism(plan, mechanism), **_changes(settings))
    steps = steps_of_training(plan, config)
    return Training(name=mechanism, config=config, steps=steps, runs=len(seeds_of(plan, settings)))


EXPERIMENT = Experiment(
    number=9,
    name="retention",
    title="What keeps the base's answers",
    settings=RetentionSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
