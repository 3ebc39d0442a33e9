"""Distillation: the loss is the scaled divergence, and the teacher is the base."""

import numpy as np
import pytest
import torch

from safe_train.base.backbone import Backbone
from safe_train.batches import SILENCE, Loader
from safe_train.questions import Questions
from safe_train.retention import distillation
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss


def test_the_teacher_is_the_base_cached_or_not(
    loader: Loader, questions: Questions, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions.vision[:5] + questions.audio[:5]
    cached = Teacher(backbone.model, loader, asked).logits(asked[::2])
    monkeypatch.setattr(distillation, "TEACHER_CACHE_BYTES", 0)
    computed = Teacher(backbone.model, loader, asked).logits(asked[::2])
    direct = answer_logits(backbone.model, loader.batch(asked[::2], [SILENCE] * 5))
    assert torch.allclose(cached, computed, atol=1e-5)
    assert torch.allclose(computed, direct.detach(), atol=1e-5)


def test_answer_logits_predict_the_answers_tokens(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    batch = loader.batch(questions.audio[:4], [0] * 4)
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
