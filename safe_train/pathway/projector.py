"""Projector: the embedding of a sound → a few audio tokens as wide as the language model."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from safe_data.core.errors import InputError


class AudioProjector(nn.Module):
    """Standardise → LayerNorm → linear layers with GELU between → `num_audio_tokens` audio tokens.

    An embedding is one vector per clip, or `sequence=True` a sequence of them, such as Whisper's states: the
    sequence is averaged in as many equal parts as there are tokens, and each part becomes one token.

    `mean` and `deviation` describe the training embeddings, one number per dimension. Encoders differ in
    scale: a CLAP embedding of 512 numbers has length 1, log-mel energies are in the tens, and YAMNet's
    features are positive with a large common mean, from which little is learnt.

    Raises:
        InputError: a size below 1, a depth below 2, a scale that is not above 0; or, in a call, embeddings
            of another shape.

    >>> projector = AudioProjector(audio_embed_dim=512, llm_hidden_size=768, num_audio_tokens=8)
    >>> projector(torch.zeros(2, 512)).shape
    torch.Size([2, 8, 768])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        audio_embed_dim: int,
        llm_hidden_size: int,
        num_audio_tokens: int = 8,
        *,
        bottleneck: int | None = 1024,
        depth: int = 2,
        tanh_scale: float | None = None,
        norm: bool = True,
        dropout: float = 0.0,
        sequence: bool = False,
    ) -> None:
        super().__init__()
        inner = llm_hidden_size if bottleneck is None else bottleneck
        if min(audio_embed_dim, llm_hidden_size, num_audio_tokens, inner) < 1 or depth < 2:
            raise InputError(
                f"a projector from {audio_embed_dim} dimensions by {depth} layers of {inner} to "
                f"{num_audio_tokens} tokens of {llm_hidden_size}: give at least 1 each, and 2 layers"
            )
        if tanh_scale is not None and not tanh_scale > 0:
            raise InputError(f"tanh_scale={tanh_scale}: must be above 0; None is linear")
        self.num_audio_tokens = num_audio_tokens
        self.sequence = sequence
        self.tanh_scale = tanh_scale
        self.register_buffer("mean", torch.zeros(audio_embed_dim))
        self.register_buffer("deviation", torch.ones(audio_embed_dim))
        self.norm = nn.LayerNorm(audio_embed_dim) if norm else nn.Identity()
        outputs = llm_hidden_size * (1 if sequence else num_audio_tokens)
        widths = [audio_embed_dim, *[inner] * (depth - 1), outputs]
        self.layers = nn.Sequential(*_linear_layers(widths, dropout))

    def forward(
        self, embeddings: Float[Tensor, "batch dims"] | Float[Tensor, "batch states dims"]
    ) -> Float[Tensor, "batch tokens width"]:
        dims = len(self.mean)
        if embeddings.dim() != 2 + self.sequence or embeddings.shape[-1] != dims:
            wanted = f"(batch, states, {dims})" if self.sequence else f"(batch, {dims})"
            raise InputError(f"embeddings of shape {tuple(embeddings.shape)}; give {wanted}")
        x = (embeddings.to(self.mean.dtype) - self.mean) / self.deviation
        if self.sequence:
            x = adaptive_avg_pool1d(x.transpose(1, 2), self.num_audio_tokens).transpose(1, 2)
        # The numbers of an embedding may have a large mean in common, so they are standardised in float32.
        projected: Tensor = self.layers(self.norm(x.to(next(self.layers.parameters()).dtype)))
        if not self.sequence:
            projected = projected.view(len(projected), self.num_audio_tokens, -1)
        return projected if self.tanh_scale is None else projected.tanh() * self.tanh_scale

    @torch.no_grad()
    def standardise(self, mean: Float[Tensor, " dims"], deviation: Float[Tensor, " dims"]) -> None:
        """Subtract a mean and divide by a deviation from now on; a constant dimension keeps its scale."""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))


def _linear_layers(widths: list[int], dropout: float) -> Iterator[nn.Module]:
    for number, (width, following) in enumerate(pairwise(widths)):
        if number:
            yield nn.GELU()
            yield nn.Dropout(dropout)
        yield nn.Linear(width, following)
