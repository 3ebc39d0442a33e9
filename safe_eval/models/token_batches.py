"""Batches of tokens: the tensors of several prompts in one size, and answers behind them.

Each prompt is processed alone and padded here, so that it has the same tokens in every batch. Prompts are
padded on the left and answers on the right, so that all answers begin in one column. Pictures that are cut
into tiles have as many as their shape asks for, and sounds as many frames; zeros stand behind those of the
others, which the models leave out again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Int64

from safe_eval.models.processors import answer_type

if TYPE_CHECKING:
    from torch import Tensor

Inputs = dict[str, "Tensor"]

IGNORED = -100  # pads answers; PyTorch's cross-entropy ignores it by default
SEEN_BY = "cross_attention_mask"  # Mllama's: which tiles of the picture each token may look at
# The tensors that have one entry per token; any others are stacks of pictures, or describe them.
PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", SEEN_BY)


def padded_left(tensor: "Tensor", length: int, fill: int) -> "Tensor":
    """A tensor with an entry per token, padded before the first."""
    from torch.nn.functional import pad

    others = [0, 0] * (tensor.dim() - 2)
    return pad(tensor, (*others, length - tensor.shape[1], 0), value=fill)


def of_one_size(tensors: "list[Tensor]") -> "list[Tensor]":
    """Stacks of pictures, with zeros behind the tiles of smaller ones.

    >>> import torch
    >>> [tensor.tolist() for tensor in of_one_size([torch.ones(1, 1), torch.ones(2, 2)])]
    [[[1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]]
    """
    from torch.nn.functional import pad

    sizes = {tensor.shape[1:] for tensor in tensors}
    if len(sizes) == 1:
        return tensors
    largest = [max(axis) for axis in zip(*sizes, strict=True)]
    padded = []
    for tensor in tensors:
        missing = [want - have for want, have in zip(largest, tensor.shape[1:], strict=True)]
        padded.append(pad(tensor, [side for size in reversed(missing) for side in (0, size)]))
    return padded


def with_blank_pictures(prompts: Sequence[Inputs]) -> Sequence[Inputs]:
    """Give prompts without a picture a blank one that no token sees, where each row of a batch must have one.

    As Mllama's processor does it for a batch of which some rows have a picture.
    """
    import torch

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


def tokenizer_of(processor: Any) -> Any:
    """The tokenizer of a processor; for a model that takes text alone, the processor is one."""
    return getattr(processor, "tokenizer", processor)


def pad_token(processor: Any) -> int:
    """The token that pads prompts; any token would do, because the attention mask hides it."""
    tokenizer = tokenizer_of(processor)
    return int(next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None))


def collate(prompts: Sequence[Inputs], pad: int) -> Inputs:
    """Join encoded prompts into one batch: tokens padded on the left, pictures with blank tiles."""
    import torch

    length = max(prompt["input_ids"].shape[1] for prompt in prompts)
    rows = with_blank_pictures(prompts)
    batch = {}
    for name in dict.fromkeys(name for prompt in rows for name in prompt):
        tensors = [prompt[name] for prompt in rows if name in prompt]
        if name in PER_TOKEN:
            tensors = [padded_left(t, length, pad if name == "input_ids" else 0) for t in tensors]
        joined = torch.cat(of_one_size(tensors))
        # A model that always looks at pictures, BLIP-2, sees a blank one that no token stands for.
        batch[name] = joined if len(joined) else joined.new_zeros(1, *joined.shape[1:])
    return batch


def append_answers(prompts: Inputs, answers: "Int64[Tensor, 'batch tokens']", processor: Any) -> Inputs:
    """Append each answer to its prompt, with the pad token wherever the answer holds -100."""
    import torch

    real = answers != IGNORED
    added = {
        "input_ids": answers.masked_fill(~real, pad_token(processor)),
        "attention_mask": real.long(),
        "token_type_ids": torch.full_like(answers, answer_type(processor)),
        "mm_token_type_ids": torch.zeros_like(answers),
    }
    if SEEN_BY in prompts:  # an answer sees what the end of its prompt sees
        added[SEEN_BY] = prompts[SEEN_BY][:, -1:].expand(-1, answers.shape[1], -1, -1)
    return {
        name: torch.cat([value, added[name].to(value.dtype)], 1) if name in PER_TOKEN else value
        for name, value in prompts.items()
    }
