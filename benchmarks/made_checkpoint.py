"""A checkpoint with random weights for the toy: it takes the time of a trained one, and seconds to make."""

from pathlib import Path

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import TrainedFor, TrainedOn, save_checkpoint, used_encoders
from safe_train.parity.pathways import woken
from safe_train.pathway.model import new_pathway
from safe_train.presets import preset_config
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor


def write_checkpoint(folder: Path, shards: Path) -> tuple[Path, Path]:
    """Write a toy and a pathway of the demo's size, both random; the folders of the adapter and the base."""
    import torch

    adapter, backbone = folder / "adapter", folder / "backbone"
    torch.manual_seed(0)
    processor = make_processor()
    new_model(Recipe(), processor).save_pretrained(backbone)
    processor.save_pretrained(backbone)
    base, split = load_backbone(backbone), ShardDataset(shards, "train", "logmel")
    used = used_encoders([split])
    config = preset_config("demo", shards=(shards,), backbone=backbone, out=adapter).pathway
    audit = audit_freeze(base.model)
    adapter.mkdir()
    save_checkpoint(
        adapter,
        woken(new_pathway(config, base.model, [one.shape for one in used], seed=0), seed=0),
        encoders=used,
        datasets=[TrainedOn(split.name, split.fingerprint, split.split, len(split))],
        base=TrainedFor(
            backbone.name, audit.architecture, base_files(backbone), audit.parameters, audit.weights_sha256
        ),
        loss=LossConfig(),
        optim=OptimConfig(),
        seed=0,
        step=1,
    )
    return adapter, backbone
