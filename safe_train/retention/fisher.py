"""Fisher: hold each weight of the pathway near its first value, the more the base's answers depend on it.

Elastic weight consolidation of the pathway; the base's weights never move. An untrained pathway is silent, so
its first values are those at which the model answers as the base does.

This is weaker than distillation. It limits how far weights move, whatever they are needed for: a weight that
an unrelated sound disturbs is often one that hearing needs. And the outputs of an untrained pathway are zero,
so only they have a gradient: the Fisher information of everything else starts at 0 and must be estimated
again while the pathway learns.

**Source:** Kirkpatrick et al. 2017 (arXiv 1612.00796), equation 3, with its factor of 1/2.
**Differs:** the Fisher information is that of the pathway as it is now, not as it was at its first values.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from jaxtyping import Float, Int64
from torch import Tensor, nn

from safe_train.batches import Batch
from safe_train.pathway.model import AudioPathway, SafeModel
from safe_train.retention.distillation import answer_logits

_FISHER, _ANCHOR = "fisher/", "anchor/"


class Fisher:
    """The first values of a pathway's trained weights, and the diagonal of their Fisher information."""

    def __init__(self, pathway: AudioPathway) -> None:
        trained = _trained(pathway)
        self._anchor = {name: weight.detach().clone() for name, weight in trained.items()}
        self._fisher = {name: torch.zeros_like(weight) for name, weight in self._anchor.items()}

    def estimate(self, model: SafeModel, rows: Iterable[tuple[Batch, int]], accelerator: Accelerator) -> None:
        """Estimate the Fisher information anew, per token of an answer, from rows with the gate open.

        Each row is a batch of one question, and the seed of its labels. It takes one forward and one backward
        pass. The labels are drawn from the model's own logits, and only then is the result unbiased: the
        expected square of a token's gradient is the Fisher information by definition, and the gradients of
        different tokens, whose labels are independent, have mean 0, so that their products cancel.
        An answer's tokens follow the words of the reference, as in training, not those drawn.

        All audio tokens are heard: those of a smaller budget are among them. With several processes, each
        gives its own rows.
        """
        weights = _trained(model.pathway)
        sums = [torch.zeros_like(weight) for weight in weights.values()]
        tokens = 0
        for batch, seed in rows:
            with model.fuse(audio=batch.audio):
                with accelerator.autocast():
                    logits = answer_logits(model, batch, model.base)[0]
                labels = sampled_labels(logits, torch.Generator().manual_seed(seed))
                squares = squared_gradients(logits, labels, tuple(weights.values()))
            tokens += len(labels)
            for total, square in zip(sums, squares, strict=True):
                total += square
        count = accelerator.reduce(torch.tensor(float(tokens), device=accelerator.device), "sum").item()
        self._fisher = {
            name: accelerator.reduce(total, "sum") / count for name, total in zip(weights, sums, strict=True)
        }

    def penalty(self, pathway: AudioPathway) -> Float[Tensor, ""]:
        """½ Σ F·(weight − first value)², in nats per token.

        Near the first values, and if weights were independent, it is the KL divergence from the base.
        """
        parts = [
            (self._fisher[name] * (weight - self._anchor[name]).square()).sum()
            for name, weight in _trained(pathway).items()
        ]
        return 0.5 * torch.stack([part.to(parts[0].device) for part in parts]).sum()

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""
        fisher = {_FISHER + name: tensor for name, tensor in self._fisher.items()}
        return fisher | {_ANCHOR + name: tensor for name, tensor in self._anchor.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for prefix, own in ((_FISHER, self._fisher), (_ANCHOR, self._anchor)):
            own.update({name: state[prefix + name].to(tensor.device) for name, tensor in own.items()})


def sampled_labels(
    logits: Float[Tensor, "tokens vocab"], generator: torch.Generator
) -> Int64[Tensor, " tokens"]:
    """Draw a label for each token from the model's own probabilities; the generator is one of the CPU."""
    drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=generator)
    return drawn[:, 0].to(logits.device)


def squared_gradients(
    logits: Float[Tensor, "tokens vocab"], labels: Int64[Tensor, " tokens"], weights: Sequence[Tensor]
) -> list[Tensor]:
    """The square of the gradient of the labels' log-likelihood, for each weight; 0 for one without influence.

    >>> weight = torch.tensor(0.0, requires_grad=True)
    >>> logits = torch.stack([weight * 2, weight * 0])[None]
    >>> squared_gradients(logits, torch.tensor([0]), [weight])  # (1 − p)²·x² with p = 1/2, x = 2
    [tensor(1.)]
    """
    surprise = F.cross_entropy(logits, labels, reduction="sum")
    gradients = torch.autograd.grad(surprise, list(weights), allow_unused=True)
    return [
        torch.zeros_like(weight) if gradient is None else gradient.square()
        for weight, gradient in zip(weights, gradients, strict=True)
    ]


def _trained(pathway: AudioPathway) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in pathway.named_parameters() if weight.requires_grad}
