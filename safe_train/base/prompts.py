"""Prompts: an example's text and picture as tokens and pixels, one at a time and as a batch.

Each prompt is processed alone and padded here, in training and in prediction alike, so that it has the same
tokens in every batch. Prompts are padded on the left and answers on the right, so that all answers begin in
one column.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int64
from torch import Tensor

from safe_data.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

# The tensors that hold one value per token; any others are stacks of pictures, or describe them.
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")

Inputs = dict[str, Tensor]

IGNORED = -100  # pads answers; PyTorch's cross-entropy ignores it by default
PROMPT_CACHE_BYTES = 2**30


def prompt_text(processor: Any, prompt: str, *, has_image: bool) -> str:
    """The text that asks a question: the model's chat template, or the picture's token and the question."""
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}] * has_image + [{"type": "text", "text": prompt}]
        text: str = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        return text
    return f"{processor.image_token}\n{prompt}" if has_image else prompt


def encode_prompt(processor: Any, prompt: str, image: "Image | None") -> Inputs:
    """Encode one prompt with its picture as a batch of one."""
    text = prompt_text(processor, prompt, has_image=image is not None)
    pictures = {} if image is None else {"images": [image]}
    encoded = processor(text=[text], **pictures, return_tensors="pt")
    return {name: value for name, value in encoded.items() if isinstance(value, Tensor)}


class PromptCache:
    """Encoded prompts: each is made once and stored while there is room."""

    def __init__(self, capacity_bytes: int = PROMPT_CACHE_BYTES) -> None:
        self._room = capacity_bytes
        self._prompts: dict[Hashable, Inputs] = {}

    def get(self, key: Hashable, make: Callable[[], Inputs]) -> Inputs:
        """Return the stored prompt, or make it and store it if it fits."""
        if key in self._prompts:
            return self._prompts[key]
        made = make()
        size = sum(tensor.nbytes for tensor in made.values())
        if size <= self._room:
            self._prompts[key] = made
            self._room -= size
        return made


def encode_answer(processor: Any, answer: str) -> Int64[Tensor, " tokens"]:
    """Encode an answer, with the end token behind it.

    Raises:
        InputError: the answer has no tokens, or the tokenizer has no end token.
    """
    tokenizer = processor.tokenizer
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.eos_token_id is None:
        raise InputError(
            f"answer {answer!r} has {len(ids)} tokens and the end token is {tokenizer.eos_token!r}; "
            "training needs both"
        )
    return torch.tensor([*ids, tokenizer.eos_token_id])


def pad_token(processor: Any) -> int:
    """The token that pads prompts; any token would do, because the attention mask hides it."""
    tokenizer = processor.tokenizer
    return int(next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None))


def collate(prompts: Sequence[Inputs], pad: int) -> Inputs:
    """Join encoded prompts into one batch, padded on the left."""
    length = max(prompt["input_ids"].shape[1] for prompt in prompts)
    names = dict.fromkeys(name for prompt in prompts for name in prompt)
    batch = {}
    for name in names:
        tensors = [prompt[name] for prompt in prompts if name in prompt]
        if name in _PER_TOKEN:
            fill = pad if name == "input_ids" else 0
            tensors = [torch.nn.functional.pad(t, (length - t.shape[1], 0), value=fill) for t in tensors]
        batch[name] = torch.cat(tensors)
    return batch


def append_answers(prompts: Inputs, answers: Int64[Tensor, "batch tokens"], pad: int) -> Inputs:
    """Append each answer to its prompt, with the pad token wherever the answer holds -100."""
    real = answers != IGNORED
    added = {"input_ids": answers.masked_fill(~real, pad), "attention_mask": real.long()}
    return {
        name: torch.cat([value, added.get(name, torch.zeros_like(answers)).to(value.dtype)], 1)
        if name in _PER_TOKEN
        else value
        for name, value in prompts.items()
    }
