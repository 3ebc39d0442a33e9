"""Dialogue: the confidence of an answer is the probability of all its tokens, and likewise of each choice."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Prompts, stored_picture
from safe_train.base.vision import Vision
from safe_train.pathway.model import SafeModel

SOUNDS = ("bell", "two bell", "three bell two")


def asked(dataset: ShardDataset, clips: int = 4) -> list[Question]:
    return [
        Question(example.prompt, stored_picture(dataset, clip), example.choices)
        for clip in range(clips)
        for example in dataset.record(clip).examples
    ]


def test_confidence_is_the_probability_of_the_whole_answer(
    backbone: Backbone, test_split: ShardDataset
) -> None:
    question = asked(test_split)[0]
    dialogue = Dialogue(*backbone[:2])
    prompts = dialogue.encode([question])
    made = dialogue.generate(prompts)
    (answer,) = dialogue.answer([question])
    whole = {**prompts, "input_ids": torch.cat([prompts["input_ids"], made.tokens], 1)}
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    with torch.no_grad():
        logits = backbone.model(**whole).logits[0]
    length = made.tokens.shape[1]
    chances = logits[-length - 1 : -1].softmax(-1)[torch.arange(length), made.tokens[0]]
    end = (made.tokens[0] == backbone.processor.tokenizer.eos_token_id).nonzero()
    answered = chances[: int(end[0]) + 1] if len(end) else chances
    assert answer.confidence == pytest.approx(answered.prod().item(), rel=1e-4)


def test_an_answer_ends_where_the_model_stops(backbone: Backbone, test_split: ShardDataset) -> None:
    question = asked(test_split)[0]
    whole = Dialogue(*backbone[:2]).generate(Dialogue(*backbone[:2]).encode([question])).tokens[0].tolist()
    stop = whole[2]
    backbone.model.generation_config.eos_token_id = [backbone.processor.tokenizer.eos_token_id, stop]
    try:
        (answer,) = Dialogue(*backbone[:2]).answer([question])
    finally:
        backbone.model.generation_config.eos_token_id = backbone.processor.tokenizer.eos_token_id
    length = whole.index(stop) + 1
    assert answer.text == backbone.processor.tokenizer.decode(whole[:length], skip_special_tokens=True)


def test_answers_by_features_and_by_pixels_are_the_same(backbone: Backbone, test_split: ShardDataset) -> None:
    questions = asked(test_split)
    by_pixels = Dialogue(*backbone[:2])
    by_features = Dialogue(*backbone[:2], vision=Vision(backbone.model))
    alone = [by_pixels.answer([question])[0] for question in questions]
    assert [by_features.answer([question])[0] for question in questions] == alone
    together = by_features.answer(questions)
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) > 3
    for one, other in zip(together, alone, strict=True):
        assert one.confidence == pytest.approx(other.confidence, rel=1e-4)
        assert one.choice_probabilities == pytest.approx(other.choice_probabilities, rel=1e-4)


def test_choices_of_one_token_each_are_told_apart_by_the_first_logits(
    backbone: Backbone, test_split: ShardDataset
) -> None:
    questions = asked(test_split)
    dialogue = Dialogue(*backbone[:2])
    answers = dialogue.answer(questions)
    assert dialogue.score(questions, answers) == answers
    for question, answer in zip(questions, answers, strict=True):
        assert answer.choice_probabilities is not None
        assert tuple(answer.choice_probabilities) == question.choices
        assert sum(answer.choice_probabilities.values()) == pytest.approx(1)
        assert answer.metadata is None


@pytest.mark.parametrize("choices", [None, (), ("two", "two"), ("bell", ""), ("two", "ding", "dong")])
def test_choices_that_cannot_be_told_apart_have_no_probabilities(
    backbone: Backbone, choices: tuple[str, ...] | None
) -> None:
    dialogue, questions = Dialogue(*backbone[:2]), [Question("what sound is heard ?", None, choices)]
    (answer,) = dialogue.score(questions, dialogue.answer(questions))
    assert (answer.choice_probabilities, answer.metadata) == (None, None)


def slow_log_likelihood(model: Any, processor: Any, question: Question, choice: str) -> float:
    """Token by token, each with a forward pass of its own."""
    tokenizer = processor.tokenizer
    inputs = Prompts(processor).encode(question.prompt, question.picture)
    total = 0.0
    for token in [*tokenizer(choice, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]:
        with torch.no_grad():
            total += model(**inputs).logits[0, -1].double().log_softmax(-1)[token].item()
        ids = torch.cat([inputs["input_ids"], torch.tensor([[token]])], 1)
        inputs = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return total


@pytest.mark.parametrize("hears", [False, True])
def test_choices_of_several_tokens_are_scored_as_a_slow_loop_scores_them(
    model: SafeModel, backbone: Backbone, test_split: ShardDataset, hears: bool
) -> None:
    questions = [question._replace(choices=SOUNDS) for question in asked(test_split, clips=2)]
    questions[1] = questions[1]._replace(choices=("bell", "two"))
    audio = torch.randn(len(questions), 512, generator=torch.Generator().manual_seed(0))

    def hearing(rows: Sequence[int]) -> AbstractContextManager[Any]:
        return model.fuse(audio=audio[list(rows)], gate=[float(hears and row % 3 != 0) for row in rows])

    dialogue = Dialogue(*backbone[:2], scored_rows=5)
    answers = dialogue.score(questions, dialogue.answer(questions, hearing), hearing)
    assert answers[1].metadata is None
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if row == 1:
            continue
        assert answer.metadata is not None
        raw = answer.metadata["choice_log_likelihoods"]
        with hearing([row]):
            slow = {
                choice: slow_log_likelihood(model.base, backbone.processor, question, choice)
                for choice in SOUNDS
            }
        assert raw == pytest.approx(slow, abs=1e-3)
        lengths = {"bell": 2, "two bell": 3, "three bell two": 4}
        per_token = {choice: slow[choice] / lengths[choice] for choice in SOUNDS}
        assert answer.metadata["choice_log_likelihoods_per_token"] == pytest.approx(per_token, abs=1e-3)
        weights = {choice: math.exp(raw[choice] - max(raw.values())) for choice in SOUNDS}
        shares = {choice: weight / sum(weights.values()) for choice, weight in weights.items()}
        assert answer.choice_probabilities == pytest.approx(shares)
    deaf = dialogue.score(questions, dialogue.answer(questions))
    assert (deaf[2].metadata != answers[2].metadata) == hears
    assert deaf[3].metadata == answers[3].metadata  # its gate is closed
