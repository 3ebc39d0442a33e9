"""Folding: for answers, a cross-attention's weights multiplied once with the keys and values that they meet.

The sound of a request stays the same while an answer is generated, so what every position multiplies with it
is multiplied once. A position then takes a norm, a product, a softmax and a product, where it takes twice as
many steps otherwise: of a small model, or a short answer, the steps are what costs, not the arithmetic.

There are no gradients and no dropout on this way. Answers are equal but for rounding; a closed row keeps the
base's bits.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safe_train.base.int8 import floats_of
from safe_train.pathway.fusion import CrossAttentionBlock, added, beams_of
from safe_train.pathway.request import KeysValues, Request

FOLDED_BYTES = 2**25  # a layer's at most: folded, each row holds 2 · heads · tokens · width numbers


class Folded:
    """What one layer adds to the hidden states of one request."""

    def __init__(self, block: CrossAttentionBlock, keys_values: KeysValues, request: Request) -> None:
        keys, values = keys_values
        self._sounds, self._heads, self._tokens, dims = keys.shape
        norm, query, output = block.hidden_norm, _weight(block.query), _weight(block.output)
        self._width = query.shape[1]
        self._columns = self._heads * self._tokens
        by_head = query.view(self._heads, dims, -1)
        outputs = output.view(-1, self._heads, dims).permute(1, 2, 0)
        self._queries = (keys * dims**-0.5 @ by_head).flatten(1, 2).transpose(1, 2)
        scaled = values if block.raw_scale is None else values * block.scale
        self._values = (scaled @ outputs).flatten(1, 2)
        self._norm = (norm.weight, norm.bias, norm.eps) if isinstance(norm, nn.LayerNorm) else None
        mask = request.mask
        self._hidden_tokens = None if mask is None else ~mask.to(keys.device)[:, None, None, :]
        self._gate = None if request.is_open else request.gate.to(keys.device)

    def __call__(
        self, hidden: Float[Tensor, "beams positions width"], number: int
    ) -> Float[Tensor, "beams positions width"]:
        """The hidden states with what was heard added; beams of a row are positions that hear the same."""
        sounds, positions, _ = hidden.shape
        if sounds != self._sounds:
            beams_of(sounds, self._sounds, number)
            return self(hidden.reshape(self._sounds, -1, self._width), number).view(hidden.shape)
        values = self._values
        is_alike = hidden.dtype == values.dtype
        asking = hidden if is_alike else hidden.to(values.dtype)
        if self._norm is not None:
            asking = torch.layer_norm(asking, (self._width,), *self._norm)
        scores = torch.bmm(asking, self._queries).view(sounds, positions, self._heads, self._tokens)
        if self._hidden_tokens is not None:
            scores = scores.masked_fill(self._hidden_tokens, -math.inf)
        attended = scores.softmax(-1).view(sounds, positions, self._columns)
        if is_alike and self._gate is None:
            return torch.baddbmm(hidden, attended, values)
        return added(hidden, torch.bmm(attended, values), self._gate)


def can_fold(block: CrossAttentionBlock, keys_values: KeysValues) -> bool:
    """Whether a layer can be folded: not of the design `lora`, nor where it would take too much memory."""
    keys = keys_values[0]
    if not isinstance(block.query, nn.Linear):
        return False
    sounds, heads, tokens, _ = keys.shape
    numbers = 2 * sounds * heads * tokens * block.query.in_features
    return numbers * keys.element_size() <= FOLDED_BYTES


def _weight(linear: nn.Module) -> Tensor:
    if not isinstance(linear, nn.Linear):
        raise TypeError(f"{type(linear).__name__} is no linear layer, so it cannot be folded")
    return floats_of(linear.weight)
