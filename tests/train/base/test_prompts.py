"""Prompts are encoded once, while there is room to store them."""

import torch

from safe_train.base.prompts import PromptCache


def test_prompts_are_kept_while_there_is_room() -> None:
    cache, made = PromptCache(capacity_bytes=100), []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return {"input_ids": torch.zeros(10, dtype=torch.int64)}

    for key in ("a", "a", "b", "b"):  # 80 bytes each: there is room for one
        cache.get(key, make)
    assert len(made) == 3
