"""Predict: the same answer in every batch, and the base's own answer with the gate off."""

import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.sound import resample
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Input
from safe_train.base.backbone import Backbone
from safe_train.pathway.model import SafeModel
from safe_train.predict import BasePredictor, SafePredictor, predictions


@pytest.fixture
def safe(model: SafeModel, backbone: Backbone) -> SafePredictor:
    return SafePredictor(model, backbone.processor, LogMelEncoder())


def inputs_of(dataset: ShardDataset, gate: float = 1.0) -> list[Input]:
    inputs = []
    for clip in range(8):
        sound = dataset.audio(clip)
        assert sound is not None
        for example in dataset.record(clip).examples:
            inputs.append(Input(example, dataset.image(clip), sound.samples, sound.sample_rate_hz, gate))
    return inputs


def test_an_answer_does_not_depend_on_its_batch(safe: SafePredictor, test_split: ShardDataset) -> None:
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
    safe: SafePredictor, backbone: Backbone, test_split: ShardDataset
) -> None:
    inputs = inputs_of(test_split)
    silent = [Input(given.example, given.image, None, None) for given in inputs]
    base = BasePredictor(*backbone).answer(inputs)
    assert safe.answer(inputs_of(test_split, gate=0.0)) == base
    assert safe.answer(silent) == base
    assert safe.answer(inputs) != base
    assert {(a.consulted, a.audio_tokens) for a in base} == {(False, 0)}
    assert {(a.consulted, a.audio_tokens) for a in safe.answer(inputs)} == {(True, 4)}


def test_choices_of_one_token_each_have_probabilities(safe: SafePredictor, test_split: ShardDataset) -> None:
    for given, answer in zip(inputs_of(test_split), safe.answer(inputs_of(test_split)), strict=True):
        assert answer.choice_probabilities is not None
        assert tuple(answer.choice_probabilities) == given.example.choices
        assert sum(answer.choice_probabilities.values()) == pytest.approx(1)
    example = Example(id="q", task="vqa", prompt="what sound is heard ?", references=("bell",))
    for choices in (None, ("bell", "two bell"), ("two", "two")):
        given = Input(example.model_copy(update={"choices": choices}), None, None, None)
        assert safe.answer([given])[0].choice_probabilities is None


def test_a_sound_at_another_rate_is_resampled(safe: SafePredictor, test_split: ShardDataset) -> None:
    given = inputs_of(test_split)[0]
    faster = resample(given.audio, 8000, 16000)
    twice = Input(given.example, given.image, faster, 16000)
    near, far = safe.embed([twice]), safe.embed([given])
    assert (near - far).abs().median() < 0.05
    assert torch.equal(safe.embed([given, twice, given])[2], far[0])


def test_a_question_without_a_picture(safe: SafePredictor, test_split: ShardDataset) -> None:
    given = inputs_of(test_split)[0]
    blind = Input(given.example, None, given.audio, given.sample_rate_hz)
    assert safe.answer([blind, given])[0].text == safe.answer([blind])[0].text


def test_a_sound_without_its_rate(safe: SafePredictor, test_split: ShardDataset) -> None:
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
