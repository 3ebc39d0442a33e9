"""A run whose weights are held goes on bit for bit where it stopped."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from safe_train.checkpoint import read_checkpoint
from safe_train.presets import preset_config
from safe_train.retention import weights
from safe_train.stages.loop import Loop
from safe_train.stages.stage_a import stage_a

RESULTS = ("adapter.safetensors", "losses.jsonl", "run/step-6/retention.safetensors")


def run(shards: Path, untaught: Path, out: Path, preset: str = "all_retention") -> None:
    config = preset_config(
        preset,
        shards=(shards,),
        backbone=untaught,
        out=out,
        steps=6,
        batch_size=10,
        bottleneck=32,
        dropout=0.1,
        warm_up_steps=0,
        projector_lr=0.01,
        fusion_lr=0.01,
        checkpoint_steps=2,
        eval_steps=0,
        fisher_interval=3,
        quiet=True,
    )
    stage_a(config)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FISHER_ROWS", 4)
    monkeypatch.setattr(weights, "NULL_SPACE_ROWS", 4)


def test_a_stopped_run_ends_with_the_same_bytes(
    shards: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shards, untaught, tmp_path / "whole")
    step = Loop.step

    def stopped(loop: Loop) -> None:
        if loop.progress.step == 5:  # the last state is of step 4; Fisher information of step 3 is in it
            raise RuntimeError("stopped")
        step(loop)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "step", stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            run(shards, untaught, tmp_path / "parts")
    run(shards, untaught, tmp_path / "parts")
    for name in RESULTS:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    held = load_file(tmp_path / "parts" / RESULTS[-1])
    trained = load_file(tmp_path / "parts" / RESULTS[0])
    assert any(tensor.any() for name, tensor in held.items() if name.startswith("fisher/"))
    frozen = sum(tensor.numel() for name, tensor in trained.items() if "hidden_norm" in name)
    buffers = sum(tensor.numel() for name, tensor in trained.items() if name.endswith(("mean", "deviation")))
    counted = read_checkpoint(tmp_path / "parts").config.trained_parameters
    assert counted == sum(tensor.numel() for tensor in trained.values()) - frozen - buffers
    for number in (1, 4):
        query = trained[f"blocks.{number}.query.weight"]
        moved = query - held[f"start/{number}"]
        assert moved.abs().max() > 1e-4
        assert torch.allclose(moved @ held[f"protected/{number}"], torch.zeros(()), atol=1e-6)
        assert torch.equal(trained[f"blocks.{number}.hidden_norm.weight"], torch.ones(query.shape[1]))


def test_without_them_nothing_is_saved(shards: Path, untaught: Path, tmp_path: Path) -> None:
    run(shards, untaught, tmp_path, "no_retention")
    assert not (tmp_path / RESULTS[-1]).exists()
    assert "fisher" not in (tmp_path / "losses.jsonl").read_text("utf-8")


def test_a_penalty_that_jumps_is_not_blamed_on_the_batch(
    shards: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        weights.WeightRetention, "penalise", lambda _, losses: losses | {"loss": float("inf")}
    )
    run(shards, untaught, tmp_path)
    assert read_checkpoint(tmp_path).config.step == 6
