"""SafeModel: a frozen vision-language model with an audio pathway attached.

with model.fuse(audio=embeddings, gate=1.0, tokens=8):
    base(**inputs)  # or base.generate(**inputs)
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from safe_data.core.errors import InputError
from safe_train.base.activations import recomputing
from safe_train.base.adaptation import Adaptation, Frozen
from safe_train.base.backbone import decoder_layers
from safe_train.base.freeze import freeze
from safe_train.base.loading import layer_device
from safe_train.pathway.folding import Folded, can_fold
from safe_train.pathway.fusion import CrossAttentionBlock, attach
from safe_train.pathway.projector import AudioProjector
from safe_train.pathway.request import Audio, Budget, Gate, KeysValues, Request, new_request, shares
from safe_train.settings.pathway import PathwayConfig

DEFAULT_FUSED_LAYERS = 4


class AudioPathway(nn.Module):
    """All trained weights: a projector per encoder, and one cross-attention per fused layer.

    `shapes` are the shapes of one embedding of each encoder: (dims,), or (states, dims) for a sequence.

    Raises:
        InputError: there are fewer tokens than encoders, or an embedding has another number of axes.
    """

    def __init__(
        self, config: PathwayConfig, *, shapes: Sequence[tuple[int, ...]], width: int, seed: int = 0
    ) -> None:
        super().__init__()
        self.config = config
        self.shapes = tuple(tuple(shape) for shape in shapes)
        self.width = width
        _check_shapes(config.budgets[0], self.shapes)
        self.projectors = nn.ModuleList(
            AudioProjector(
                shape[-1],
                width,
                tokens,
                bottleneck=config.bottleneck,
                depth=config.depth,
                tanh_scale=config.tanh_scale,
                norm=config.input_norm,
                dropout=config.dropout,
                sequence=len(shape) == 2,
            )
            for shape, tokens in zip(self.shapes, shares(config.most_tokens, len(self.shapes)), strict=True)
        )
        self.blocks = nn.ModuleDict(
            {
                str(number): CrossAttentionBlock(
                    width,
                    config.heads,
                    design=config.design,
                    rank=config.rank,
                    hidden_norm=config.hidden_norm,
                    token_norm=config.token_norm,
                    residual_scale=config.residual_scale,
                    max_residual_scale=config.max_residual_scale,
                    dropout=config.dropout,
                    name=f"{seed}/{number}",
                )
                for number in config.layers
            }
        )

    def forward(self, audio: tuple[Tensor, ...], tokens: int | None = None) -> dict[int, KeysValues]:
        """The keys and values of each fused layer, on that layer's device; of so many tokens, or of all."""
        device = self.projector().mean.device
        kept = shares(self.config.most_tokens if tokens is None else tokens, len(self.shapes))
        projected = zip(self.projectors, audio, kept, strict=True)
        made = torch.cat([projector(x.to(device))[:, :share] for projector, x, share in projected], 1)
        return {number: self._keys_values(number, made) for number in self.config.layers}

    def block(self, number: int) -> CrossAttentionBlock:
        """The cross-attention of a decoder layer, counted from 1; 0 is the input of the first."""
        block = self.blocks[str(number)]
        if not isinstance(block, CrossAttentionBlock):
            raise TypeError(f"layer {number} holds {type(block).__name__}")
        return block

    def projector(self, number: int = 0) -> AudioProjector:
        """The projector of an encoder."""
        projector = self.projectors[number]
        if not isinstance(projector, AudioProjector):
            raise TypeError(f"encoder {number} has {type(projector).__name__}")
        return projector

    def _keys_values(self, number: int, tokens: Float[Tensor, "batch tokens width"]) -> KeysValues:
        block = self.block(number)
        return block.keys_values(tokens.to(next(block.parameters()).device))


