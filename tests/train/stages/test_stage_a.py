"""Stage A: it learns, the base does not move, and the same seed gives the same bytes."""

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
from safe_train.retention import distillation as retention
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss
from safe_train.stages.stage_a import stage_a, step_questions, train_stage_a

QUICK = StageAConfig(steps=30, audio_rows=8, vision_rows=8, muted_rows=4)


def run_quick(shards: Path, backbone: Backbone, out: Path, config: StageAConfig = QUICK):
    return stage_a(shards, backbone, out, base_name="untaught", config=config)


def fused(loader: Loader, backbone: Backbone, seed: int = 0) -> SafeModel:
    fresh = new_pathway(PathwayConfig(), backbone.model, len(loader.silence), seed)
    return SafeModel(backbone.model, fresh)


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


def test_a_step_mixes_what_to_learn_and_what_to_keep(loader: Loader) -> None:
    config = StageAConfig(audio_rows=6, vision_rows=8, muted_rows=3, silent_fraction=0.25)
    questions, clips = step_questions(loader, config, step=5)
    learn, seeing, muted = questions[:6], questions[6:14], questions[14:]
    assert all(q.example.needs_audio for q in learn + muted)
    assert not any(q.example.needs_audio for q in seeing)
    assert clips[:6] == [q.clip for q in learn]
    assert clips[6:8] == [SILENCE] * 2
    assert clips[14:] == [SILENCE] * 3
    unrelated = zip(seeing[2:], clips[8:14], strict=True)
    assert all(loader.groups[clip] != q.group for q, clip in unrelated)


def test_the_teacher_is_the_base_known_or_asked(
    loader: Loader, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = loader.seeing[:5] + loader.hearing[:5]
    known = Teacher(backbone.model, loader, questions).logits(questions[::2])
    monkeypatch.setattr(retention, "TEACHER_KEPT_BYTES", 0)
    asked = Teacher(backbone.model, loader, questions).logits(questions[::2])
    direct = answer_logits(backbone.model, loader.batch(questions[::2], [SILENCE] * 5))
    assert torch.allclose(known, asked, atol=1e-5)
    assert torch.allclose(asked, direct.detach(), atol=1e-5)


def test_answer_logits_predict_the_answers_tokens(loader: Loader, backbone: Backbone) -> None:
    batch = loader.batch(loader.hearing[:4], [0] * 4)
    whole = backbone.model(**batch.inputs).logits
    tokens = batch.answers.shape[1]
    assert torch.allclose(answer_logits(backbone.model, batch), whole[:, -tokens - 1 : -1], atol=1e-5)


def test_distillation_is_the_divergence_scaled_by_temperature() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 3, 2, 5, generator=generator).unbind(0)
    real = torch.tensor([[True, True], [True, False], [True, True]])
    p, q = (x[real].div(2).softmax(-1).double().numpy() for x in (teacher, student))
    expected = 4 * np.mean(np.sum(p * np.log(p / q), axis=-1))
    assert distillation_loss(student, teacher, real, 2.0).item() == pytest.approx(expected, rel=1e-5)
    student[~real] += 100  # padding counts for nothing
    assert distillation_loss(student, teacher, real, 2.0).item() == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_no_number_stops_the_run(loader: Loader, backbone: Backbone) -> None:
    loader.silence[:] = np.nan
    with pytest.raises(
        InputError, match=r"step 0: the loss is nan; lower the learning rate \(0\.003\), or look"
    ):
        train_stage_a(fused(loader, backbone), loader, QUICK)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"steps": 0}, "steps=0: must be at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0: must be above 0"),
        ({"kl_weight": -1.0}, r"kl_weight=-1\.0: must be 0 or more"),
        ({"kl_weight": float("nan")}, "kl_weight=nan: must be 0 or more"),
        ({"silent_fraction": 1.5}, r"silent_fraction=1\.5: must be in \[0, 1\]"),
        ({"seed": -1}, "seed=-1: a seed is 0 or more"),
    ],
)
def test_what_cannot_be_trained(choice: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StageAConfig(**choice)


def test_an_encoder_decoder_is_refused(loader: Loader, backbone: Backbone) -> None:
    backbone.model.config.is_encoder_decoder = True
    with pytest.raises(InputError, match="is an encoder-decoder; stage A trains decoders only"):
        train_stage_a(fused(loader, backbone), loader, QUICK)
