"""Projector: the embedding of a sound → a few audio tokens as wide as the language model."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class AudioProjector(nn.Module):
    """LayerNorm → linear layer to the bottleneck → GELU → linear layer to `tokens` audio tokens of `width`.

    The norm comes first because encoders differ in scale: a CLAP embedding of 512 numbers has length 1, while
    log-mel energies are in the tens.
    """

    def __init__(self, embedding_dims: int, *, tokens: int, width: int, bottleneck: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm = nn.LayerNorm(embedding_dims)
        self.down = nn.Linear(embedding_dims, bottleneck)
        self.up = nn.Linear(bottleneck, tokens * width)

    def forward(self, embeddings: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch tokens width"]:
        hidden = F.gelu(self.down(self.norm(embeddings.to(self.norm.weight.dtype))))
        projected: Tensor = self.up(hidden)
        return projected.view(len(projected), self.tokens, -1)
