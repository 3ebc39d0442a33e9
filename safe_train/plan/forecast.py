"""Forecast: what the steps of a plan will take, before any of them runs: training, answers, time and memory.

Time is that of the passes which a profile measured (`safe-train profile`), or what the steps took in an
earlier run. Memory is that of training, by a run of the model on the meta device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from safe_data.core.errors import InputError
from safe_train.experiments.experiment import BATCH_SIZE, Estimate, Training, trained_steps
from safe_train.experiments.training import planned_training
from safe_train.plan.record import Record, latest_record
from safe_train.plan.steps import Step
from safe_train.profiling.estimate import estimate
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import Profile
from safe_train.settings.learning import OptimConfig
from safe_train.settings.plan import PlanConfig
from safe_train.sweeps.held import Held, held_by_trainings

MS_AN_HOUR = 3.6e6
PROFILED = "profile"  # the step whose time a profile tells of itself


class Hours(NamedTuple):
    """Hours of the device that was profiled, with the interval of its passes."""

    value: float
    low: float | None
    high: float | None

    def plus(self, other: "Hours") -> "Hours":
        """Both together; an end that one does not have is not known."""
        return Hours(self.value + other.value, _sum(self.low, other.low), _sum(self.high, other.high))


NO_TIME = Hours(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class StepForecast:
    """What a step will take.

    `hours` are None without a profile, or where it tells of nothing here. `held` are the trainings with what
    they hold, the largest first. `earlier` is the latest record of a step of this name.
    """

    step: Step
    hours: Hours | None = None
    held: tuple[tuple[Training, Held], ...] = ()
    earlier: Record | None = None


@dataclass(frozen=True)
class Forecast:
    """What all steps will take. `device` is what was profiled; `no_memory` says why none was told."""

    steps: tuple[StepForecast, ...]
    device: str = ""
    no_memory: str = ""

    @property
    def hours(self) -> Hours:
        """Of all steps that a profile tells of."""
        total = NO_TIME
        for one in self.steps:
            total = total if one.hours is None else total.plus(one.hours)
        return total

    @property
    def largest(self) -> tuple[str, Training, Held] | None:
        """The step and the training that hold most."""
        found = [(one.step.name, *one.held[0]) for one in self.steps if one.held]
        return max(found, key=lambda one: one[2].memory, default=None)


def forecast(
    plan: PlanConfig,
    steps: Sequence[Step],
    *,
    profile: Profile | None = None,
    audit: str | None = None,
    earlier: Path | None = None,
) -> Forecast:
    """What these steps of a plan will take.

    Args:
        plan: the plan
        steps: some of its steps, or all
        profile: of the machine that will run them
        audit: a model whose memory is told, by its config (default: the plan's backbone)
        earlier: the folder of an earlier run

    Raises:
        InputError: the config of `audit` cannot be read; more rows than were profiled are planned.
    """
    trainings = {step.name: trainings_of(plan, step) for step in steps}
    held, no_memory = _held([one for many in trainings.values() for one in many], plan, audit)
    found = [
        StepForecast(
            step,
            None if profile is None else hours_of(step, trainings[step.name], profile),
            _largest_first(trainings[step.name], held),
            None if earlier is None else latest_record(earlier, step.name),
        )
        for step in steps
    ]
    device = "" if profile is None else _device(profile)
    return Forecast(tuple(found), device, no_memory)


def trainings_of(plan: PlanConfig, step: Step) -> tuple[Training, ...]:
    """The trainings of a step: its own, and those by the plan's settings of stage A."""
    takes = step.estimate
    if not takes.steps and step.name not in trained_steps(plan):
        return takes.trainings
    return (Training(name="stage A", config=planned_training(plan), steps=takes.steps), *takes.trainings)


def hours_of(step: Step, trainings: Sequence[Training], profile: Profile) -> Hours | None:
    """The hours of a step by a profile; None where it trains and asks nothing that is known."""
    takes = step.estimate
    if step.name == PROFILED:
        return Hours(*[profile.seconds / 3600] * 3)
    if not (takes.all_steps or takes.answers or takes.alone):
        return None
    total = _alone(takes, profile)
    rows = min(BATCH_SIZE, profile.answering.rungs[-1].rows)
    parts: list[tuple[int, OptimConfig | None, int]] = [(0, None, takes.answers)]
    parts += [((one.steps or 0) * one.runs, one.config.optim, 0) for one in trainings]
    for steps, optim, answers in parts:
        part = estimate(
            profile,
            steps,
            batch_size=None if optim is None else optim.batch_size,
            rows=None if optim is None else optim.rows_per_forward,
            answers=answers,
            answer_rows=rows,
        )
        total = total.plus(Hours(part.hours, part.low, part.high))
    return total


def _alone(takes: Estimate, profile: Profile) -> Hours:
    """The hours of questions asked one by one, each as long as the median of the slowest way."""
    if not takes.alone:
        return NO_TIME
    slowest: Quantile = max((one.p50_ms for one in profile.latency), key=lambda time: time.value)
    low, high = (
        None if end is None else takes.alone * end / MS_AN_HOUR for end in (slowest.low, slowest.high)
    )
    return Hours(takes.alone * slowest.value / MS_AN_HOUR, low, high)


def _held(trainings: Sequence[Training], plan: PlanConfig, audit: str | None) -> tuple[dict[int, Held], str]:
    """What each training holds, by its identity; or why that is not told.

    A model that is named to be audited must be there; the plan's own may come later.
    """
    model = audit or plan.backbone
    if model is None:
        return {}, "give --audit MODEL"
    from safe_train.audit.blueprint import read_model_config

    try:
        read_model_config(model)
    except InputError:
        if audit is not None:
            raise
        return {}, f"the config of {model} is not here; give --audit MODEL"
    found = held_by_trainings([one.config for one in trainings], model)
    return {id(one): held for one, held in zip(trainings, found, strict=True)}, ""


def _largest_first(trainings: Sequence[Training], held: dict[int, Held]) -> tuple[tuple[Training, Held], ...]:
    pairs = [(one, held[id(one)]) for one in trainings if id(one) in held]
    return tuple(sorted(pairs, key=lambda pair: -pair[1].memory))


def _device(profile: Profile) -> str:
    machine = profile.machine
    return machine.processor if machine.device == "CPU" else machine.device


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
