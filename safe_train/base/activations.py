"""Activations: compute the decoder's layers again in the backward pass, instead of keeping what they compute.

The activation checkpointing of transformers works only on layers in training mode, and a frozen base is in
eval mode: there it does nothing and does not say so. In training mode, OPT's layers drop out a tenth. So the
layers stay as they are, and only during a forward pass their `forward` is one that is checkpointed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputing(layers: nn.ModuleList) -> Iterator[None]:
    """Keep only the inputs of these layers in the forward passes of the block; the rest is computed again.

    Hooks on a layer stand outside of it and run once.
    """
    own = [vars(layer).get("forward") for layer in layers]  # accelerate puts its own there
    for layer in layers:
        vars(layer)["forward"] = _checkpointed(layer.forward)
    try:
        yield
    finally:
        for layer, before in zip(layers, own, strict=True):
            if before is None:
                del vars(layer)["forward"]
            else:
                vars(layer)["forward"] = before


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(forward)  # accelerate and transformers read its signature
    def again(*args: Any, **named: Any) -> Any:
        if named.get("past_key_values") is not None:
            # A second pass through the layer would append to the cache a second time.
            raise ValueError("activation checkpointing: the layer was given a cache; pass use_cache=False")
        return checkpoint(partial(forward, **named), *args, use_reentrant=False)

    return again
