"""Prompts: an example's text and picture as the base's own processor writes them, then as a batch.

Each row is processed alone and padded here, in training as in answering, so that a prompt is the same tokens
in every batch: prompts are padded on the left, answers on the right, and all answers begin in one column.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int64
from torch import Tensor

from safe_data.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

# Tensors with a value a token; what else a processor returns is a stack of pictures or of facts about them.
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")

Inputs = dict[str, Tensor]

PROMPTS_KEPT_BYTES = 2**30


def prompt_text(processor: Any, prompt: str, *, has_image: bool) -> str:
    """The question as the base was taught to be asked: by its chat template, or else picture and question."""
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}] * has_image + [{"type": "text", "text": prompt}]
        text: str = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        return text
    return f"{processor.image_token}\n{prompt}" if has_image else prompt


def encode_prompt(processor: Any, prompt: str, image: "Image | None") -> Inputs:
    """One prompt with its picture, as a batch of one."""
    text = prompt_text(processor, prompt, has_image=image is not None)
    pictures = {} if image is None else {"images": [image]}
    encoded = processor(text=[text], **pictures, return_tensors="pt")
    return {name: value for name, value in encoded.items() if isinstance(value, Tensor)}


class PromptCache:
    """Processed prompts: each made once, and kept as long as there is room."""

    def __init__(self, kept_bytes: int = PROMPTS_KEPT_BYTES) -> None:
        self._room = kept_bytes
        self._prompts: dict[Hashable, Inputs] = {}

    def get(self, key: Hashable, make: Callable[[], Inputs]) -> Inputs:
        if key in self._prompts:
            return self._prompts[key]
        made = make()
        size = sum(tensor.nbytes for tensor in made.values())
        if size <= self._room:
            self._prompts[key] = made
            self._room -= size
        return made


def encode_answer(processor: Any, answer: str) -> Int64[Tensor, " tokens"]:
    """The answer's tokens and the one that ends it.

    Raises:
        InputError: an answer that is no token at all, or a tokenizer that cannot end one.
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
    """What fills up a row; its attention mask is 0, so any token would do."""
    tokenizer = processor.tokenizer
    return int(next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None))


def collate(rows: Sequence[Inputs], pad: int) -> Inputs:
    """Prompts as one batch, padded on the left."""
    length = max(row["input_ids"].shape[1] for row in rows)
    names = dict.fromkeys(name for row in rows for name in row)
    batch = {}
    for name in names:
        tensors = [row[name] for row in rows if name in row]
        if name in _PER_TOKEN:
            fill = pad if name == "input_ids" else 0
            tensors = [torch.nn.functional.pad(t, (length - t.shape[1], 0), value=fill) for t in tensors]
        batch[name] = torch.cat(tensors)
    return batch


def append_answers(prompts: Inputs, answers: Int64[Tensor, "rows tokens"], pad: int) -> Inputs:
    """The prompts followed by their answers, in which -100 stands for padding."""
    real = answers != -100
    added = {"input_ids": answers.masked_fill(~real, pad), "attention_mask": real.long()}
    return {
        name: torch.cat([value, added.get(name, torch.zeros_like(answers)).to(value.dtype)], 1)
        if name in _PER_TOKEN
        else value
        for name, value in prompts.items()
    }
