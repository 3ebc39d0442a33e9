"""The loop stops where training makes no sense, warns once, and says what it does."""

import errno
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from accelerate.tracking import TensorBoardTracker
from test_run_state import files_of_at_most
from tiny_runs import differing, files_of, interrupt, killing, lines_of, ordered_curves, small_run

from safe_data.core.errors import InputError
from safe_train import batches as batches_module
from safe_train.stages import loop as loop_module
from safe_train.stages import loss_guard
from safe_train.stages.loop import Loop, seed_of
from safe_train.stages.schedule import budget_at
from safe_train.stages.stage_a import stage_a

Train = Callable[..., None]


@pytest.fixture
def train(audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path) -> Train:
    """Run stage A in `tmp_path/out`, or another folder there."""

    def train(name: str = "out", **changes: Any) -> None:
        shards = changes.pop("shards", (audio_only, vl_only))
        stage_a(small_run(tmp_path / name, shards, untaught, **changes))

    return train


@pytest.fixture
def faulty(audio_only: Path, tmp_path: Path) -> Path:
    """The dataset of sounds, where the embedding of the fourth clip is NaN."""
    shards = tmp_path / "faulty"
    shutil.copytree(audio_only, shards)
    (sidecar,) = (shards / "train").glob("*.npy")
    embeddings = np.load(sidecar)
    embeddings[3] = np.nan
    np.save(sidecar, embeddings)
    return shards


def in_each_step(monkeypatch: pytest.MonkeyPatch, change: Callable[[Loop, dict[str, float]], None]) -> None:
    """Change the losses or gradients of each step, after the backward passes."""
    real = Loop._backward

    def backward(loop: Loop, *args: Any) -> dict[str, float]:
        losses = real(loop, *args)
        change(loop, losses)
        return losses

    monkeypatch.setattr(Loop, "_backward", backward)


def drawn(loop: Loop) -> list[str]:
    """The ids of the examples in the batch that a loop is at."""
    return loop.work.loader.example_ids(loop.work.sampler.sample(loop.progress).asked)


