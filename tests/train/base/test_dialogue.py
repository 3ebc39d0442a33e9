"""Dialogue: the confidence of an answer is the probability of all its tokens."""

import pytest
import torch

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Input
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue


def test_confidence_is_the_probability_of_the_whole_answer(
    backbone: Backbone, test_split: ShardDataset
) -> None:
    given = Input(test_split.record(0).examples[0], test_split.image(0), None, None)
    dialogue = Dialogue(*backbone)
    prompts = dialogue.encode([given])
    made = dialogue.generate(prompts)
    answer = dialogue.read(made, 0, given, audio_tokens=0)
    whole = {**prompts, "input_ids": torch.cat([prompts["input_ids"], made.tokens], 1)}
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    with torch.no_grad():
        logits = backbone.model(**whole).logits[0]
    length = made.tokens.shape[1]
    chances = logits[-length - 1 : -1].softmax(-1)[torch.arange(length), made.tokens[0]]
    end = (made.tokens[0] == backbone.processor.tokenizer.eos_token_id).nonzero()
    answered = chances[: int(end[0]) + 1] if len(end) else chances
    assert answer.confidence == pytest.approx(answered.prod().item(), rel=1e-4)
