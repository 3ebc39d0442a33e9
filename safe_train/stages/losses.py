"""Losses: what stage A minimises, and its parts."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from safe_eval.models.token_batches import IGNORED
from safe_train.batches import Batch
from safe_train.retention.distillation import answer_logits, distillation_loss
from safe_train.settings.learning import LossConfig
from safe_train.stages.work import Counts


class Losses:
    """The loss of stage A: cross-entropy of the rows that learn, divergence from the base of the others.

    A part that the whole batch has no row for is left out, not 0.
    """

    def __init__(self, config: LossConfig, base: Any) -> None:
        self._base = base
        self._kl_weight, self._temperature = config.kl_weight, config.temperature

    def __call__(self, model: Any, batch: Batch, taught: Tensor | None, counts: Counts) -> dict[str, Tensor]:
        logits, learns = answer_logits(model, batch, self._base), batch.learns
        zero = logits[:0].sum()  # of the graph, for a pass whose rows have no loss
        cross_entropy, distillation = zero, zero
        if counts.learn and bool(learns.any()):
            answers = batch.answers[learns].flatten()
            summed = F.cross_entropy(
                logits[learns].flatten(0, 1), answers, ignore_index=IGNORED, reduction="sum"
            )
            cross_entropy = summed / counts.learn
        if taught is not None:
            tokens = taught.shape[1]  # the longest answer of the batch may be one that is learnt
            student, real = logits[~learns][:, :tokens], batch.real[~learns][:, :tokens]
            distillation = distillation_loss(student, taught, real, self._temperature, counts.keep)
        losses = {"loss": cross_entropy + self._kl_weight * distillation}
        if counts.learn:
            losses["cross_entropy"] = cross_entropy
        if counts.keep and self._kl_weight:
            losses["distillation"] = distillation
        return losses