def test_an_embedding_that_is_not_finite_is_named_before_the_first_step(
    train: Train, faulty: Path, vl_only: Path, tmp_path: Path
) -> None:
    message = (
        f"{faulty}: the embedding of 'clip-00003' is not finite; see `safe-data verify`, and build it again"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        train(shards=(faulty, vl_only))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(
    train: Train, faulty: Path, vl_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    in_each_step(monkeypatch, lambda loop, losses: batches.append(drawn(loop)))
    for _ in range(2):  # the same again: nothing of the faulty step was saved
        with pytest.raises(InputError, match=r"^step \d+: the loss is nan") as stopped:
            train(shards=(faulty, vl_only), standardise=False, batch_size=5, checkpoint_steps=1, eval_steps=0)
        step = int(re.findall(r"step (\d+)", str(stopped.value))[0])
        ids = batches[-1]
        assert any(name.startswith("clip-00003-") for name in ids)
        assert str(stopped.value).endswith(f"; the batch: {', '.join(ids)}")
        assert len(lines_of(tmp_path / "out/losses.jsonl")) == step
    assert 0 < step == len(batches) - 2


def test_a_loss_that_jumps_stops_the_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def jump(loop: Loop, losses: dict[str, float]) -> None:
        losses["loss"] = 90.0 if loop.progress.step == 6 else 2.0

    monkeypatch.setattr(loss_guard, "KNOWN_BEFORE_SPIKES", 4)
    in_each_step(monkeypatch, jump)
    message = r"^step 6: the loss jumped to 90 \(median of the last 6: 2\); .*: clip-.* and 15 more$"
    with pytest.raises(InputError, match=message):
        train()
    train("allowed", spike_factor=math.inf)


def test_a_gradient_that_is_not_finite_changes_no_weight(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def explode(loop: Loop, losses: dict[str, float]) -> None:
        seen.append({name: value.clone() for name, value in loop.pathway.state_dict().items()})
        if loop.progress.step == 2:
            next(loop.pathway.blocks.parameters()).grad[0] = math.inf
        if len(seen) == 1:
            seen.append(loop.pathway.state_dict())  # the weights themselves

    in_each_step(monkeypatch, explode)
    with (
        pytest.warns(RuntimeWarning, match="step 2: the gradient of layer 1 is inf; lower the learning rate"),
        pytest.raises(InputError, match=r"^step 2: the norm of the gradient is inf; .*the batch: clip-"),
    ):
        train()
    weights = seen[1]
    assert all(torch.equal(weights[name], value) for name, value in seen[-1].items())
    assert not torch.equal(weights["blocks.1.output.weight"], seen[0]["blocks.1.output.weight"])


def test_what_learns_nothing_is_warned_of_once(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "VANISHING_FROM", 3)
    with pytest.warns(RuntimeWarning) as caught:
        train(weights={"vl": 1.0}, kl_weight=0.0, eval_steps=0)
    said = [str(one.message) for one in caught]
    components = ["projector 1", "layer 1", "layer 2", "layer 3", "layer 4"]
    advice = "it learns nothing; is its gate closed, or has its loss no weight?"
    assert said == [f"step 3: the gradient of {name} is 0; {advice}" for name in components]


def test_a_gradient_of_the_frozen_base_is_warned_of_once(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(loop: Loop, losses: dict[str, float]) -> None:
        parameter = next(loop.work.model.base.parameters())
        parameter.grad = torch.zeros_like(parameter)

    in_each_step(monkeypatch, give)
    with pytest.warns(RuntimeWarning) as caught:
        train(steps=3, eval_steps=0)
    said = [str(one.message) for one in caught]
    assert len(said) == 1
    assert re.fullmatch(r"step 0: \S+ of the frozen base got a gradient; freeze the base before .*", said[0])


@pytest.mark.parametrize(("rows", "cost", "passes"), [(20, 1, 2), (7, 256, 3), (3, 1, 7)])
def test_passes_add_up_to_the_gradient_of_the_whole_batch(
    rows: int, cost: int, passes: int, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a pass costs little, rows of each length are for themselves."""
    found: list[int] = []
    real = Loop._backward

    def counting(loop: Loop, batches: Any, *args: Any) -> dict[str, float]:
        found.append(len(batches))
        return real(loop, batches, *args)

    monkeypatch.setattr(Loop, "_backward", counting)
    settings = {"dropout": 0.0, "steps": 2, "eval_steps": 0}
    train("whole", rows_per_forward=20, **settings)
    monkeypatch.setattr(batches_module, "FORWARD_COST_TOKENS", cost)
    train("parts", rows_per_forward=rows, **settings)
    assert found[:2] == [1, 1]
    assert min(found[2:]) >= passes
    whole, parts = (lines_of(tmp_path / name / "losses.jsonl") for name in ("whole", "parts"))
    for one, other in zip(whole, parts, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["gradient_norms"] == pytest.approx(one["gradient_norms"], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("tokens", [3, (1, 3)])
def test_all_passes_of_a_step_hear_by_the_budget_that_it_drew(
    tokens: int | tuple[int, ...], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[int, list[int]] = {}
    real = Loop._backward

    def backward(loop: Loop, *args: Any) -> dict[str, float]:
        passes = heard.setdefault(loop.progress.step, [])
        forward = loop.pathway.forward
        with monkeypatch.context() as patch:
            patch.setattr(loop.pathway, "forward", lambda x, k: passes.append(k) or forward(x, k))
            return real(loop, *args)

    monkeypatch.setattr(Loop, "_backward", backward)
    train(tokens=tokens, steps=6, eval_steps=0)
    wanted = [budget_at(step, (1, 3), 0) if tokens == (1, 3) else 3 for step in range(6)]
    assert {3} <= {*wanted} <= {1, 3}
    assert [{*passes} for passes in heard.values()] == [{budget} for budget in wanted]
    assert min(map(len, heard.values())) > 1
    lines = lines_of(tmp_path / "out/losses.jsonl")
    assert [line.get("audio_tokens") for line in lines] == (wanted if tokens == (1, 3) else [None] * 6)


def test_dropout_is_of_the_seed_the_step_and_the_process() -> None:
    seeds = {
        seed_of(*place) for place in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 11, 1), (0, 1, 11))
    }
    assert len(seeds) == 6
    assert seed_of(0, 0, 0) == seed_of(0, 0, 0) < 2**56


def test_progress_and_stages_are_said_once(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"name": "first", "weights": {"audio": 1}, "until": {"steps": 2}}
    until = {"metric": "vl_kl", "at_most": -1, "steps": 2, "extend_steps": 2}
    second = {"name": "second", "weights": {"vl": 1}, "until": until}
    (tmp_path / "stages.yaml").write_text(
        yaml.safe_dump({"stages": [first, second, {"name": "third", "weights": {"audio": 1}}]})
    )
    settings = {"curriculum": tmp_path / "stages.yaml", "eval_steps": 1, "quiet": False}
    said = []
    for step in (1, 3, None):
        with monkeypatch.context() as patch:
            if step is None:
                train(**settings)
            else:
                killing(patch, "_show", step, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    train(**settings)
        said += [line for line in capsys.readouterr().err.splitlines() if "stage '" in line]
    assert said == [
        "stage A: step 2: stage 'second' begins",
        "stage A: step 4: stage 'second' is extended, its metric does not hold yet",
        "stage A: step 6: stage 'third' begins",
    ]
    train("silent", **settings | {"quiet": True})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("bytes_", "settings", "file"),
    [
        (30_000, {}, "step-3.tmp/pathway.safetensors"),
        (3000, {"checkpoint_steps": 100, "eval_steps": 0}, "losses.jsonl"),
    ],
)
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_when_there_is_room(
    bytes_: int, settings: dict[str, Any], file: str, train: Train, tmp_path: Path
) -> None:
    train("whole", **settings)
    message = rf"{file}: cannot be written \(File too large\); make room and run the same command again"
    with (
        files_of_at_most(bytes_),
        pytest.raises(InputError, match=message),
    ):
        train(**settings)
    train(**settings)
    assert differing(tmp_path / "whole", tmp_path / "out") == []


def test_a_disk_that_is_too_full_for_a_curve_is_a_sentence(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TensorBoardTracker, "log", refuse)
    message = f"{tmp_path}/out/run: cannot be written (No space left on device); make room and run the same"
    with pytest.raises(InputError, match=re.escape(message)):
        train(tracker=("tensorboard",))


def test_curves_are_logged_once_a_step(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with ordered_curves():
        with monkeypatch.context() as patch:
            killing(patch, "_show", 4, interrupt)
            with pytest.raises(KeyboardInterrupt):
                train(tracker=("tensorboard",))
        train(tracker=("tensorboard",))
    curves = EventAccumulator(str(tmp_path / "out/run/tensorboard/safe"))
    curves.Reload()
    lines = lines_of(tmp_path / "out/losses.jsonl")
    found = [(event.step, event.value) for event in curves.Scalars("loss")]
    assert found == [(line["step"], pytest.approx(line["loss"])) for line in lines]
    norms = [event.value for event in curves.Scalars("gradient_norm/layer 3")]
    assert norms == pytest.approx([line["gradient_norms"]["layer 3"] for line in lines])
    assert [event.step for event in curves.Scalars("validation/audio_accuracy")] == [3, 7]
    train("plain")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "plain")
