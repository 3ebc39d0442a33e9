"""Fusion: gated cross-attention from the hidden states of a frozen decoder layer to the audio tokens.

It is attached to the layers by forward hooks. No module of the base is replaced, renamed or wrapped, so its
weights save and load as always, and with the gate closed the layer's own output tensor passes through.

Two designs share the name in published counts. `low_rank`: queries, keys and values of `rank` dimensions,
4·width·rank parameters. `lora`: a full attention whose weights stay as they were initialised, each with a
low-rank update, 8·width·rank parameters. In both an untrained block is silent at every gate.

**Source:** cross-attention into a frozen language model, Flamingo (arXiv 2204.14198) section 2.2; LoRA, Hu
et al. 2021 (arXiv 2106.09685) section 4.1.
**Differs:** after the layer, not before it; a zero-initialised output, not a zero-initialised tanh gate.
"""

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from torch import Tensor, nn

from safe_data.core.errors import InputError, did_you_mean
from safe_data.sampling.order import random_bits
from safe_train.pathway.request import Gate, KeysValues, Request, gate_values
from safe_train.settings.pathway import Design

_ROWS_DRAWN = 256  # at a time: random 64-bit numbers take eight times the room of bfloat16


class CrossAttentionBlock(nn.Module):
    """Queries from the hidden states, keys and values from the audio tokens.

    `rank` defaults to 4 per head. `residual_scale` is the initial value of a learned factor of the output,
    `max_residual_scale` its bound: the factor is the bound times a sigmoid. `name` seeds the frozen weights
    of `lora`, which are therefore not stored.

    Raises:
        InputError: no such design, a size below 1, heads that do not divide the inner dimensions, or a scale
            that is not below its bound.

    >>> block = CrossAttentionBlock(hidden_size=768, num_attention_heads=12)
    >>> block(torch.zeros(2, 10, 768), torch.zeros(2, 8, 768)).shape
    torch.Size([2, 10, 768])
    """

    raw_scale: nn.Parameter | None

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        *,
        design: Design = "low_rank",
        rank: int | None = None,
        hidden_norm: bool = True,
        token_norm: bool = True,
        residual_scale: float | None = None,
        max_residual_scale: float = 1.0,
        dropout: float = 0.0,
        name: str = "",
    ) -> None:
        super().__init__()
        rank = 4 * num_attention_heads if rank is None else rank
        if design not in get_args(Design):
            known = get_args(Design)
            raise InputError(f"design {design!r}: {did_you_mean(design, known, f'choose from {known}')}")
        if min(hidden_size, num_attention_heads, rank) < 1:
            raise InputError(
                f"{num_attention_heads} heads of rank {rank}, {hidden_size} wide: give at least 1 each"
            )
        if residual_scale is not None and not 0 < residual_scale < max_residual_scale < math.inf:
            raise InputError(
                f"residual_scale={residual_scale}: must be above 0 and below "
                f"max_residual_scale={max_residual_scale}"
            )
        inner = rank if design == "low_rank" else hidden_size
        if inner % num_attention_heads:
            raise InputError(
                f"{num_attention_heads} heads do not divide the {inner} dimensions of a {design} attention"
            )
        self.heads = num_attention_heads
        self.max_residual_scale = max_residual_scale
        self.hidden_norm = nn.LayerNorm(hidden_size) if hidden_norm else nn.Identity()
        self.token_norm = nn.LayerNorm(hidden_size) if token_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        if design == "low_rank":
            parts: list[nn.Module] = [nn.Linear(hidden_size, rank, bias=False) for _ in range(3)]
            self.output: nn.Module = nn.Linear(rank, hidden_size, bias=False)
            nn.init.zeros_(self.output.weight)
        else:
            parts = [
                LowRankUpdate(hidden_size, rank, frozen=f"{name}/{part}")
                for part in ("query", "key", "value")
            ]
            self.output = LowRankUpdate(hidden_size, rank, frozen=None)
        self.query, self.key, self.value = parts
        self.raw_scale = None
        if residual_scale is not None:
            self.raw_scale = nn.Parameter(torch.tensor(residual_scale / max_residual_scale).logit())

    @property
    def scale(self) -> Float[Tensor, ""] | float:
        """The factor of the output."""
        return 1.0 if self.raw_scale is None else self.max_residual_scale * self.raw_scale.sigmoid()

    def keys_values(self, tokens: Float[Tensor, "batch tokens width"]) -> KeysValues:
        """Keys and values: the same for every position, so they are computed once per request."""
        tokens = self.token_norm(tokens.to(self._dtype))
        return self._split(self.key(tokens)), self._split(self.value(tokens))

    def heard(
        self,
        hidden: Float[Tensor, "batch positions width"],
        keys_values: KeysValues,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch positions width"]:
        """What is to be added to the hidden states with the gate open."""
        queries = self._split(self.query(self.hidden_norm(hidden.to(self._dtype))))
        attended = None if mask is None else mask[:, None, None, :]
        mixed = F.scaled_dot_product_attention(queries, *keys_values, attn_mask=attended)
        output: Tensor = self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        return output if self.raw_scale is None else output * self.scale

    def attended(
        self, hidden: Float[Tensor, "batch positions width"], keys_values: KeysValues
    ) -> tuple[Float[Tensor, "batch heads positions tokens"], Float[Tensor, "batch heads positions width"]]:
        """How each head divides its attention among the audio tokens, and what it alone adds.

        What the heads add sums to `heard`, with every token in reach.
        """
        keys, values = keys_values
        queries = self._split(self.query(self.hidden_norm(hidden.to(self._dtype))))
        weights = (queries @ keys.transpose(2, 3) / math.sqrt(keys.shape[-1])).softmax(-1)
        mixed = weights @ values
        alone = mixed.new_zeros(*mixed.shape[:3], self.heads, mixed.shape[-1])
        for head in range(self.heads):
            alone[:, head, :, head] = mixed[:, head]
        added: Tensor = self.output(alone.flatten(3)) * self.scale
        return weights, added

    def forward(
        self,
        hidden: Float[Tensor, "batch positions width"],
        tokens: Float[Tensor, "batch tokens width"],
        gate: Gate = 1.0,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch positions width"]:
        """The hidden states with what was heard added to them."""
        keys, values = self.keys_values(tokens)
        return fuse(hidden, self, (keys, values), gate_values(gate, len(hidden)), mask)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _split(self, x: Float[Tensor, "batch length inner"]) -> Float[Tensor, "batch heads length dims"]:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class LowRankUpdate(nn.Module):
    """x·(W + B·A): W stays as it was initialised, or is 0 where `frozen` is None; B begins at 0."""

    weight: Tensor | None

    def __init__(self, width: int, rank: int, *, frozen: str | None) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.up.weight)
        weight = None if frozen is None else torch.from_numpy(frozen_weight(width, frozen))
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        update: Tensor = self.up(self.down(x))
        return update if self.weight is None else F.linear(x, self.weight) + update


def frozen_weight(width: int, name: str) -> Float32[ndarray, "width width"]:
    """Uniform numbers within ±1/√width, which follow from the name alone, on every machine and version.

    **Source:** the initialisation of a linear layer in PyTorch; `random_bits`.
    """
    weight = np.empty((width, width), np.float32)
    for start in range(0, width, _ROWS_DRAWN):
        rows = weight[start : start + _ROWS_DRAWN]
        bits = random_bits(rows.size, f"{name}/{start}") >> np.uint64(40)
        unit = bits.astype(np.float32) / np.float32(2**24)
        rows[:] = ((2 * unit - 1) / np.sqrt(width)).reshape(rows.shape)
    return weight


def attach(
    layer: nn.Module, number: int, block: CrossAttentionBlock, request: Callable[[], Request | None]
) -> torch.utils.hooks.RemovableHandle:
    """Add what the block hears to the layer's output during a request; number 0 is the layer's input."""

    def after(_module: nn.Module, _args: Any, output: Any) -> Any:
        current = request()
        if current is None:
            return None  # then PyTorch passes on the layer's own output object
        hidden = output[0] if isinstance(output, tuple) else output
        fused = _fuse_request(hidden, number, block, current)
        return (fused, *output[1:]) if isinstance(output, tuple) else fused

    def before(_module: nn.Module, args: Any, named: dict[str, Any]) -> Any:
        current = request()
        if current is None:
            return None
        if args:
            return (_fuse_request(args[0], number, block, current), *args[1:]), named
        return args, named | {"hidden_states": _fuse_request(named["hidden_states"], number, block, current)}

    # Before other hooks: those that record hidden states must see the fused state.
    if number == 0:
        return layer.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
    return layer.register_forward_hook(after, prepend=True)


def _fuse_request(
    hidden: Float[Tensor, "beams positions width"], number: int, block: CrossAttentionBlock, request: Request
) -> Float[Tensor, "beams positions width"]:
    """Fuse one row per sound, or several: beams, or several answers to one prompt."""
    keys_values = request.keys_values[number]
    if not isinstance(keys_values, tuple):
        return keys_values(hidden, number)
    keys, values = keys_values
    gate = None if request.is_open else request.gate.to(hidden.device)
    mask = request.mask
    mask = None if mask is None else mask.to(hidden.device)
    beams = beams_of(len(hidden), len(keys), number)
    if beams > 1:
        keys, values = keys.repeat_interleave(beams, 0), values.repeat_interleave(beams, 0)
        gate = gate.repeat_interleave(beams, 0) if gate is not None and gate.dim() else gate
        mask = None if mask is None else mask.repeat_interleave(beams, 0)
    return fuse(hidden, block, (keys, values), gate, mask)


def beams_of(sequences: int, sounds: int, number: int) -> int:
    """How many sequences hear each sound.

    Raises:
        InputError: not all sounds are heard by as many.
    """
    beams, left_over = divmod(sequences, sounds)
    if left_over:
        raise InputError(
            f"layer {number}: {sequences} sequences for {sounds} sounds; give one sound per prompt"
        )
    return beams


def fuse(
    hidden: Float[Tensor, "batch positions width"],
    block: CrossAttentionBlock,
    keys_values: KeysValues,
    gate: Tensor | None,
    mask: Bool[Tensor, "batch tokens"] | None,
) -> Float[Tensor, "batch positions width"]:
    """Hear, and add it to the hidden states."""
    return added(hidden, block.heard(hidden, keys_values, mask), gate)


def added(
    hidden: Float[Tensor, "batch positions width"],
    heard: Float[Tensor, "batch positions width"],
    gate: Tensor | None,
) -> Float[Tensor, "batch positions width"]:
    """Add what is heard to the hidden states, as far as the gate is open; None is fully open for all rows."""
    if gate is None:
        return hidden + heard.to(hidden.dtype)
    gate = gate.view(-1, 1, 1)
    fused = hidden + (gate * heard).to(hidden.dtype)
    # Where the gate is 0, keep the bits: adding zero turns -0.0 into 0.0, and 0 × inf is NaN.
    return torch.where(gate == 0, hidden, fused)
