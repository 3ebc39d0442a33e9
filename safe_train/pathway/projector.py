"""The projector: a clip's embedding → a few audio tokens as wide as the language model."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class AudioProjector(nn.Module):
    """LayerNorm → down to a bottleneck → GELU → up to `tokens` audio tokens of `width`.

    The norm comes first because encoders disagree about scale: CLAP's embeddings have length 1, which leaves
    512 tiny inputs, and log-mel energies are tens.
    """

    def __init__(self, embedding_dims: int, *, tokens: int, width: int, bottleneck: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm = nn.LayerNorm(embedding_dims)
        self.down = nn.Linear(embedding_dims, bottleneck)
        self.up = nn.Linear(bottleneck, tokens * width)

    def forward(self, embeddings: Float[Tensor, "rows dims"]) -> Float[Tensor, "rows tokens width"]:
        hidden = F.gelu(self.down(self.norm(embeddings.to(self.norm.weight.dtype))))
        projected: Tensor = self.up(hidden)
        return projected.view(len(projected), self.tokens, -1)
