"""A model that safe_eval can question: the same answer in every batch, the base's own with the gate off."""

from pathlib import Path

import numpy as np
import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.sound import resample
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Input
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Dialogue
from safe_train.config import PathwayConfig
from safe_train.parity import compare_gate_off
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict import BaseAnswers, SafeAnswers, predictions


@pytest.fixture
def model(backbone: Backbone) -> SafeModel:
    """Random, but awake: its answers depend on what it hears."""
    pathway = new_pathway(PathwayConfig(), backbone.model, 512, seed=0)
    with torch.no_grad():
        for number in pathway.config.layers:
            torch.nn.init.normal_(pathway.attention(number).output.weight)
    return SafeModel(backbone.model, pathway)


@pytest.fixture
def safe(model: SafeModel, backbone: Backbone) -> SafeAnswers:
    return SafeAnswers(model, backbone.processor, LogMelEncoder())


@pytest.fixture
def test_split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "test")


def inputs_of(dataset: ShardDataset, gate: float = 1.0) -> list[Input]:
    inputs = []
    for clip in range(8):
        sound = dataset.audio(clip)
        assert sound is not None
        for example in dataset.record(clip).examples:
            inputs.append(Input(example, dataset.image(clip), sound.samples, sound.sample_rate_hz, gate))
    return inputs


def test_an_answer_does_not_depend_on_its_batch(safe: SafeAnswers, test_split: ShardDataset) -> None:
    inputs = inputs_of(test_split)
    assert len(inputs) == 32
    together = safe.answer(inputs)
    alone = [safe.answer([given])[0] for given in inputs]
    assert [a.text for a in together] == [a.text for a in alone]
    assert len({a.text for a in together}) > 3
    for one, other in zip(together, alone, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
    backwards = safe.answer(inputs[::-1])[::-1]
    assert [a.text for a in backwards] == [a.text for a in together]


def test_gate_off_or_no_sound_is_the_base(
    safe: SafeAnswers, backbone: Backbone, test_split: ShardDataset
) -> None:
    inputs = inputs_of(test_split)
    silent = [Input(given.example, given.image, None, None) for given in inputs]
    base = BaseAnswers(*backbone).answer(inputs)
    assert safe.answer(inputs_of(test_split, gate=0.0)) == base
    assert safe.answer(silent) == base
    assert safe.answer(inputs) != base
    assert {(a.consulted, a.audio_tokens) for a in base} == {(False, 0)}
    assert {(a.consulted, a.audio_tokens) for a in safe.answer(inputs)} == {(True, 4)}


def test_confidence_is_the_probability_of_the_whole_answer(
    backbone: Backbone, test_split: ShardDataset
) -> None:
    given = inputs_of(test_split)[0]
    dialogue = Dialogue(*backbone)
    prompts = dialogue.prompts([given])
    said = dialogue.say(prompts)
    answer = dialogue.read(said, 0, given, audio_tokens=0)
    whole = {**prompts, "input_ids": torch.cat([prompts["input_ids"], said.tokens], 1)}
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    with torch.no_grad():
        logits = backbone.model(**whole).logits[0]
    length = said.tokens.shape[1]
    chances = logits[-length - 1 : -1].softmax(-1)[torch.arange(length), said.tokens[0]]
    end = (said.tokens[0] == backbone.processor.tokenizer.eos_token_id).nonzero()
    spoken = chances[: int(end[0]) + 1] if len(end) else chances
    assert answer.confidence == pytest.approx(spoken.prod().item(), rel=1e-4)


def test_choices_of_one_token_each_have_probabilities(safe: SafeAnswers, test_split: ShardDataset) -> None:
    for given, answer in zip(inputs_of(test_split), safe.answer(inputs_of(test_split)), strict=True):
        assert answer.choice_probabilities is not None
        assert tuple(answer.choice_probabilities) == given.example.choices
        assert sum(answer.choice_probabilities.values()) == pytest.approx(1)
    example = Example(id="q", task="vqa", prompt="what sound is heard ?", references=("bell",))
    for choices in (None, ("bell", "two bell"), ("two", "two")):
        given = Input(example.model_copy(update={"choices": choices}), None, None, None)
        assert safe.answer([given])[0].choice_probabilities is None


def test_a_sound_at_another_rate_is_resampled(safe: SafeAnswers, test_split: ShardDataset) -> None:
    given = inputs_of(test_split)[0]
    faster = resample(given.audio, 8000, 16000)
    twice = Input(given.example, given.image, faster, 16000)
    near, far = safe._embed([twice]), safe._embed([given])
    assert (near - far).abs().median() < 0.05
    assert torch.equal(safe._embed([given, twice, given])[2], far[0])


def test_a_question_without_a_picture(safe: SafeAnswers, test_split: ShardDataset) -> None:
    given = inputs_of(test_split)[0]
    blind = Input(given.example, None, given.audio, given.sample_rate_hz)
    assert safe.answer([blind, given])[0].text == safe.answer([blind])[0].text


def test_a_sound_without_its_rate(safe: SafeAnswers, test_split: ShardDataset) -> None:
    given = inputs_of(test_split)[0]
    with pytest.raises(InputError, match="a sound without a sample rate; give both or neither"):
        safe.answer([Input(given.example, given.image, given.audio, None)])


def test_a_row_for_every_question_and_condition(
    model: SafeModel, backbone: Backbone, test_split: ShardDataset
) -> None:
    rows = list(predictions(model, backbone, LogMelEncoder(), test_split, ("full", "gate_off"), batch_size=5))
    asked = sum(len(test_split.record(clip).examples) for clip in range(len(test_split)))
    assert len(rows) == 3 * asked
    assert not [row.error for row in rows if row.error]
    said = {(row.model, row.condition, row.example_id): row.answer for row in rows}
    assert all(said["safe", "gate_off", key[2]] == text for key, text in said.items() if key[0] == "base")


def test_gate_off_compares_every_logit_with_an_untouched_base(
    model: SafeModel, backbone: Backbone, untaught: Path, test_split: ShardDataset
) -> None:
    untouched = load_backbone(untaught)
    asked = sum(len(test_split.record(clip).examples) for clip in range(len(test_split)))
    found = compare_gate_off(model, untouched, test_split, "logmel", batch_size=16)
    assert (found.questions, found.largest_difference) == (asked, 0.0)
    assert found.batches == found.identical_batches == -(-asked // 16)
    with torch.no_grad():
        backbone.model.lm_head.weight[7] += np.float32(1e-6)
    changed = compare_gate_off(model, untouched, test_split, "logmel", batch_size=16)
    assert changed.identical_batches == 0
    assert changed.largest_difference > 0
