"""Fusion: gated low-rank cross-attention from a frozen decoder layer's output to the audio tokens.

It hangs on the layers as forward hooks. Nothing of the base is replaced, renamed or wrapped, so its weights
save and load as if we were not there, and a closed gate leaves the very tensor the layer made.

**Source:** cross-attention into a frozen language model, Flamingo (arXiv 2204.14198) section 2.2.
**Differs:** after the layer, not before it; a low rank in place of full width; a zero-initialised output in
place of a zero-initialised tanh gate, so that step 0 is the base for every gate.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safe_data.core.errors import InputError

KeysValues = tuple[Float[Tensor, "rows heads tokens dims"], Float[Tensor, "rows heads tokens dims"]]


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

    def keys_values(self, tokens: Float[Tensor, "rows tokens width"]) -> KeysValues:
        """What the hidden states look up: the same for every position, so computed once a request."""
        tokens = self.token_norm(tokens)
        return self._split(self.key(tokens)), self._split(self.value(tokens))

    def forward(
        self, hidden: Float[Tensor, "rows positions width"], keys_values: KeysValues
    ) -> Float[Tensor, "rows positions width"]:
        queries = self._split(self.query(self.hidden_norm(hidden)))
        mixed = F.scaled_dot_product_attention(queries, *keys_values)
        heard: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return heard

    def _split(self, x: Float[Tensor, "rows length rank"]) -> Float[Tensor, "rows heads length dims"]:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


@dataclass
class Request:
    """One call of the base: its audio tokens, its gate (one number, or one a row), and what was looked up."""

    tokens: Float[Tensor, "rows tokens width"]
    gate: Tensor
    keys_values: dict[int, KeysValues] = field(default_factory=dict)


def attach(
    layer: nn.Module, number: int, attention: LowRankCrossAttention, request: Callable[[], Request | None]
) -> torch.utils.hooks.RemovableHandle:
    """Add what is heard to the layer's output whenever a request is under way."""

    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        current = request()
        if current is None:
            return None  # PyTorch then keeps the layer's own output object: nothing can differ
        hidden = output[0] if isinstance(output, tuple) else output
        fused = _fuse(hidden, number, attention, current)
        return (fused, *output[1:]) if isinstance(output, tuple) else fused

    # First in line: recorders of hidden states hang on the same layers and must see the fused state.
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
            f"layer {number}: {len(hidden)} rows of text for {len(keys)} of audio; give one sound a prompt"
        )
    if beams > 1:
        keys, values = keys.repeat_interleave(beams, 0), values.repeat_interleave(beams, 0)
        gate = gate.repeat_interleave(beams, 0) if gate.dim() else gate
    gate = gate.view(-1, 1, 1)
    heard = attention(hidden.to(attention.query.weight.dtype), (keys, values))
    fused = hidden + (gate * heard).to(hidden.dtype)
    # Adding an exact zero may still turn -0.0 into 0.0, and 0 × inf is NaN: a closed row keeps its own bits.
    return torch.where(gate == 0, hidden, fused)
