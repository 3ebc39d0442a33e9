"""SafeModel: a frozen vision-language model with an audio pathway attached.

with model.fuse(audio=embeddings, gate=1.0):
    base(**inputs)  # or base.generate(**inputs)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safe_data.core.errors import InputError
from safe_train.base.backbone import decoder_layers
from safe_train.config import PathwayConfig, spread_layers
from safe_train.pathway.fusion import LowRankCrossAttention, Request, attach
from safe_train.pathway.gate import Gate, gate_values
from safe_train.pathway.projector import AudioProjector


class AudioPathway(nn.Module):
    """All trained weights: the projector, and one cross-attention per fused layer."""

    def __init__(self, config: PathwayConfig, *, embedding_dims: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.embedding_dims = embedding_dims
        self.width = width
        self.projector = AudioProjector(
            embedding_dims, tokens=config.tokens, width=width, bottleneck=config.bottleneck
        )
        self.attentions = nn.ModuleDict(
            {
                str(n): LowRankCrossAttention(width, rank=config.rank, heads=config.heads)
                for n in config.layers
            }
        )

    def attention(self, number: int) -> LowRankCrossAttention:
        """The cross-attention of a decoder layer, counted from 1."""
        attention = self.attentions[str(number)]
        if not isinstance(attention, LowRankCrossAttention):
            raise TypeError(f"layer {number} holds {type(attention).__name__}")
        return attention


class SafeModel:
    """The base and its pathway, side by side.

    The pathway does not contain the base, so its `.train()`, `.to()`, `parameters()` and `state_dict()` do
    not reach the base. The base is frozen and put in eval mode: in training mode OPT has a dropout of 0.1.

    Raises:
        InputError: no layer is fused, the base does not have it, or the pathway has another width.
    """

    def __init__(self, base: Any, pathway: AudioPathway) -> None:
        layers = decoder_layers(base)
        width = hidden_width(base)
        if not 1 <= max(pathway.config.layers, default=0) <= len(layers):
            raise InputError(
                f"layers={list(pathway.config.layers)}: {type(base).__name__} has {len(layers)} decoder "
                f"layers, counted from 1; choose among 1 to {len(layers)}"
            )
        if width != pathway.width:
            raise InputError(
                f"the audio pathway is {pathway.width} wide and {type(base).__name__} is {width}; "
                "use the model it was made for"
            )
        base.requires_grad_(False)
        base.eval()
        self.base = base
        self.pathway = pathway
        self._request: Request | None = None
        self._hooks = [
            attach(layers[number - 1], number, pathway.attention(number), lambda: self._request)
            for number in pathway.config.layers
        ]

    @contextmanager
    def fuse(
        self, audio: Float[Tensor, "batch dims"] | None = None, gate: Gate = 1.0
    ) -> Iterator["SafeModel"]:
        """Let the base hear `audio` inside the `with` block; with no audio or gate 0 it runs unchanged.

        In training, call backward inside the block: activation checkpointing runs the layers and hooks again.

        Raises:
            InputError: the gate is outside [0, 1], `audio` has the wrong shape, or another request is active.
        """
        values = gate_values(gate, None if audio is None else len(audio))
        dims = self.pathway.embedding_dims
        if self._request is not None:
            raise InputError("fuse: another request is still active; leave its `with` block first")
        if audio is not None and (audio.dim() != 2 or audio.shape[1] != dims):
            raise InputError(f"audio of shape {tuple(audio.shape)}; give embeddings of shape (batch, {dims})")
        if audio is not None and bool((values > 0).any()):
            self._request = Request(tokens=self.pathway.projector(audio), gate=values)
        try:
            yield self
        finally:
            self._request = None

    def detach(self) -> None:
        """Remove the hooks: the base is then exactly as before."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def hidden_width(base: Any) -> int:
    """The width of the decoder's hidden states."""
    return int(base.config.get_text_config(decoder=True).hidden_size)


def new_pathway(config: PathwayConfig, base: Any, embedding_dims: int, seed: int) -> AudioPathway:
    """An untrained pathway, which leaves the base unchanged; its weights depend only on the seed."""
    layers = config.layers or spread_layers(len(decoder_layers(base)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AudioPathway(
            replace(config, layers=layers), embedding_dims=embedding_dims, width=hidden_width(base)
        )
