"""Retention: what keeps the base the base while it learns to hear: distillation from itself, gate closed."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_train.batches import SILENCE, Batch, Loader, Question

TEACHER_KEPT_BYTES = 2**30
TEACHER_ROWS = 64


def distillation_loss(
    logits: Float[Tensor, "rows tokens vocab"],
    teacher: Float[Tensor, "rows tokens vocab"],
    real: Bool[Tensor, "rows tokens"],
    temperature: float,
) -> Float[Tensor, ""]:
    """T² · KL(teacher ‖ student) at temperature T, the mean over the answers' real tokens, in nats.

    It must be taken with the gate open and a sound that does not belong; with it closed the two are equal.

    **Source:** Hinton et al. 2015 (arXiv 1503.02531) section 2: T² keeps the gradient's size as T grows;
    Li & Hoiem 2016 (arXiv 1606.09282): the network's own earlier answers are the teacher.

    >>> same = torch.tensor([[[2.0, 0.0]]])
    >>> distillation_loss(same, same, torch.tensor([[True]]), temperature=2.0).item()
    0.0
    """
    student = (logits[real] / temperature).float().log_softmax(-1)
    target = (teacher[real] / temperature).float().log_softmax(-1)
    divergence = torch.nn.functional.kl_div(student, target, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


class Teacher:
    """What the base itself, hearing nothing, thinks of the answers.

    It never changes, so it is worked out once, before the first step, where it fits in memory (with a
    vocabulary of 32,000 some 3000 answers do), and step by step where it does not.
    """

    def __init__(self, base: Any, loader: Loader, questions: Sequence[Question]) -> None:
        self._base = base
        self._loader = loader
        self._known: dict[str, Float[Tensor, "tokens vocab"]] = {}
        vocabulary = base.get_output_embeddings().weight.shape[0]
        tokens = sum(len(question.answer) for question in questions)
        if tokens * vocabulary * 4 <= TEACHER_KEPT_BYTES:
            for start in range(0, len(questions), TEACHER_ROWS):
                self._learn(questions[start : start + TEACHER_ROWS])

    def logits(self, questions: Sequence[Question]) -> Float[Tensor, "rows tokens vocab"]:
        """The base's logits for the answers' tokens, zeros behind the shorter ones."""
        if not self._known:
            return self._ask(questions)
        return pad_sequence([self._known[question.example.id] for question in questions], batch_first=True)

    def _learn(self, questions: Sequence[Question]) -> None:
        for question, logits in zip(questions, self._ask(questions), strict=True):
            self._known[question.example.id] = logits[: len(question.answer)].clone()

    def _ask(self, questions: Sequence[Question]) -> Float[Tensor, "rows tokens vocab"]:
        batch = self._loader.batch(questions, [SILENCE] * len(questions))
        with torch.no_grad():
            return answer_logits(self._base, batch.to(self._base.device, self._base.dtype))


def answer_logits(base: Any, batch: Batch) -> Float[Tensor, "rows tokens vocab"]:
    """The logits that predict each token of the answers, in float32."""
    tokens = batch.answers.shape[1]
    # Not every model can be told to leave out the logits of the prompt, which nobody reads.
    shortened = (
        {"logits_to_keep": tokens + 1}
        if "logits_to_keep" in inspect.signature(base.forward).parameters
        else {}
    )
    logits: Tensor = base(**batch.inputs, use_cache=False, **shortened).logits
    return logits[:, -tokens - 1 : -1].float()
