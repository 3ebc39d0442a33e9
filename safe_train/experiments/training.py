"""Training: stage A as a plan says, the model it made, what that answers, and how its losses went."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import torch

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.loading import place
from safe_train.checkpoint import Checkpoint, attach_checkpoint, read_checkpoint
from safe_train.experiments.experiment import ADAPTER, Finding, Material
from safe_train.pathway.model import SafeModel
from safe_train.presets import preset_config
from safe_train.settings.backbone import LoadingConfig
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import PredictConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.logs import StepLoss
from safe_train.stages.loss_guard import LossGuard

PARTS = 10  # of a learning curve
FALL = 0.5  # the last part against the first
RISE = 0.05  # of the first part, from one part to the next
CONFIDENCE = 0.95


def training_of(
    plan: PlanConfig, material: Material, out: Path, *, seed: int, quiet: bool, **changes: Any
) -> TrainConfig:
    """The settings of stage A by the plan's presets and options; `changes` are single options that win.

    Raises:
        InputError: there is no such preset or option, or a value is refused.
    """
    options = dict(plan.options)
    if "steps" in changes:
        options.pop("epochs", None)
    options |= {"seed": seed, "quiet": quiet, **changes}
    return preset_config(
        *plan.presets, shards=material.shards, backbone=material.backbone, out=out, **options
    )


def planned_training(plan: PlanConfig, *, seed: int | None = None, **changes: Any) -> TrainConfig:
    """The same for data and a base that need not be there; the seed is the plan's first if it is not given.

    Raises:
        InputError: see `training_of`.
    """
    named = Material(plan.seeds[0], plan.shards or (Path("shards"),), plan.backbone or "backbone")
    chosen = plan.seeds[0] if seed is None else seed
    return training_of(plan, named, Path(ADAPTER), seed=chosen, quiet=True, **changes)


class Trained(NamedTuple):
    """A checkpoint, its base, and the base with the checkpoint attached."""

    checkpoint: Checkpoint
    backbone: Backbone
    model: SafeModel


def load_trained(adapter: Path, backbone: str, loading: LoadingConfig | None = None) -> Trained:
    """Load a checkpoint and its base onto the accelerator, if there is one; `loading` is as in training.

    Raises:
        InputError: the checkpoint cannot be read, or does not fit the base.
    """
    checkpoint = read_checkpoint(adapter)
    loading = loading or checkpoint.config.loading
    base = load_backbone(backbone, loading)
    place(base.model, loading, torch.accelerator.current_accelerator() or torch.device("cpu"))
    return Trained(checkpoint, base, attach_checkpoint(checkpoint, base))


def answer_test_split(adapter: Path, material: Material, file: Path, config: PredictConfig) -> Path:
    """Have a checkpoint and its base answer the split of every dataset, into one file; return it.

    What is there is used again. Of several datasets, each has a file beside it, whose name ends in a number,
    and is asked under those conditions for which it has a sound or a picture to change.

    Raises:
        InputError: see `predict_dataset`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    from safe_eval.predictions import read_predictions, write_predictions
    from safe_eval.runner.plan import possible_conditions
    from safe_train.predict.predict import predict_dataset

    ask = partial(predict_dataset, adapter, backbone=material.backbone)
    if len(material.shards) == 1:
        ask(material.shards[0], out=file, config=config)
        return file
    parts = []
    for number, shards in enumerate(material.shards):
        part = file.with_name(f"{file.stem}-{number}{file.suffix}")
        conditions = possible_conditions(ShardDataset(shards, config.split), config.conditions)
        ask(shards, out=part, config=replace(config, conditions=conditions))
        parts.append(part)
    write_predictions(file, [row for part in parts for row in read_predictions(part)])
    return file


def no_divergence(losses: Sequence[StepLoss], spike_factor: float, *, name: str, file: str) -> Finding:
    """Whether every loss is finite and none jumps, by the rule that stops a training: see `LossGuard`."""
    guard = LossGuard(spike_factor)
    bound = f"each loss is finite, and at most {spike_factor:g} times the median before it, or 1 nat"
    decision, evidence = GO, f"{len(losses)} losses, the highest {_highest(losses):.3g} nats per token"
    try:
        for one in losses:
            guard.check(one.step, one.loss, tuple)
    except InputError as error:
        decision, evidence = NO_GO, str(error).partition("; ")[0]
    if not losses:
        decision, evidence = NOT_MEASURED, "no loss was logged"
    return Finding(
        name=name, bound=bound, decision=decision, evidence=evidence, judged_by="the loss guard", file=file
    )


def near_zero(values: Sequence[float], bound: float, *, file: str) -> Finding:
    """Whether the losses of the last tenth of the steps are near 0: the upper end of their mean's interval.

    >>> found = near_zero([1.0] * 90 + [0.01, 0.02] * 5, 0.1, file="losses.jsonl")
    >>> found.decision, found.value
    ('go', 0.015)
    """
    last = values[-max(2, len(values) // PARTS) :]
    low, high = _interval(last)
    mean = fmean(last) if last else None
    decision, evidence = NOT_MEASURED, f"{len(last)} losses are too few"
    if mean is not None and low is not None and high is not None:
        decision = GO if high <= bound else NO_GO if low > bound else NOT_MEASURED
        evidence = f"{mean:.3g} nats per token over the last {len(last)} steps, 95 % [{low:.3g}, {high:.3g}]"
    return Finding(
        name="loss_is_near_zero",
        bound=f"<= {bound:g} nats per token, the mean of the last tenth of the steps and its interval",
        decision=decision,
        evidence=evidence,
        judged_by="this experiment's rule",
        file=file,
        value=mean,
        ci_low=low,
        ci_high=high,
    )


def falls(values: Sequence[float], *, file: str) -> Finding:
    """Whether a learning curve falls: its last tenth is at most half of its first, and no tenth rises.

    A tenth rises if its mean is above the one before it by more than 5 % of the first.

    >>> falls([1 / (step + 1) for step in range(100)], file="").decision
    'go'
    >>> falls([1.0] * 50 + [0.2] * 20 + [0.9] * 30, file="").decision
    'no-go'
    """
    parts = [values[n * len(values) // PARTS : (n + 1) * len(values) // PARTS] for n in range(PARTS)]
    decision, evidence, value = NOT_MEASURED, f"{len(values)} losses are too few for {PARTS} parts", None
    if all(parts):
        means = [fmean(part) for part in parts]
        value = means[-1] / means[0] if means[0] else math.nan
        most = max(after - before for before, after in pairwise(means))
        decision = GO if value <= FALL and most <= RISE * means[0] else NO_GO
        curve = ", ".join(f"{mean:.2g}" for mean in means)
        evidence = f"means of ten equal parts: {curve}"
    return Finding(
        name="learning_curve_falls",
        bound=f"the last tenth <= {FALL:g} of the first; none above the one before by {RISE:g} of the first",
        decision=decision,
        evidence=evidence,
        judged_by="this experiment's rule",
        file=file,
        value=value,
    )


def _highest(losses: Sequence[StepLoss]) -> float:
    return max((one.loss for one in losses), default=math.nan)


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Student's interval of a mean, of steps that are taken as independent."""
    if len(values) < 2:
        return None, None
    from scipy.stats import t  # which takes half a second to load

    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half