class SafeModel(nn.Module):
    """The base and its pathway, side by side.

    The base is no submodule, so `.train()`, `.to()`, `parameters()` and `state_dict()` do not reach it. It is
    frozen and put in eval mode: in training mode OPT has a dropout of 0.1. Each cross-attention lies on the
    device of its layer, which may differ from layer to layer. What an `adaptation` trains of the base is
    among the parameters, as `adapted`. With `recompute`, a forward pass of the model itself keeps only the
    inputs of the decoder's layers; one of the base does not, nor one without gradients. With `folds`, passes
    without gradients take a shorter way to the same answers, equal but for rounding.

    Raises:
        InputError: no layer is fused, the base does not have it, or the pathway has another width.
    """

    base: Any

    def __init__(
        self,
        base: Any,
        pathway: AudioPathway,
        adaptation: Adaptation | None = None,
        *,
        recompute: bool = False,
        folds: bool = False,
    ) -> None:
        super().__init__()
        layers, numbers = decoder_layers(base), pathway.config.layers
        width = hidden_width(base)
        if not numbers or max(numbers) > len(layers):
            raise InputError(
                f"layers={list(numbers)}: {type(base).__name__} has {len(layers)} decoder "
                f"layers, counted from 1; choose among 1 to {len(layers)}"
            )
        if width != pathway.width:
            raise InputError(
                f"the audio pathway is {pathway.width} wide and {type(base).__name__} is {width}; "
                "use the model it was made for"
            )
        if adaptation is None:
            freeze(base)
        object.__setattr__(self, "base", base)
        self.pathway = pathway
        self.adaptation: Adaptation = adaptation or Frozen()
        if self.adaptation.weights:
            self.adapted = nn.ParameterList(self.adaptation.weights.values())
        self._request: Request | None = None
        self._recompute, self._folds = recompute, folds
        pathway.projectors.to(layer_device(layers[0]))
        for number in numbers:
            layer = layers[max(number, 1) - 1]
            pathway.block(number).to(layer_device(layer))
        self._hooks: list[RemovableHandle] = []
        self.attach()

    @contextmanager
    def fuse(
        self, audio: Audio | None = None, gate: Gate = 1.0, tokens: Budget | None = None
    ) -> Iterator["SafeModel"]:
        """Let the base hear `audio` inside the `with` block; with no audio or gate 0 it runs unchanged.

        `audio` holds embeddings, one tensor per encoder; `gate` and `tokens` are for all rows, or one per
        row. `tokens` is 0 or a number of audio tokens that the pathway was trained with (default: the most),
        or a 0/1 mask of all tokens, which is not checked against what was trained. In training, call the
        model itself, not the base, and call backward inside the block: activation checkpointing runs the
        layers and hooks again.

        Raises:
            InputError: `audio`, `gate` or `tokens` do not fit, or another request is active.
        """
        if self._request is not None:
            raise InputError("fuse: another request is still active; leave its `with` block first")
        if audio is not None:
            self._request = new_request(
                audio, gate, tokens, shapes=self.pathway.shapes, budgets=self.pathway.config.budgets
            )
        try:
            yield self
        finally:
            self._request = None

    def forward(self, **inputs: Any) -> Any:
        """Call the base. DistributedDataParallel sees all trained weights at work inside this call."""
        self._heard()
        saves = self._recompute and torch.is_grad_enabled()
        with recomputing(decoder_layers(self.base)) if saves else nullcontext():
            output = self.base(**inputs)
        if self.adaptation.sometimes and torch.is_grad_enabled():
            # A pass without a picture gives these a gradient of 0: processes wait for each other's gradients.
            output.logits = output.logits + 0 * sum(weight.sum() for weight in self.adaptation.sometimes)
        return output

    def train(self, mode: bool = True) -> "SafeModel":
        """Turn dropout on or off, of the pathway and of what was added to the base; not that of the base."""
        self.adaptation.train(mode)
        return super().train(mode)

    def untouched(self) -> AbstractContextManager[None]:
        """Within it, and outside of requests, the base answers as it did before anything was trained."""
        return self.adaptation.untouched()

    def attach(self) -> None:
        """Put back the hooks that `detach` removed; a new model has them."""
        self._unhook()
        layers = decoder_layers(self.base)
        for number in self.pathway.config.layers:
            block = self.pathway.block(number)
            self._hooks.append(attach(layers[max(number, 1) - 1], number, block, self._heard))

    def detach(self) -> None:
        """Remove the hooks, and what was trained of the base: it is then exactly as before."""
        self._unhook()
        self.adaptation.remove()

    def _unhook(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _heard(self) -> Request | None:
        """The request, with its keys and values, which are computed when they are first needed."""
        request = self._request
        if request is not None and not request.keys_values:
            made = self.pathway(request.audio, request.tokens)
            device = request.audio[0].device.type
            trains = torch.is_grad_enabled() or self.pathway.training or torch.is_autocast_enabled(device)
            for number, keys_values in made.items():
                block = self.pathway.block(number)
                folds = self._folds and not trains and can_fold(block, keys_values)
                request.keys_values[number] = Folded(block, keys_values, request) if folds else keys_values
        return request


def hidden_width(base: Any) -> int:
    """The width of the decoder's hidden states."""
    return int(base.config.get_text_config(decoder=True).hidden_size)


def new_pathway(
    config: PathwayConfig, base: Any, shapes: Sequence[tuple[int, ...]], seed: int
) -> AudioPathway:
    """An untrained pathway, which leaves the base unchanged; its weights depend only on the seed."""
    layers = fused_layers(config, len(decoder_layers(base)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AudioPathway(
            replace(config, layers=layers, location=None), shapes=shapes, width=hidden_width(base), seed=seed
        )


def fused_layers(config: PathwayConfig, available: int) -> tuple[int, ...]:
    """The layers to fuse, counted from 1; 0 is the input of the first layer.

    >>> fused_layers(PathwayConfig(), 32), fused_layers(PathwayConfig(), 2)
    ((8, 16, 24, 32), (1, 2))
    >>> fused_layers(PathwayConfig(location="late"), 24), fused_layers(PathwayConfig(location="input"), 24)
    ((18, 20, 22, 24), (0,))
    """
    if config.layers:
        return config.layers
    if config.location == "input":
        return (0,)
    if config.location is None:
        return _spread(0, available)
    third = ("early", "middle", "late").index(config.location)
    first = min(round(available * third / 3), available - 1)
    return _spread(first, max(round(available * (third + 1) / 3), first + 1))


def _spread(after: int, last: int) -> tuple[int, ...]:
    """Four evenly spaced layers up to the last, or all if there are fewer."""
    wanted = min(DEFAULT_FUSED_LAYERS, last - after)
    return tuple(after + round((last - after) * (i + 1) / wanted) for i in range(wanted))


def _check_shapes(fewest_tokens: int, shapes: Sequence[tuple[int, ...]]) -> None:
    """Check that each encoder makes a token of every budget, of embeddings that can be projected."""
    if not shapes or fewest_tokens < len(shapes):
        raise InputError(f"{fewest_tokens} audio tokens for {len(shapes)} encoders; give each at least one")
    for shape in shapes:
        if len(shape) not in (1, 2) or prod(shape) < 1:
            raise InputError(
                f"an embedding of shape {shape}; give one vector (dims,), or a sequence (states, dims)"
            )
