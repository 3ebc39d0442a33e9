"""Attention: how the cross-attentions of a question divide themselves among the audio tokens.

It is looked at where the first token of the answer is chosen. The weights of a head sum to 1 over the audio
tokens, whatever it hears, so they cannot say that a sound was ignored. What a head adds to the hidden state,
relative to that state, can.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from safe_train.base.backbone import decoder_layers
from safe_train.explain.embedded import Embedded, Embedder
from safe_train.pathway.model import SafeModel


class Attended(NamedTuple):
    """Of one question, by fused layer and head.

    `weights` are the shares of the audio tokens. `added` is the length of what the head adds, by that of the
    hidden state before, and `layer_added` the same of all heads of a layer together.
    """

    weights: Float64[ndarray, "layers heads tokens"]
    added: Float64[ndarray, "layers heads"]
    layer_added: Float64[ndarray, " layers"]

    @property
    def entropy(self) -> Float64[ndarray, "layers heads"]:
        """From 0, all on one token, to 1, all tokens alike."""
        shares = np.clip(self.weights, 1e-12, None)
        most = np.log(max(self.weights.shape[-1], 2))
        return np.asarray(-(shares * np.log(shares)).sum(-1) / most)

    @property
    def largest(self) -> Float64[ndarray, "layers heads"]:
        """The share of the token that is attended to most."""
        return np.asarray(self.weights.max(-1))


def attended(embedder: Embedder, one: Embedded) -> Attended:
    """Look at every cross-attention while the model answers with everything there."""
    model, numbers = embedder.model, embedder.model.pathway.config.layers
    with torch.no_grad():
        with _hidden_states(model) as hidden:
            embedder.likelihood(one, one.own, one.sounds)
        keys_values = model.pathway(one.sounds, embedder.tokens)
        weights, added, together = [], [], []
        for number in numbers:
            state = hidden[number][:1, one.last : one.last + 1].float()
            block = model.pathway.block(number)
            shares, parts = block.attended(state, keys_values[number])
            size = state.norm(dim=-1).clamp(min=1e-12)
            weights.append(shares[0, :, 0].double().cpu().numpy())
            added.append((parts.norm(dim=-1)[0, :, 0] / size[0]).double().cpu().numpy())
            together.append(float(parts.sum(1).norm(dim=-1) / size))
    return Attended(np.stack(weights), np.stack(added), np.array(together))


@contextmanager
def _hidden_states(model: SafeModel) -> Iterator[dict[int, Tensor]]:
    """Within it, what each cross-attention reads in the next pass, by the number of its layer."""
    layers, seen = decoder_layers(model.base), dict[int, Tensor]()
    hooks = []

    def after(number: int) -> Any:
        def look(_module: Any, _args: Any, output: Any) -> None:
            seen[number] = (output[0] if isinstance(output, tuple) else output).detach()

        return look

    def before(_module: Any, args: Any, named: dict[str, Any]) -> None:
        seen[0] = (args[0] if args else named["hidden_states"]).detach()

    for number in model.pathway.config.layers:
        # Prepended behind the pathway's own hook, so that it sees the state before anything is added.
        if number == 0:
            hooks.append(layers[0].register_forward_pre_hook(before, prepend=True, with_kwargs=True))
        else:
            hooks.append(layers[number - 1].register_forward_hook(after(number), prepend=True))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
