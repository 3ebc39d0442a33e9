"""Baselines: what SAFE is compared with is trained, stopped, published and asked as SAFE is."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import Killed, differing, kill, killing, lines_of, small_run

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, select
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import weights_sha256
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.cli import main
from safe_train.presets import preset_config
from safe_train.settings.train import TrainConfig
from safe_train.stages.stage_a import stage_a

SHORT = {
    "batch_size": 20,
    "rows_per_forward": 8,
    "bottleneck": 32,
    "warm_up_steps": 0,
    "base_lr": 0.003,
    "answer_tokens": 3,  # the untaught backbone seldom ends an answer by itself
    "eval_steps": 4,
    "validation_questions": 6,
    "checkpoint_steps": 3,
    "tracker": ("none",),
    "quiet": True,
}


def baseline(name: str, shards: Sequence[Path], backbone: Path, out: Path, **changes: Any) -> TrainConfig:
    settings = SHORT | ({} if name == "original_vl" else {"steps": 6}) | changes
    return preset_config("demo", name, shards=tuple(shards), backbone=backbone, out=out, **settings)


def asked(checkpoint: Path, shards: Path, backbone: Path, out: Path, *options: str) -> list[Prediction]:
    """What a checkpoint and its base answer, by the command."""
    words = ["predict", str(checkpoint), str(shards), "--backbone", str(backbone), "--out", str(out)]
    conditions = [f"--condition={name}" for name in ("full", "gate_off", "swap_audio")]
    assert main([*words, *conditions, "--quiet", "--split=val", "--answer-tokens=3", *options]) == 0
    return read_predictions(out)


def said(rows: Sequence[Prediction]) -> list[tuple[str, str | None, float | None]]:
    return [(row.example_id, row.answer, row.confidence) for row in rows]


@pytest.fixture(scope="module")
def untouched(
    shards: Path, untaught: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Prediction]:
    """What the base answers beside a SAFE that leaves it as it is."""
    out = tmp_path_factory.mktemp("untouched") / "rows.jsonl"
    return select(asked(adapter, shards, untaught, out), model="base")


def test_the_original_model_answers_as_the_base_under_every_condition(
    shards: Path, untaught: Path, untouched: list[Prediction], tmp_path: Path
) -> None:
    trained = stage_a(baseline("original_vl", [shards], untaught, tmp_path / "out"))
    assert trained.losses == []
    assert trained.checkpoint.trained_parameters == trained.checkpoint.step == 0
    assert [line["step"] for line in lines_of(tmp_path / "out/evaluations.jsonl")] == [0]
    assert trained.metrics["vl_drift"] == trained.metrics["vl_kl"] == 0
    assert stage_a(baseline("original_vl", [shards], untaught, tmp_path / "out")) == trained
    rows = asked(tmp_path / "out", shards, untaught, tmp_path / "rows.jsonl", "--name=original_vl")
    for condition in ("full", "gate_off", "swap_audio"):
        assert said(select(rows, model="original_vl", condition=condition)) == said(untouched)


def test_what_was_not_trained_is_said_in_one_line(
    shards: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage-a", str(shards), "--config=demo", "--config=original_vl", f"--backbone={untaught}"]
    assert main([*words, f"--out={tmp_path}", "--eval-steps=0", "--tracker=none", "--quiet"]) == 0
    end = "0 parameters trained on 22 records, the base's 294,848 unchanged\n"
    assert capsys.readouterr() == (f"{tmp_path}: {end}", "")


@pytest.mark.parametrize("name", ["lora_only", "full_finetune"])
def test_a_base_that_is_trained_is_published_and_asked_beside_the_untouched_one(
    name: str, shards: Path, untaught: Path, untouched: list[Prediction], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    trained = stage_a(baseline(name, [shards], untaught, out))
    base, adapted = trained.checkpoint.base, trained.checkpoint.adapted
    assert adapted is not None
    assert base.weights_sha256 == weights_sha256(load_backbone(untaught).model)
    assert (adapted.weights_sha256 == base.weights_sha256) is (name == "lora_only")
    assert trained.checkpoint.trained_parameters > adapted.parameters > 0
    lines = lines_of(out / "losses.jsonl")
    assert list(lines[0]["gradient_norms"]) == ["projector 1", "layer 0", "base"]
    assert all(line["gradient_norms"]["base"] > 0 for line in lines)
    assert lines[0]["base_lr"] == pytest.approx(0.003)
    rows = asked(out, shards, untaught, tmp_path / "rows.jsonl", f"--name={name}")
    assert said(select(rows, model="base")) == said(untouched)
    for condition in ("full", "gate_off"):  # the updates have no gate
        assert said(select(rows, model=name, condition=condition)) != said(untouched)
    alone = asked(out, shards, untaught, tmp_path / "alone.jsonl", f"--name={name}", "--without-base")
    assert said(alone) == said(select(rows, model=name))
    both = [tmp_path / "alone.jsonl", tmp_path / "safe.jsonl"]
    asked(out, shards, untaught, both[1])
    assert {row.model for row in read_predictions(*both)} == {"base", "safe", name}


@pytest.mark.parametrize("name", ["lora_only", "full_finetune"])
def test_the_teacher_is_the_base_before_it_was_trained(
    name: str, shards: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it kept in three steps is what the teacher of a frozen base kept, to the last bit."""
    kept = {}
    for preset in (name, "kl"):
        config = baseline(preset, [shards], untaught, tmp_path / preset, kl_weight=1.0, eval_steps=0)
        with monkeypatch.context() as patch:
            killing(patch, "_show", 3, kill)
            with pytest.raises(Killed):
                stage_a(config)
        kept[preset] = (tmp_path / preset / "run/teacher/3-0.safetensors").read_bytes()
        assert len(lines_of(tmp_path / preset / "losses.jsonl")) == 4
    assert kept[name] == kept["kl"]


