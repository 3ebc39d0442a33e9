"""safe_train: shards → audio pathway → answers. Teach a frozen vision-language model to hear.

Names load their module when they are first used, so that `import safe_train` does not load torch.
Stage A as a whole, from shards to a checkpoint, is `safe_train.stages.stage_a.stage_a`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_train.base.backbone import Backbone, load_backbone
    from safe_train.checkpoint import attach_checkpoint, read_checkpoint, save_checkpoint
    from safe_train.config import PathwayConfig, StageAConfig
    from safe_train.demo import run_demo
    from safe_train.pathway.model import AudioPathway, SafeModel
    from safe_train.predict import BaseAnswers, SafeAnswers, predictions

__all__ = [
    "AudioPathway",
    "Backbone",
    "BaseAnswers",
    "PathwayConfig",
    "SafeAnswers",
    "SafeModel",
    "StageAConfig",
    "attach_checkpoint",
    "load_backbone",
    "predictions",
    "read_checkpoint",
    "run_demo",
    "save_checkpoint",
]

_MODULES = {
    "base.backbone": ("Backbone", "load_backbone"),
    "checkpoint": ("attach_checkpoint", "read_checkpoint", "save_checkpoint"),
    "config": ("PathwayConfig", "StageAConfig"),
    "demo": ("run_demo",),
    "pathway.model": ("AudioPathway", "SafeModel"),
    "predict": ("BaseAnswers", "SafeAnswers", "predictions"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"safe_train.{module}"), name)
    raise AttributeError(f"module 'safe_train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
