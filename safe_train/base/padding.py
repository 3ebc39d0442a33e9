"""Padding: the tensors of several prompts in one size, as the families' own processors pad a batch.

Prompts are padded on the left. Pictures that are cut into tiles have as many as their shape asks for; zeros
stand behind those of the others, which the models leave out again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

SEEN_BY = "cross_attention_mask"  # Mllama's: which tiles of the picture each token may look at
# The tensors that have one entry per token; any others are stacks of pictures, or describe them.
PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", SEEN_BY)


def padded_left(tensor: Tensor, length: int, fill: int) -> Tensor:
    """A tensor with an entry per token, padded before the first."""
    others = [0, 0] * (tensor.dim() - 2)
    return pad(tensor, (*others, length - tensor.shape[1], 0), value=fill)


def of_one_size(tensors: list[Tensor]) -> list[Tensor]:
    """Stacks of pictures, with zeros behind the tiles of smaller ones.

    >>> [tensor.tolist() for tensor in of_one_size([torch.ones(1, 1), torch.ones(2, 2)])]
    [[[1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]]
    """
    sizes = {tensor.shape[1:] for tensor in tensors}
    if len(sizes) == 1:
        return tensors
    largest = [max(axis) for axis in zip(*sizes, strict=True)]
    padded = []
    for tensor in tensors:
        missing = [want - have for want, have in zip(largest, tensor.shape[1:], strict=True)]
        padded.append(pad(tensor, [side for size in reversed(missing) for side in (0, size)]))
    return padded


def with_blank_pictures(prompts: Sequence[dict[str, Tensor]]) -> Sequence[dict[str, Tensor]]:
    """Give prompts without a picture a blank one that no token sees, where each row of a batch must have one.

    As Mllama's processor does it for a batch of which some rows have a picture.
    """
    shown = next((prompt for prompt in prompts if SEEN_BY in prompt), None)
    if shown is None:
        return prompts
    blank = {name: torch.zeros_like(t) for name, t in shown.items() if name not in PER_TOKEN}
    blank["aspect_ratio_mask"][..., 0] = 1
    mask = shown[SEEN_BY]
    return [
        prompt
        if SEEN_BY in prompt
        else {**prompt, **blank, SEEN_BY: mask.new_zeros(1, prompt["input_ids"].shape[1], *mask.shape[2:])}
        for prompt in prompts
    ]