@pytest.mark.parametrize("name", ["lora_only", "full_finetune"])
def test_a_checkpoint_leaves_the_base_as_it_was(
    name: str, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    stage_a(baseline(name, [shards], untaught, tmp_path / "out", eval_steps=0))
    base = load_backbone(untaught)
    model = attach_checkpoint(read_checkpoint(tmp_path / "out"), base)
    fresh = load_backbone(untaught).model
    inputs = {"input_ids": torch.arange(4, 12)[None]}
    with torch.no_grad(), model.untouched():
        assert torch.equal(model.base(**inputs).logits, fresh(**inputs).logits)
    with torch.no_grad():
        assert not torch.equal(model.base(**inputs).logits, fresh(**inputs).logits)
    model.detach()
    assert weights_sha256(base.model) == weights_sha256(fresh)


@pytest.mark.slow  # killed runs of the pathway are tried every time
@pytest.mark.parametrize("name", ["lora_only", "full_finetune", "random_audio"])
def test_a_killed_run_ends_with_the_same_bytes(
    name: str,
    audio_only: Path,
    vl_only: Path,
    untaught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two states, with dropout of the updates, and an evaluation before and after."""
    both, options = (audio_only, vl_only), {"kl_weight": 1.0, "lora_dropout": 0.3}
    stage_a(baseline(name, both, untaught, tmp_path / "whole", **options))
    with monkeypatch.context() as patch:
        killing(patch, "_show", 4, kill)
        with pytest.raises(Killed):
            stage_a(baseline(name, both, untaught, tmp_path / "parts", **options))
    stage_a(baseline(name, both, untaught, tmp_path / "parts", **options))
    assert differing(tmp_path / "whole", tmp_path / "parts") == []


def test_dropout_of_the_updates_is_at_work_in_training(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    losses = []
    for rate in (0.0, 0.5):
        options = {"lora_dropout": rate, "steps": 3, "eval_steps": 0}
        config = baseline("lora_only", (audio_only, vl_only), untaught, tmp_path / str(rate), **options)
        losses.append([one.loss for one in stage_a(config).losses])
    assert losses[0][0] == losses[1][0]  # updates of 0
    assert losses[0][2] != losses[1][2]


def test_a_random_sound_is_learnt_from_and_own_sounds_are_evaluated(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    both = (audio_only, vl_only)
    own = stage_a(small_run(tmp_path / "own", both, untaught, eval_steps=0))
    random = stage_a(small_run(tmp_path / "random", both, untaught, eval_steps=0, heard="random"))
    assert [one.step for one in random.losses] == [one.step for one in own.losses]
    # An untrained pathway is silent, so the first loss is the same whatever it hears.
    assert random.losses[0].loss == own.losses[0].loss
    assert random.losses[-1].loss != own.losses[-1].loss


def test_what_was_published_is_checked_and_force_starts_over(
    shards: Path, untaught: Path, tmp_path: Path
) -> None:
    config = baseline("lora_only", [shards], untaught, tmp_path / "out", steps=1, eval_steps=0)
    stage_a(config)
    weights = tmp_path / "out/lora/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(
        InputError, match=r"adapter_model\.safetensors: was changed since it was written; cop"
    ):
        read_checkpoint(tmp_path / "out")
    shutil.rmtree(weights.parent)
    with pytest.raises(InputError, match=r"lora/adapter_config\.json: is missing since it was written"):
        read_checkpoint(tmp_path / "out")
    plain = small_run(tmp_path / "out", [shards], untaught, steps=1, eval_steps=0, force=True)
    stage_a(plain)
    assert not weights.parent.exists()
    assert read_checkpoint(tmp_path / "out").config.adapted is None
