"""Stage A: it learns, the base does not change, and the same seed gives the same bytes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from safe_data.core.errors import InputError
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import weights_sha256
from safe_train.batches import SILENCE, Loader
from safe_train.config import PathwayConfig, StageAConfig
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions
from safe_train.stages.stage_a import StepSampler, stage_a, train_stage_a

QUICK = StageAConfig(steps=30, audio_rows=8, vision_rows=8, muted_rows=4)


def run_quick(shards: Path, backbone: Backbone, out: Path, config: StageAConfig = QUICK):
    return stage_a(shards, backbone, out, base_name="untaught", config=config)


def fused(loader: Loader, backbone: Backbone) -> SafeModel:
    untrained = new_pathway(PathwayConfig(), backbone.model, len(loader.silence), 0)
    return SafeModel(backbone.model, untrained)


def test_it_learns_and_the_base_does_not_move(shards: Path, backbone: Backbone, tmp_path: Path) -> None:
    before = weights_sha256(backbone.model)
    trained = run_quick(shards, backbone, tmp_path)
    first, last = trained.losses[0], trained.losses[-1]
    assert abs(first.distillation) < 1e-6  # a pathway that says nothing is the base
    assert last.cross_entropy < 0.8 * first.cross_entropy
    assert [loss.step for loss in trained.losses] == [0, 20, 29]
    assert trained.before == trained.after
    assert weights_sha256(backbone.model) == before == trained.checkpoint.base.weights_sha256
    assert not any(layer._forward_hooks for layer in backbone.model.get_decoder().layers)
    assert {f.name for f in tmp_path.iterdir()} == {"adapter.safetensors", "config.json", "losses.jsonl"}


def test_the_same_seed_gives_the_same_bytes(shards: Path, untaught: Path, tmp_path: Path) -> None:
    weights = []
    for run, seed in enumerate([0, 0, 1]):
        torch.manual_seed(run)  # whatever the surroundings did before
        config = StageAConfig(steps=3, audio_rows=4, vision_rows=4, muted_rows=2, seed=seed)
        run_quick(shards, load_backbone(untaught), tmp_path / str(run), config)
        weights.append((tmp_path / str(run) / "adapter.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_step_mixes_questions_to_learn_and_questions_to_keep(questions: Questions) -> None:
    config = StageAConfig(audio_rows=6, vision_rows=8, muted_rows=3, silent_fraction=0.25)
    asked, sounds = StepSampler(questions, config).sample(5)
    audio, vision, muted = asked[:6], asked[6:14], asked[14:]
    assert all(q.example.needs_audio for q in audio + muted)
    assert not any(q.example.needs_audio for q in vision)
    assert sounds[:6] == [q.record_index for q in audio]
    assert sounds[6:8] == [SILENCE] * 2
    assert sounds[14:] == [SILENCE] * 3
    unrelated = zip(vision[2:], sounds[8:14], strict=True)
    assert all(questions.groups[record] != q.group for q, record in unrelated)


def test_a_step_follows_from_seed_and_step_alone(questions: Questions) -> None:
    config = StageAConfig(audio_rows=3, vision_rows=3, muted_rows=2)
    sampler = StepSampler(questions, config)
    in_order = [sampler.sample(step) for step in range(60)]
    assert StepSampler(questions, config).sample(57) == in_order[57]
    assert StepSampler(questions, dataclasses.replace(config, seed=1)).sample(57) != in_order[57]


def test_every_question_comes_once_an_epoch(questions: Questions) -> None:
    sampler = StepSampler(questions, StageAConfig(audio_rows=4, vision_rows=5, muted_rows=2))
    asked = [sampler.sample(step)[0] for step in range(len(questions.audio))]
    for part, wanted in ((slice(0, 4), questions.audio), (slice(4, 9), questions.vision)):
        order = [question.example.id for step in asked for question in step[part]]
        epochs = [order[i : i + len(wanted)] for i in range(0, len(order), len(wanted))]
        assert all(sorted(epoch) == sorted(q.example.id for q in wanted) for epoch in epochs)
        assert epochs[0] != epochs[1]


def test_a_loss_that_is_no_number_stops_the_run(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    loader.silence[:] = np.nan
    with pytest.raises(
        InputError, match=r"step 0: the loss is nan; lower the learning rate \(0\.003\), or look"
    ):
        train_stage_a(fused(loader, backbone), questions, loader, QUICK)


def test_an_encoder_decoder_is_refused(loader: Loader, questions: Questions, backbone: Backbone) -> None:
    backbone.model.config.is_encoder_decoder = True
    with pytest.raises(InputError, match="is an encoder-decoder; stage A trains decoders only"):
        train_stage_a(fused(loader, backbone), questions, loader, QUICK)
