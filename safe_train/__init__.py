"""safe_train: shards → audio pathway → predictions. Teach a frozen vision-language model to hear.

Names load their module when they are first used, so that `import safe_train` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_train.audit.audit import Audit, run_audit
    from safe_train.base.backbone import Backbone, load_backbone
    from safe_train.checkpoint import attach_checkpoint, read_checkpoint, save_checkpoint
    from safe_train.demo import DemoConfig, run_demo
    from safe_train.experiments.retention_worlds import run_retention
    from safe_train.experiments.small_data import run_small_data
    from safe_train.explain.explain import explain_checkpoint
    from safe_train.export.export import export_checkpoint
    from safe_train.export.loaded import Safe, load_safe
    from safe_train.finetune.finetune import Finetuned, run_finetune
    from safe_train.gates.fit import fit_gate
    from safe_train.gates.gate_files import FittedGate, read_gate
    from safe_train.gates.policy import AudioPolicyNetwork
    from safe_train.parity.parity import ParityReport, check_parity
    from safe_train.pathway.fusion import CrossAttentionBlock
    from safe_train.pathway.model import AudioPathway, SafeModel
    from safe_train.pathway.projector import AudioProjector
    from safe_train.plan.plan_file import read_plan
    from safe_train.plan.run import run_plan
    from safe_train.precision.precision import compare_precisions
    from safe_train.precision.result import Precisions
    from safe_train.predict.predict import Predicted, predict_dataset, predictions
    from safe_train.presets import preset_config
    from safe_train.profiling.profile import profile_checkpoint
    from safe_train.profiling.result import Profile
    from safe_train.real.real import RealConfig, run_real
    from safe_train.retention.drift import DriftedError
    from safe_train.serve.server import serve_checkpoint
    from safe_train.settings.adaptation import AdaptationConfig
    from safe_train.settings.audit import AuditConfig
    from safe_train.settings.backbone import AskingConfig, BackboneConfig, LoadingConfig
    from safe_train.settings.data import DataConfig
    from safe_train.settings.explain import ExplainConfig
    from safe_train.settings.export import ExportConfig
    from safe_train.settings.finetune import FinetuneConfig
    from safe_train.settings.gate import GateConfig
    from safe_train.settings.learning import LossConfig, OptimConfig
    from safe_train.settings.parity import ParityConfig
    from safe_train.settings.pathway import PathwayConfig
    from safe_train.settings.plan import PlanConfig
    from safe_train.settings.precision import PrecisionConfig
    from safe_train.settings.predict import PredictConfig
    from safe_train.settings.profile import ProfileConfig
    from safe_train.settings.serve import ServeConfig
    from safe_train.settings.stage_b import StageBConfig
    from safe_train.settings.stage_c import StageCConfig
    from safe_train.settings.sweep import SweepConfig
    from safe_train.settings.train import RunConfig, TrainConfig
    from safe_train.stages.stage_a import StageAResult, stage_a
    from safe_train.stages.stage_b import stage_b
    from safe_train.stages.stage_c import stage_c
    from safe_train.sweeps.grid import Grid, read_grid
    from safe_train.sweeps.result import SweepResult
    from safe_train.sweeps.sweep import run_sweep

__all__ = [
    "AdaptationConfig",
    "AskingConfig",
    "AudioPathway",
    "AudioPolicyNetwork",
    "AudioProjector",
    "Audit",
    "AuditConfig",
    "Backbone",
    "BackboneConfig",
    "CrossAttentionBlock",
    "DataConfig",
    "DemoConfig",
    "DriftedError",
    "ExplainConfig",
    "ExportConfig",
    "FinetuneConfig",
    "Finetuned",
    "FittedGate",
    "GateConfig",
    "Grid",
    "LoadingConfig",
    "LossConfig",
    "OptimConfig",
    "ParityConfig",
    "ParityReport",
    "PathwayConfig",
    "PlanConfig",
    "PrecisionConfig",
    "Precisions",
    "PredictConfig",
    "Predicted",
    "Profile",
    "ProfileConfig",
    "RealConfig",
    "RunConfig",
    "Safe",
    "SafeModel",
    "ServeConfig",
    "StageAResult",
    "StageBConfig",
    "StageCConfig",
    "SweepConfig",
    "SweepResult",
    "TrainConfig",
    "attach_checkpoint",
    "check_parity",
    "compare_precisions",
    "explain_checkpoint",
    "export_checkpoint",
    "fit_gate",
    "load_backbone",
    "load_safe",
    "predict_dataset",
    "predictions",
    "preset_config",
    "profile_checkpoint",
    "read_checkpoint",
    "read_gate",
    "read_grid",
    "read_plan",
    "run_audit",
    "run_demo",
    "run_finetune",
    "run_plan",
    "run_real",
    "run_retention",
    "run_small_data",
    "run_sweep",
    "save_checkpoint",
    "serve_checkpoint",
    "stage_a",
    "stage_b",
    "stage_c",
]

_MODULES = {
    "audit.audit": ("Audit", "run_audit"),
    "base.backbone": ("Backbone", "load_backbone"),
    "checkpoint": ("attach_checkpoint", "read_checkpoint", "save_checkpoint"),
    "demo": ("DemoConfig", "run_demo"),
    "real.real": ("RealConfig", "run_real"),
    "experiments.retention_worlds": ("run_retention",),
    "experiments.small_data": ("run_small_data",),
    "explain.explain": ("explain_checkpoint",),
    "export.export": ("export_checkpoint",),
    "export.loaded": ("Safe", "load_safe"),
    "finetune.finetune": ("Finetuned", "run_finetune"),
    "gates.fit": ("fit_gate",),
    "gates.gate_files": ("FittedGate", "read_gate"),
    "gates.policy": ("AudioPolicyNetwork",),
    "parity.parity": ("ParityReport", "check_parity"),
    "pathway.fusion": ("CrossAttentionBlock",),
    "pathway.model": ("AudioPathway", "SafeModel"),
    "pathway.projector": ("AudioProjector",),
    "plan.plan_file": ("read_plan",),
    "plan.run": ("run_plan",),
    "precision.precision": ("compare_precisions",),
    "precision.result": ("Precisions",),
    "predict.predict": ("Predicted", "predict_dataset", "predictions"),
    "presets": ("preset_config",),
    "profiling.profile": ("profile_checkpoint",),
    "profiling.result": ("Profile",),
    "retention.drift": ("DriftedError",),
    "settings.audit": ("AuditConfig",),
    "settings.backbone": ("AskingConfig", "BackboneConfig", "LoadingConfig"),
    "settings.adaptation": ("AdaptationConfig",),
    "settings.data": ("DataConfig",),
    "settings.explain": ("ExplainConfig",),
    "settings.export": ("ExportConfig",),
    "settings.finetune": ("FinetuneConfig",),
    "settings.gate": ("GateConfig",),
    "settings.learning": ("LossConfig", "OptimConfig"),
    "settings.parity": ("ParityConfig",),
    "settings.pathway": ("PathwayConfig",),
    "settings.plan": ("PlanConfig",),
    "settings.precision": ("PrecisionConfig",),
    "settings.predict": ("PredictConfig",),
    "settings.profile": ("ProfileConfig",),
    "serve.server": ("serve_checkpoint",),
    "settings.serve": ("ServeConfig",),
    "settings.stage_b": ("StageBConfig",),
    "settings.stage_c": ("StageCConfig",),
    "settings.train": ("RunConfig", "TrainConfig"),
    "stages.stage_a": ("StageAResult", "stage_a"),
    "stages.stage_b": ("stage_b",),
    "settings.sweep": ("SweepConfig",),
    "stages.stage_c": ("stage_c",),
    "sweeps.grid": ("Grid", "read_grid"),
    "sweeps.result": ("SweepResult",),
    "sweeps.sweep": ("run_sweep",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"safe_train.{module}"), name)
    raise AttributeError(f"module 'safe_train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
