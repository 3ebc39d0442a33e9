"""Distillation: keep the base's answers, with the base itself (gate closed) as the teacher."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_eval.models.generation import last_logits
from safe_train.base.loading import input_device
from safe_train.batches import Batch, Loader
from safe_train.questions import Asked

TEACHER_CACHE_BYTES = 2**30


def distillation_loss(
    logits: Float[Tensor, "batch tokens vocab"],
    teacher: Float[Tensor, "batch tokens vocab"],
    real: Bool[Tensor, "batch tokens"],
    temperature: float,
    tokens: int | None = None,
) -> Float[Tensor, ""]:
    """T² · KL(teacher ‖ student) at temperature T, averaged over the answers' real tokens, in nats.

    `tokens` is the number to divide by where these rows are a part of a batch (default: their real tokens).
    Compute it with the gate open and an unrelated sound: with the gate closed it is always 0.

    **Source:** Hinton et al. 2015 (arXiv 1503.02531) section 2: T² keeps the gradient's size as T grows;
    Li & Hoiem 2016 (arXiv 1606.09282): the teacher is the network before training.

    >>> same = torch.tensor([[[2.0, 0.0]]])
    >>> distillation_loss(same, same, torch.tensor([[True]]), temperature=2.0).item()
    0.0
    """
    student = (logits[real] / temperature).float().log_softmax(-1)
    target = (teacher[real] / temperature).float().log_softmax(-1)
    divergence = torch.nn.functional.kl_div(student, target, reduction="sum", log_target=True)
    return temperature**2 * divergence / (int(real.sum()) if tokens is None else tokens)


class Teacher:
    """The base's own logits for the answers, without a sound.

    They never change. Those of a question are computed when it is first asked and kept while there is room:
    with a vocabulary of 32,000, about 3000 answers fit. What is kept is a part of a run's state, because the
    last bits of a logit depend on the batch that it was computed in. Where the base itself is trained,
    `untouched` makes it for a moment what it was before.
    """

    def __init__(
        self,
        base: Any,
        loader: Loader,
        capacity_bytes: int = TEACHER_CACHE_BYTES,
        untouched: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._base, self._device = base, input_device(base)
        self._loader = loader
        self._untouched = untouched
        self._room = capacity_bytes
        self._kept: dict[str, Float[Tensor, "tokens vocab"]] = {}
        self._unsaved: list[str] = []

    def logits(self, asked: tuple[Asked, ...]) -> Float[Tensor, "batch tokens vocab"]:
        """The base's logits for the tokens of the answers; shorter answers are padded with zeros."""
        missing = {_key(row): row for row in asked if _key(row) not in self._kept}
        computed = self._compute(tuple(missing.values())) if missing else []
        found = {_key(row): self._kept[_key(row)] for row in asked if _key(row) in self._kept}
        for name, logits in zip(missing, computed, strict=True):
            found[name] = logits
            if logits.nbytes <= self._room:
                self._room -= logits.nbytes
                self._kept[name] = logits
                self._unsaved.append(name)
        return pad_sequence([found[_key(row)] for row in asked], batch_first=True)

    @property
    def answers_kept(self) -> int:
        """How many answers there was room for."""
        return len(self._kept)

    def unsaved(self) -> dict[str, Tensor]:
        """What is kept since the last call, by names that say question and reference."""
        names, self._unsaved = self._unsaved, []
        return {name: self._kept[name] for name in names}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Keep what the teacher of an earlier part of this run had kept."""
        self._kept = {name: logits.to(self._device) for name, logits in state.items()}
        self._room -= sum(logits.nbytes for logits in self._kept.values())

    @torch.no_grad()
    def _compute(self, asked: tuple[Asked, ...]) -> list[Float[Tensor, "tokens vocab"]]:
        batch = self._loader.batch(asked).to(self._device, self._base.dtype)
        with self._untouched():
            logits = answer_logits(self._base, batch)
        return [row[: int(real.sum())].clone() for row, real in zip(logits, batch.real, strict=True)]


def _key(row: Asked) -> str:
    return f"{row.question}.{row.reference}"


def answer_logits(model: Any, batch: Batch, base: Any = None) -> Float[Tensor, "batch tokens vocab"]:
    """The logits that predict each token of the answers, in float32; `model` may be a wrapped SafeModel."""
    return last_logits(model, batch.inputs, batch.answers.shape[1], base)
