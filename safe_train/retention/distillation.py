"""Distillation: keep the base's answers, with the base itself (gate closed) as the teacher."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_train.batches import SILENCE, Batch, Loader
from safe_train.questions import TrainingQuestion

TEACHER_CACHE_BYTES = 2**30
TEACHER_BATCH_SIZE = 64


def distillation_loss(
    logits: Float[Tensor, "batch tokens vocab"],
    teacher: Float[Tensor, "batch tokens vocab"],
    real: Bool[Tensor, "batch tokens"],
    temperature: float,
) -> Float[Tensor, ""]:
    """T² · KL(teacher ‖ student) at temperature T, averaged over the answers' real tokens, in nats.

    Compute it with the gate open and an unrelated sound: with the gate closed it is always 0.

    **Source:** Hinton et al. 2015 (arXiv 1503.02531) section 2: T² keeps the gradient's size as T grows;
    Li & Hoiem 2016 (arXiv 1606.09282): the teacher is the network before training.

    >>> same = torch.tensor([[[2.0, 0.0]]])
    >>> distillation_loss(same, same, torch.tensor([[True]]), temperature=2.0).item()
    0.0
    """
    student = (logits[real] / temperature).float().log_softmax(-1)
    target = (teacher[real] / temperature).float().log_softmax(-1)
    divergence = torch.nn.functional.kl_div(student, target, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


class Teacher:
    """The base's own logits for the answers, without a sound.

    They never change. If the logits of all questions fit in TEACHER_CACHE_BYTES, they are computed once,
    before the first step; otherwise at every step. With a vocabulary of 32,000, about 3000 answers fit.
    """

    def __init__(self, base: Any, loader: Loader, questions: Sequence[TrainingQuestion]) -> None:
        self._base = base
        self._loader = loader
        self._cache: dict[str, Float[Tensor, "tokens vocab"]] = {}
        vocabulary = base.get_output_embeddings().weight.shape[0]
        tokens = sum(len(question.answer) for question in questions)
        if tokens * vocabulary * 4 <= TEACHER_CACHE_BYTES:
            for start in range(0, len(questions), TEACHER_BATCH_SIZE):
                self._store(questions[start : start + TEACHER_BATCH_SIZE])

    def logits(self, questions: Sequence[TrainingQuestion]) -> Float[Tensor, "batch tokens vocab"]:
        """The base's logits for the tokens of the answers; shorter answers are padded with zeros."""
        if not self._cache:
            return self._compute(questions)
        return pad_sequence([self._cache[question.example.id] for question in questions], batch_first=True)

    def _store(self, questions: Sequence[TrainingQuestion]) -> None:
        for question, logits in zip(questions, self._compute(questions), strict=True):
            self._cache[question.example.id] = logits[: len(question.answer)].clone()

    def _compute(self, questions: Sequence[TrainingQuestion]) -> Float[Tensor, "batch tokens vocab"]:
        batch = self._loader.batch(questions, [SILENCE] * len(questions))
        with torch.no_grad():
            return answer_logits(self._base, batch.to(self._base.device, self._base.dtype))


def answer_logits(base: Any, batch: Batch) -> Float[Tensor, "batch tokens vocab"]:
    """The logits that predict each token of the answers, in float32."""
    tokens = batch.answers.shape[1]
    # The logits of the prompt are not needed, but not every model can leave them out.
    shortened = (
        {"logits_to_keep": tokens + 1}
        if "logits_to_keep" in inspect.signature(base.forward).parameters
        else {}
    )
    logits: Tensor = base(**batch.inputs, use_cache=False, **shortened).logits
    return logits[:, -tokens - 1 : -1].float()
