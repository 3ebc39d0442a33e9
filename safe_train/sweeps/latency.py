"""Latency: the time of a request at batch 1, with a sound and without, on a few questions of a split.

Each question is asked of the base and of SAFE in turn, so that a busy moment slows both. The first question
warms both up and is not counted.
"""

from pathlib import Path
from statistics import median
from typing import NamedTuple

from safe_data.shards.dataset import ShardDataset
from safe_eval.prediction import BASE
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.predict.alone import asked_alone
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.settings.predict import SAFE
from safe_train.settings.train import TrainConfig


class Latency(NamedTuple):
    """Medians in ms of SAFE and of its base; None where nothing was asked."""

    safe_ms: float | None = None
    base_ms: float | None = None


def ask_alone(config: TrainConfig, shards: Path, split: str, questions: int) -> Latency:
    """Ask the first questions of a split that have a sound, each alone."""
    if not questions:
        return Latency()
    checkpoint = read_checkpoint(config.run.out)
    dataset, backbone = ShardDataset(shards, split), load_backbone(config.backbone.source, config.loading)
    model = attach_checkpoint(checkpoint, backbone)
    predictor = Predictor(
        model,
        backbone,
        wanted_encoders(checkpoint),
        name=SAFE,
        asking=config.asking,
        batch_size=1,
        latency=True,
    )
    chosen = _first_heard(dataset, questions + 1)
    times: dict[str, list[float]] = {BASE: [], SAFE: []}
    for row in asked_alone((predictor,), dataset, seed=0, choose=lambda example: example.id in chosen):
        if row.latency_ms is not None:
            times[row.model].append(row.latency_ms)
    if min(map(len, times.values())) < 2:
        return Latency()
    return Latency(median(times[SAFE][1:]), median(times[BASE][1:]))


def _first_heard(dataset: ShardDataset, most: int) -> set[str]:
    found: list[str] = []
    for place in range(len(dataset)):
        if len(found) >= most:
            break
        if dataset.has_audio[place]:
            found += [example.id for example in dataset.record(place).examples if example.needs_audio]
    return set(found[:most])
