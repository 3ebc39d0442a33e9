"""States: what the base alone thinks of questions, before any sound is opened: one pass with the gate shut.

Three numbers describe how sure it is of the first token of its answer, and `hidden` is the last layer's state
that this token was chosen from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Float64
from numpy import ndarray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class States:
    """A row for each question.

    `entropy` in nats, `confidence` the probability of the likeliest first token, `margin` its lead over the
    second; `largest_entropy` is that of a uniform choice, the logarithm of the vocabulary's size.
    """

    entropy: Float64[ndarray, " questions"]
    confidence: Float64[ndarray, " questions"]
    margin: Float64[ndarray, " questions"]
    hidden: Float32[ndarray, "questions width"]
    largest_entropy: float

    def __len__(self) -> int:
        return len(self.entropy)

    def of(self, rows: Sequence[int]) -> "States":
        """The states of these questions."""
        at = list(rows)
        return States(
            self.entropy[at], self.confidence[at], self.margin[at], self.hidden[at], self.largest_entropy
        )


def states_from(
    first: "Float[Tensor, 'questions vocab']", hidden: "Float[Tensor, 'questions width']"
) -> States:
    """The states behind these logits of the first token, and the hidden states that they come from.

    >>> import torch
    >>> found = states_from(torch.tensor([[0.0, 0.0]]), torch.zeros(1, 3))
    >>> round(float(found.entropy[0]), 4), float(found.confidence[0]), float(found.margin[0])
    (0.6931, 0.5, 0.0)
    """
    logs = first.double().log_softmax(-1)
    chances = logs.exp()
    # A token that cannot be said has probability 0 and the logarithm -inf; their product is 0.
    entropy = -(chances * logs.nan_to_num(neginf=0.0)).sum(-1)
    best = chances.topk(2, -1).values
    return States(
        entropy=entropy.cpu().numpy(),
        confidence=best[:, 0].cpu().numpy(),
        margin=(best[:, 0] - best[:, 1]).cpu().numpy(),
        hidden=hidden.float().cpu().numpy(),
        largest_entropy=float(np.log(first.shape[-1])),
    )


def unseen(questions: int) -> States:
    """The states of so many questions for a gate that needs none: nobody has asked the base."""
    nothing = np.full(questions, np.nan)
    return States(nothing, nothing, nothing, np.zeros((questions, 0), np.float32), np.nan)


def influence(
    off: "Float[Tensor, 'questions vocab']", heard: "Float[Tensor, 'questions vocab']"
) -> Float64[ndarray, " questions"]:
    """KL(off ‖ on) of the first token in nats: how much the sound changes what the base would say.

    `off` are the logits with the gate shut, `heard` those with the sound.

    >>> import torch
    >>> influence(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [9.0, 0.0]])).round(3)
    array([0.   , 3.807])
    """
    before, after = off.double().log_softmax(-1), heard.double().log_softmax(-1)
    chances = before.exp()
    # A token that cannot be said has the logarithm -inf in both; it adds nothing.
    lost = (before - after).masked_fill(chances == 0, 0.0)
    # Rounding may leave a divergence of 0 just below it.
    found: Float64[ndarray, " questions"] = (chances * lost).sum(-1).clamp(min=0).cpu().numpy()
    return found


def joined(parts: Sequence[States]) -> States:
    """The states of several batches in one, in their order."""
    return States(
        np.concatenate([part.entropy for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.margin for part in parts]),
        np.concatenate([part.hidden for part in parts]),
        parts[0].largest_entropy,
    )
