"""A checkpoint of a random pathway for the untaught backbone, whose answers depend on what it hears."""

from pathlib import Path
from typing import Any

from tiny_models import wake

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import TrainedFor, TrainedOn, save_checkpoint, used_encoders
from safe_train.pathway.model import new_pathway
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig

SHAPE = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=64)


def save_random(
    folder: Path, shape: PathwayConfig, shards: Path, untaught: Path, steps: int = 1, **facts: Any
) -> Path:
    """Save one that says it was trained for so many steps on these shards; return its folder."""
    base, dataset = load_backbone(untaught).model, ShardDataset(shards, "train", "logmel")
    save_checkpoint(
        folder,
        wake(new_pathway(shape, base, [(512,)], seed=0)),
        encoders=used_encoders([dataset]),
        datasets=[TrainedOn(dataset.name, dataset.fingerprint, dataset.split, len(dataset))],
        base=trained_for(untaught),
        **{"loss": LossConfig(), "optim": OptimConfig(steps=steps), "seed": 0, "step": steps, **facts},
    )
    return folder


def trained_for(untaught: Path) -> TrainedFor:
    """What a checkpoint says of the untaught backbone."""
    audit = audit_freeze(load_backbone(untaught).model)
    files = base_files(untaught, quiet=True)
    return TrainedFor("untaught", audit.architecture, files, audit.parameters, audit.weights_sha256)
