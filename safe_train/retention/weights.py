"""Weights: the retention that works on the pathway's weights instead of its answers.

Elastic weight consolidation (`fisher`) and the null space of the queries (`null_space`) are optional and
weaker than distillation, which is the default. Both learn from VL questions that are asked with an unrelated
sound and the gate open. Which ones follows from the seed and the step alone, so there is nothing to restore
but the tensors of `state`.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from safe_data.core.errors import InputError
from safe_train.base.loading import input_device
from safe_train.batches import Batch, Loader
from safe_train.pathway.model import SafeModel
from safe_train.questions import Asked, Questions
from safe_train.retention.fisher import Fisher
from safe_train.retention.null_space import NullSpace
from safe_train.settings.train import TrainConfig

FISHER_ROWS, NULL_SPACE_ROWS = 32, 256
_STREAM = 11  # the stream of random numbers that draws these questions, their sounds and labels


class WeightRetention:
    """What the loop does before, with and after the gradients of a step: nothing, if no setting asks for it.

    Make it with the pathway's first weights, before an optimizer or a wrapper sees them.

    Raises:
        InputError: there is no VL question to learn from.
    """

    def __init__(
        self, config: TrainConfig, model: SafeModel, loader: Loader, accelerator: Accelerator
    ) -> None:
        loss = config.loss
        self._model, self._loader, self._accelerator = model, loader, accelerator
        self._seed, self._weight, self._interval = config.run.seed, loss.fisher_weight, loss.fisher_interval
        energy = loss.null_space_energy
        is_used = bool(self._weight) or energy is not None
        if is_used and loader.questions.needs_audio.all():
            names = ", ".join(loader.questions.corpora.names)
            raise InputError(
                f"{names}: every question needs the sound; fisher_weight and null_space_energy keep answers "
                "to those that do not; add a dataset that has some, or leave both out"
            )
        # The null space first: what it freezes needs no Fisher information.
        self._null_space = None if energy is None else NullSpace(model.pathway, energy)
        self._fisher = Fisher(model.pathway) if self._weight else None

    def prepare(self, step: int) -> None:
        """Before the forward passes of a step: estimate or collect what is due."""
        null_space, fisher = self._null_space, self._fisher
        pathway = self._model.pathway
        was_training = pathway.training
        pathway.eval()
        if null_space and not null_space.is_collected:
            rows = self._rows(step, NULL_SPACE_ROWS)
            null_space.collect(self._model, (batch for batch, _ in rows), self._accelerator)
        if fisher and step % self._interval == 0:
            fisher.estimate(self._model, self._rows(step, FISHER_ROWS), self._accelerator)
        pathway.train(was_training)

    def penalise(self, losses: Mapping[str, float]) -> dict[str, float]:
        """After the backward passes: add the penalty to the losses, and its gradient to that of the batch.

        It depends on no batch, so it is added once a step, when processes have exchanged their gradients.
        """
        if not self._fisher:
            return dict(losses)
        penalty = self._fisher.penalty(self._model.pathway)
        weights = [weight for weight in self._model.pathway.parameters() if weight.requires_grad]
        gradients = torch.autograd.grad(self._weight * penalty, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient if weight.grad is None else weight.grad + gradient
        value = penalty.item()
        return {**losses, "loss": losses["loss"] + self._weight * value, "fisher": value}

    def project(self) -> None:
        """After the optimizer's step: take back what the null space does not allow."""
        if self._null_space:
            self._null_space.project(self._model.pathway)

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs, on the CPU."""
        parts = [part.state() for part in (self._null_space, self._fisher) if part]
        return {name: tensor.cpu().contiguous() for part in parts for name, tensor in part.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            InputError: it lacks something.
        """
        try:
            for part in (self._null_space, self._fisher):
                if part:
                    part.restore(state)
        except KeyError as error:
            raise InputError(
                f"the last saved state lacks {error.args[0]!r}; remove its folder, and the run goes on from "
                "the state before it"
            ) from None

    def _rows(self, step: int, count: int) -> Iterator[tuple[Batch, int]]:
        """This process's share of a step's VL questions, each in a batch of one, with a seed."""
        rng = np.random.default_rng((self._seed, _STREAM, step))
        asked = unrelated_rows(self._loader.questions, count, rng)
        seeds = rng.integers(2**63, size=len(asked)).tolist()
        here, processes = self._accelerator.process_index, self._accelerator.num_processes
        base = self._model.base
        for row, seed in list(zip(asked, seeds, strict=True))[here::processes]:
            yield self._loader.batch([row]).to(input_device(base), base.dtype), seed


def unrelated_rows(questions: Questions, count: int, rng: np.random.Generator) -> tuple[Asked, ...]:
    """At most this many VL questions, each with an unrelated sound."""
    pool = questions.pool("vl")
    chosen = rng.choice(pool, size=min(count, len(pool)), replace=False)
    sounds = questions.corpora.unrelated(questions.clip[chosen], rng)
    return tuple(Asked(q, "vl", clip, 0) for q, clip in zip(chosen.tolist(), sounds.tolist(), strict=True))
