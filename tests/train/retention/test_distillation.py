"""Distillation: the loss is the scaled divergence, in parts or whole; the teacher is the base, asked once."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from safe_train.base.backbone import Backbone
from safe_train.batches import Loader
from safe_train.corpora import SILENCE
from safe_train.pathway.model import SafeModel
from safe_train.questions import Asked, Questions
from safe_train.retention.distillation import Teacher, answer_logits, distillation_loss


def asked_of(questions: Questions, role: str, count: int) -> tuple[Asked, ...]:
    return tuple(Asked(int(q), role, SILENCE, 0) for q in questions.pool(role)[:count])


def logits_and_real(rows: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, rows, 2, 5, generator=generator).unbind(0)
    real = torch.ones(rows, 2, dtype=torch.bool)
    real[1::2, 1] = False
    return student, teacher, real


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_distillation_is_the_divergence_scaled_by_temperature(temperature: float) -> None:
    student, teacher, real = logits_and_real()
    p, q = (x[real].div(temperature).softmax(-1).double().numpy() for x in (teacher, student))
    expected = temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=-1))
    assert distillation_loss(student, teacher, real, temperature).item() == pytest.approx(expected, rel=1e-5)
    student[~real] += 100  # padding counts for nothing
    assert distillation_loss(student, teacher, real, temperature).item() == pytest.approx(expected, rel=1e-5)


def test_the_divergence_by_hand() -> None:
    """At T = 2 the teacher's (2 ln 3, 0) is 3/4 and 1/4, the student's (0, 0) is 1/2 and 1/2.

    KL = 3/4 ln 3/2 + 1/4 ln 1/2 = .304099 − .173287 = .130812, and T² is 4.
    """
    teacher, student = torch.tensor([[[2.1972246, 0.0]]]), torch.zeros(1, 1, 2)
    real = torch.tensor([[True]])
    assert distillation_loss(student, teacher, real, 2.0).item() == pytest.approx(0.523248, abs=1e-5)
    # Of the student, not of the teacher: the other way round is 1/2 ln 2/3 + 1/2 ln 2 = .143841.
    assert distillation_loss(teacher, student, real, 2.0).item() == pytest.approx(0.575364, abs=1e-5)
    # At T = 1 the teacher's is 9/10 and 1/10: .9 ln 1.8 + .1 ln .2 = .529008 − .160944.
    assert distillation_loss(student, teacher, real, 1.0).item() == pytest.approx(0.368064, abs=1e-5)


def test_its_gradient_by_hand() -> None:
    """T² · (q − p) / T = 4 · (1/2 − 3/4) / 2 = −1/2: T² undoes the softening, but for one T."""
    teacher, student = torch.tensor([[[2.1972246, 0.0]]]), torch.zeros(1, 1, 2, requires_grad=True)
    distillation_loss(student, teacher, torch.tensor([[True]]), 2.0).backward()
    assert student.grad is not None
    assert student.grad[0, 0].tolist() == pytest.approx([-0.5, 0.5], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(2, 8), cut=st.integers(1, 7), seed=st.integers(0, 99))
def test_the_losses_of_the_parts_add_up_to_the_whole(rows: int, cut: int, seed: int) -> None:
    student, teacher, real = logits_and_real(rows, seed)
    student.requires_grad_(True)
    tokens = int(real.sum())
    whole = distillation_loss(student, teacher, real, 2.0)
    parts = [slice(0, min(cut, rows - 1)), slice(min(cut, rows - 1), None)]
    losses = [distillation_loss(student[part], teacher[part], real[part], 2.0, tokens) for part in parts]
    assert sum(loss.item() for loss in losses) == pytest.approx(whole.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(whole, student)
    (in_parts,) = torch.autograd.grad(sum(losses), student)
    assert torch.allclose(gradient, in_parts, atol=1e-6)


def test_half_precision_logits_are_compared_in_full() -> None:
    student, teacher, real = logits_and_real()
    halves = (student.bfloat16(), teacher.bfloat16())
    found = distillation_loss(*halves, real, 2.0)
    assert found.dtype == torch.float32
    exact = distillation_loss(halves[0].float(), halves[1].float(), real, 2.0)
    assert found.item() == pytest.approx(exact.item(), rel=2e-2)


def test_answer_logits_predict_the_answers_tokens(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    batch = loader.batch(asked_of(questions, "audio", 4))
    whole = backbone.model(**batch.inputs).logits
    tokens = batch.answers.shape[1]
    found = answer_logits(backbone.model, batch)
    assert torch.allclose(found, whole[:, -tokens - 1 : -1], atol=1e-5)
    assert found.dtype == torch.float32


def test_a_wrapped_model_gives_the_answers_of_what_it_wraps(
    loader: Loader, questions: Questions, model: SafeModel
) -> None:
    class Wrapper(nn.Module):
        """As DistributedDataParallel: its signature says nothing of what it wraps."""

        def forward(self, *inputs: Any, **named: Any) -> Any:
            assert "logits_to_keep" in named
            return model(*inputs, **named)

    batch = loader.batch(asked_of(questions, "audio", 3))
    with model.fuse(audio=batch.audio), torch.no_grad():
        wrapped = answer_logits(Wrapper(), batch, model.base)
        assert torch.equal(wrapped, answer_logits(model.base, batch))


def test_a_model_that_cannot_leave_out_the_logits_of_the_prompt(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    class Whole(nn.Module):
        def forward(self, input_ids: Any, attention_mask: Any, pixel_values: Any, use_cache: bool) -> Any:
            return backbone.model(
                input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values
            )

    batch = loader.batch(asked_of(questions, "audio", 3))
    with torch.no_grad():
        assert torch.allclose(answer_logits(Whole(), batch), answer_logits(backbone.model, batch), atol=1e-5)


def test_the_teacher_is_the_base_kept_or_not(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    asked = asked_of(questions, "vl", 5) + asked_of(questions, "muted", 5)
    keeping, forgetful = Teacher(backbone.model, loader), Teacher(backbone.model, loader, capacity_bytes=0)
    keeping.logits(asked)
    with torch.no_grad():
        direct = answer_logits(backbone.model, loader.batch(asked[::2]))
    for teacher in (keeping, forgetful):
        assert torch.allclose(teacher.logits(asked[::2]), direct, atol=1e-5)
    assert not keeping.logits(asked).requires_grad


def test_a_question_is_computed_once_and_again_only_for_another_reference(
    loader: Loader, questions: Questions, backbone: Backbone, computed: list[list[Asked]]
) -> None:
    first, second, third = asked_of(questions, "vl", 3)
    teacher = Teacher(backbone.model, loader)
    teacher.logits((first, second, first))
    teacher.logits((second, third._replace(heard=4), third))
    teacher.logits((third, first))
    assert computed == [[first, second], [third]]
    teacher.logits((first._replace(reference=1),))
    assert computed[2:] == [[first._replace(reference=1)]]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[list[Asked]]:
    """What a teacher computes, as it does."""
    found: list[list[Asked]] = []
    batch = Loader.batch
    monkeypatch.setattr(Loader, "batch", lambda self, asked: found.append(list(asked)) or batch(self, asked))
    return found


def test_a_full_teacher_goes_on_without_keeping(
    loader: Loader, questions: Questions, backbone: Backbone, computed: list[list[Asked]]
) -> None:
    asked = asked_of(questions, "vl", 4)
    each = 2 * backbone.model.config.text_config.vocab_size * 4  # bytes: two tokens in float32
    teacher = Teacher(backbone.model, loader, capacity_bytes=2 * each + 1)
    wanted = Teacher(backbone.model, loader).logits(asked)
    computed.clear()
    for _ in range(2):
        assert torch.allclose(teacher.logits(asked), wanted, atol=1e-5)
    assert computed == [list(asked), list(asked[2:])]
    assert len(teacher.unsaved()) == 2


def test_a_shorter_answer_is_padded_with_zeros(
    loader: Loader, questions: Questions, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {questions.of(row.question).references[0]: row for row in asked_of(questions, "vl", 20)}
    (longer, second), (_, first), *_ = answers.items()
    encoded = loader._answer
    monkeypatch.setattr(
        loader, "_answer", lambda answer: torch.tensor([5, 6, 7, 1]) if answer == longer else encoded(answer)
    )
    found = Teacher(backbone.model, loader).logits((first, second))
    assert found.shape[1] == 4
    assert not found[0, 2:].any()
    assert found[0, :2].any(-1).all()
    assert found[1].any(-1).all()


def test_a_restored_teacher_gives_the_same_bits_and_computes_nothing_again(
    loader: Loader, questions: Questions, backbone: Backbone, computed: list[list[Asked]]
) -> None:
    """Alone, a question's last bits would be others than in the batch that it was first asked in."""
    asked = asked_of(questions, "vl", 6)
    teacher = Teacher(backbone.model, loader)
    wanted = teacher.logits(asked)
    saved = teacher.unsaved()
    assert teacher.unsaved() == {}
    more = asked_of(questions, "muted", 2)
    teacher.logits(more)
    saved |= teacher.unsaved()
    computed.clear()
    again = Teacher(backbone.model, loader)
    again.restore(saved)
    for row in asked:
        assert torch.equal(again.logits((row,))[0], wanted[asked.index(row)])
    assert torch.equal(again.logits(more), teacher.logits(more))
    assert computed == []
    assert again.unsaved() == {}  # it is saved already


def test_what_was_restored_takes_its_room(
    loader: Loader, questions: Questions, backbone: Backbone, computed: list[list[Asked]]
) -> None:
    """A teacher that goes on keeps what the uninterrupted one would keep, and no more."""
    asked = asked_of(questions, "vl", 5)
    each = 2 * backbone.model.config.text_config.vocab_size * 4
    whole, part = (Teacher(backbone.model, loader, capacity_bytes=3 * each) for _ in range(2))
    part.logits(asked[:2])
    resumed = Teacher(backbone.model, loader, capacity_bytes=3 * each)
    resumed.restore(part.unsaved())
    whole.logits(asked[:2])
    for teacher in (whole, resumed):
        teacher.logits(asked[2:])
        computed.clear()
        teacher.logits(asked)
        assert computed == [list(asked[3:])]


def test_the_teacher_never_hears(
    loader: Loader, questions: Questions, model: SafeModel, backbone: Backbone
) -> None:
    """It is the base with the gate closed; asked outside a request, an attached pathway changes nothing."""
    asked = asked_of(questions, "vl", 3)
    before = Teacher(model.base, loader).logits(asked)
    model.detach()
    assert torch.equal(Teacher(model.base, loader).logits(asked), before)
