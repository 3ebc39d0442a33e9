"""Live: the bytes that are alive while code runs on the meta device, and their peak.

The real code of the model runs on tensors without contents, so what it keeps for its backward pass is
counted, not computed by a formula. Not seen: the rounding and fragmentation of an allocator, workspaces of
cuBLAS and cuDNN, and what a kernel of a device keeps beyond its operands.
"""

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from safe_data.core.errors import InputError


class Live(TorchDispatchMode):
    """Counts the storages that operations make, until they are freed; `known` tensors existed before."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(
        self, operation: Any, _types: Any, args: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        made = operation(*args, **(named or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return made

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place = storage._cdata
        if place in self._sizes:
            return
        self._sizes[place] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, place)

    def _gone(self, place: int) -> None:
        self.now -= self._sizes.pop(place)


class FusedAttention(TorchFunctionMode):
    """Attention by a fused kernel, as on a CPU or GPU.

    On the meta device PyTorch chooses the plain one, which keeps the weights of every pair of positions: on a
    13B model of 620 positions 1.7 times as much.
    """

    def __torch_function__(
        self, function: Any, _types: Any, args: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        called = _fused_attention if function is F.scaled_dot_product_attention else function
        return called(*args, **(named or {}))


def _fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if enable_gqa and query.shape[1] != key.shape[1]:
        shared = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
    if attn_mask is not None and attn_mask.dtype == torch.bool:  # kernels add a mask, a copy for each layer
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, -torch.inf)
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )[0]
    return attended


def checkpoint_layers(base: Any, layers: Iterable[torch.nn.Module]) -> None:
    """Let a base keep only the input of each decoder layer, and compute the layer again when it is needed.

    Raises:
        InputError: the family cannot.
    """
    contexts: Callable[[], Any] = lambda: (nullcontext(), FusedAttention())  # noqa: E731
    # Modes of Python do not reach what is computed again unless they are entered there.
    try:
        base.activation_checkpointing_enable({"use_reentrant": False, "context_fn": contexts})
    except ValueError as error:
        raise InputError(f"{type(base).__name__}: has no activation checkpointing: {error}") from None
    for layer in layers:
        layer.training = True  # the layer alone: checkpointing asks for it, and dropout stays off
