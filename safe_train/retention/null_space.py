"""Null space: let each cross-attention's queries change only for hidden states unlike those of VL questions.

The hidden states that VL questions bring before the queries are collected once, while the pathway is still
silent: they are the base's own, whatever sound is heard. The directions that hold most of their energy are
protected. After each step of the optimizer, the query matrix W moves only across them: for a state x in
these directions, W·x stays what it was at first.

What it protects is one linear map on the inputs collected. What it cannot protect:

- Only the queries see what a VL question brings. Keys, values, outputs and projector see the sound, which VL
  questions do not bring; they learn freely, and whatever they add is added to VL questions too.
- Attention weights sum to 1, so no query can ask for silence: an unchanged query still mixes the values.
- Directions beyond the energy leak, and a cross-attention that speaks moves the states of the layers above
  out of the directions collected.

So alone it does not keep the base's answers; it is here to be compared with distillation, and added to it.

With `hidden_norm`, W sees the normalised states, which depend on the weights of this norm as well. Those are
frozen where they start. Nothing else is.

**Source:** Adam-NSCL, Wang et al. 2021 (arXiv 2103.07113): uncentred covariance, projected update.
**Differs:** the protected directions hold a share of the energy, as in GPM (Saha et al. 2021, arXiv
2103.09762); theirs are chosen by a multiple of the smallest singular value. Only queries are projected.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Float, Float64
from torch import Tensor, nn

from safe_train.batches import Batch
from safe_train.pathway.fusion import CrossAttentionBlock, LowRankUpdate
from safe_train.pathway.model import AudioPathway, SafeModel
from safe_train.retention.distillation import answer_logits

_START, _PROTECTED = "start/", "protected/"


class NullSpace:
    """The protected directions before each cross-attention's queries, and the query matrices at first.

    `energy` is the share of the hidden states' energy to protect. The weights of the norms before the queries
    are frozen at once.
    """

    def __init__(self, pathway: AudioPathway, energy: float) -> None:
        self._energy = energy
        self._start: dict[int, Float[Tensor, "inner width"]] = {}
        self._protected: dict[int, Float[Tensor, "width directions"]] = {}
        for number in pathway.config.layers:
            block = pathway.block(number)
            block.hidden_norm.requires_grad_(False)
            self._start[number] = _start(block)

    @property
    def is_collected(self) -> bool:
        """Whether the protected directions are known."""
        return bool(self._protected)

    @torch.no_grad()
    def collect(self, model: SafeModel, batches: Iterable[Batch], accelerator: Accelerator) -> None:
        """Find the protected directions from VL questions, batches of one row: padding is no hidden state.

        With several processes, each gives its own batches.
        """
        sums = {number: _nothing(start.shape[1], start.device) for number, start in self._start.items()}
        blocks = {number: model.pathway.block(number) for number in sums}
        hooks = [
            block.query.register_forward_pre_hook(_adding(sums[number])) for number, block in blocks.items()
        ]
        try:
            for batch in batches:
                with model.fuse(audio=batch.audio), accelerator.autocast():
                    answer_logits(model.base, batch)
        finally:
            for hook in hooks:
                hook.remove()
        for number, total in sums.items():
            directions = protected_directions(accelerator.reduce(total, "sum"), self._energy)
            self._protected[number] = directions.to(self._start[number].dtype)

    @torch.no_grad()
    def project(self, pathway: AudioPathway) -> None:
        """Take back what moved the query matrices along protected directions."""
        for number, directions in self._protected.items():
            weight, start = query_weight(pathway.block(number)), self._start[number]
            # From the start, not from the last step: the error of rounding then does not add up.
            moved = weight - start
            weight.copy_(start + (moved - (moved @ directions) @ directions.T))

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""
        start = {f"{_START}{number}": tensor for number, tensor in self._start.items()}
        return start | {f"{_PROTECTED}{number}": tensor for number, tensor in self._protected.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        devices = {number: start.device for number, start in self._start.items()}
        self._start = {n: state[f"{_START}{n}"].to(device) for n, device in devices.items()}
        self._protected = {n: state[f"{_PROTECTED}{n}"].to(device) for n, device in devices.items()}


def protected_directions(
    covariance: Float64[Tensor, "width width"], energy: float
) -> Float64[Tensor, "width directions"]:
    """The fewest orthonormal directions that hold this share of the energy of an uncentred covariance.

    >>> protected_directions(torch.tensor([[9.0, 0.0], [0.0, 1.0]]).double(), 0.9).abs().tolist()
    [[1.0], [0.0]]
    """
    # Of a symmetric matrix without negative eigenvalues, eigenvectors are singular vectors.
    values, vectors = torch.linalg.eigh(covariance)  # in ascending order
    held = values.flip(0).clamp(min=0).cumsum(0)
    directions = int((held < energy * held[-1]).sum()) + 1
    protected: Float64[Tensor, "width directions"] = vectors.flip(1)[:, :directions]
    return protected


def query_weight(block: CrossAttentionBlock) -> Float[Tensor, "inner width"]:
    """The trained matrix that the hidden states are multiplied by; in the design `lora`, A of W + B·A."""
    query = block.query
    linear = query.down if isinstance(query, LowRankUpdate) else query
    if not isinstance(linear, nn.Linear):
        raise TypeError(f"queries by {type(linear).__name__}")
    return linear.weight


def _start(block: CrossAttentionBlock) -> Float[Tensor, "inner width"]:
    """What the query matrix is to stay along protected directions.

    In the design `lora` B begins at 0 and moves as well, so B·A keeps its value only where A is 0.
    """
    weight = query_weight(block).detach()
    return torch.zeros_like(weight) if isinstance(block.query, LowRankUpdate) else weight.clone()


def _nothing(width: int, device: torch.device) -> Float64[Tensor, "width width"]:
    return torch.zeros(width, width, dtype=torch.float64, device=device)


def _adding(total: Float64[Tensor, "width width"]) -> Callable[[nn.Module, Any], None]:
    """A hook that adds the uncentred covariance of a module's inputs, not yet divided by their number."""

    def add(_module: nn.Module, args: Any) -> None:
        states = args[0].flatten(0, -2).double()
        total.add_(states.T @ states)

    return add
