"""Fusion: gated low-rank cross-attention from the output of a frozen decoder layer to the audio tokens.

It is attached to the layers by forward hooks. No module of the base is replaced, renamed or wrapped, so its
weights save and load as always, and with the gate closed the layer's own output tensor passes through.

**Source:** cross-attention into a frozen language model, Flamingo (arXiv 2204.14198) section 2.2.
**Differs:** after the layer, not before it; low rank instead of full width; a zero-initialised output instead
of a zero-initialised tanh gate, so that an untrained pathway equals the base at every gate.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safe_data.core.errors import InputError

KeysValues = tuple[Float[Tensor, "batch heads tokens dims"], Float[Tensor, "batch heads tokens dims"]]


class LowRankCrossAttention(nn.Module):
    """Queries from the hidden states, keys and values from the audio tokens, all of `rank` dimensions."""

    def __init__(self, width: int, *, rank: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.hidden_norm = nn.LayerNorm(width)
        self.token_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, rank, bias=False)
        self.key = nn.Linear(width, rank, bias=False)
        self.value = nn.Linear(width, rank, bias=False)
        self.output = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def keys_values(self, tokens: Float[Tensor, "batch tokens width"]) -> KeysValues:
        """Keys and values: the same for every position, so they are computed once per request."""
        tokens = self.token_norm(tokens)
        return self._split(self.key(tokens)), self._split(self.value(tokens))

    def forward(
        self, hidden: Float[Tensor, "batch positions width"], keys_values: KeysValues
    ) -> Float[Tensor, "batch positions width"]:
        queries = self._split(self.query(self.hidden_norm(hidden)))
        mixed = F.scaled_dot_product_attention(queries, *keys_values)
        heard: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return heard

    def _split(self, x: Float[Tensor, "batch length rank"]) -> Float[Tensor, "batch heads length dims"]:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


@dataclass
class Request:
    """One call of the base: audio tokens, gate (one number, or one per prompt), keys and values by layer."""

    tokens: Float[Tensor, "batch tokens width"]
    gate: Tensor
    keys_values: dict[int, KeysValues] = field(default_factory=dict)


def attach(
    layer: nn.Module, number: int, attention: LowRankCrossAttention, request: Callable[[], Request | None]
) -> torch.utils.hooks.RemovableHandle:
    """Add the attention's output to the layer's output during a request."""

    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        current = request()
        if current is None:
            return None  # then PyTorch passes on the layer's own output object
        hidden = output[0] if isinstance(output, tuple) else output
        fused = _fuse(hidden, number, attention, current)
        return (fused, *output[1:]) if isinstance(output, tuple) else fused

    # Before other hooks: those that record hidden states must see the fused state.
    return layer.register_forward_hook(hook, prepend=True)


def _fuse(
    hidden: Float[Tensor, "beams positions width"],
    number: int,
    attention: LowRankCrossAttention,
    request: Request,
) -> Float[Tensor, "beams positions width"]:
    if number not in request.keys_values:
        request.keys_values[number] = attention.keys_values(request.tokens)
    keys, values = request.keys_values[number]
    gate = request.gate.to(hidden.device)
    beams, left_over = divmod(len(hidden), len(keys))
    if left_over:
        raise InputError(
            f"layer {number}: {len(hidden)} sequences for {len(keys)} sounds; give one sound per prompt"
        )
    if beams > 1:
        keys, values = keys.repeat_interleave(beams, 0), values.repeat_interleave(beams, 0)
        gate = gate.repeat_interleave(beams, 0) if gate.dim() else gate
    gate = gate.view(-1, 1, 1)
    heard = attention(hidden.to(attention.query.weight.dtype), (keys, values))
    fused = hidden + (gate * heard).to(hidden.dtype)
    # Where the gate is 0, keep the bits: adding zero turns -0.0 into 0.0, and 0 × inf is NaN.
    return torch.where(gate == 0, hidden, fused)
