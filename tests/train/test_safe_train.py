"""The public face of safe_train: complete, light to import, and plain about libraries that are missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import safe_train
from safe_train import cli

FUNCTIONS = {
    "demo": "run_demo",
    "real": "run_real",
    "audit": "run_audit",
    "stage-a": "stage_a",
    "stage-b": "stage_b",
    "stage-c": "stage_c",
    "predict": "predict_dataset",
    "gate": "fit_gate",
    "parity": "check_parity",
    "profile": "profile_checkpoint",
    "explain": "explain_checkpoint",
    "retention": "run_retention",
    "finetune": "run_finetune",
    "small-data": "run_small_data",
    "sweep": "run_sweep",
    "plan": "run_plan",
    "precision": "compare_precisions",
    "export": "export_checkpoint",
    "serve": "serve_checkpoint",
}

# Python imports this module by itself when it starts.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {hidden!r}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def python_without(folder: Path, *hidden: str) -> dict[str, str]:
    """An environment in which these libraries cannot be imported."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT.replace("{hidden!r}", repr(hidden)))
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}


def run_without(folder: Path, hidden: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from safe_train.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *words]
    environment = python_without(folder, *hidden)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_public_face() -> None:
    assert safe_train.__all__ == [
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
    assert dir(safe_train) == safe_train.__all__


@pytest.mark.parametrize("name", safe_train.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert callable(getattr(safe_train, name))


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="module 'safe_train' has no attribute 'nothing'"):
        _ = safe_train.nothing


def test_the_plans_calls_work_from_the_public_face() -> None:
    import torch

    projector = safe_train.AudioProjector(audio_embed_dim=512, llm_hidden_size=768, num_audio_tokens=8)
    assert projector(torch.zeros(2, 512)).shape == (2, 8, 768)
    block = safe_train.CrossAttentionBlock(hidden_size=768, num_attention_heads=12)
    assert block(torch.zeros(2, 10, 768), torch.zeros(2, 8, 768)).shape == (2, 10, 768)
    policy = safe_train.AudioPolicyNetwork(state_feature_dim=256, token_budgets=[0, 4, 8, 12])
    assert policy.get_actions(torch.zeros(2, 256)).shape == (2,)


def test_every_command_has_its_function() -> None:
    assert FUNCTIONS.keys() == cli.COMMANDS.keys()
    assert set(FUNCTIONS.values()) <= set(safe_train.__all__)


def test_importing_it_does_not_load_torch() -> None:
    code = "import sys, safe_train, safe_train.cli; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--out", "demo"),
        ("audit", "--backbone", "b"),
        ("stage-a", "shards", "--backbone", "b", "--out", "o"),
        ("predict", "c", "shards", "--backbone", "b", "--out", "o"),
    ],
)
def test_a_missing_library_is_one_line_and_exit_3(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_without(tmp_path / "bare", ("torch", "accelerate"), *words)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        f"safe-train {words[0]}: safe-train {words[0]} needs torch, accelerate, which are not installed; "
    )
    assert "pip install '.[train" in done.stderr
    assert {path.name for path in (tmp_path / "bare").iterdir()} - {"__pycache__"} == {"sitecustomize.py"}


def test_the_demo_says_at_once_what_its_last_step_needs(tmp_path: Path) -> None:
    done = run_without(tmp_path / "bare", ("altair",), "demo", "--out", "demo")
    assert (done.returncode, done.stdout) == (3, "")
    assert "needs altair, which is not installed; run pip install '.[train,gx,report]'" in done.stderr


def test_help_needs_no_library(tmp_path: Path) -> None:
    done = run_without(tmp_path / "bare", ("torch", "transformers"), "stage-a", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--projector-lr PROJECTOR_LR peak learning rate of the projector" in " ".join(done.stdout.split())
