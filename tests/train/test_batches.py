"""Batches: prompts, where the answers begin, and whose sound goes with which question."""

import dataclasses

import numpy as np
import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.batches import SILENCE, Loader
from safe_train.questions import Questions


def test_answers_begin_in_one_column_behind_padded_prompts(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    longest = max(questions.vision, key=lambda q: len(q.example.prompt.split()))
    shortest = min(questions.audio, key=lambda q: len(q.example.prompt.split()))
    batch = loader.batch([longest, shortest], [0, 0])
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    assert ids.shape == mask.shape
    tokenizer = backbone.processor.tokenizer
    for row, question in enumerate([longest, shortest]):
        end = ids[row, -batch.answers.shape[1] :].tolist()
        answer = tokenizer.convert_tokens_to_ids(question.example.references[0])
        assert end == [answer, tokenizer.eos_token_id]
        words = tokenizer.decode(ids[row][mask[row] == 1], skip_special_tokens=True)
        assert words == f"{question.example.prompt} {question.example.references[0]}"
    assert mask[0].all()
    padding = int((mask[1] == 0).sum())
    assert padding > 0
    assert not mask[1, :padding].any()
    assert len(batch.inputs["pixel_values"]) == 2


def test_a_longer_answer_pads_the_others(loader: Loader, questions: Questions) -> None:
    question = questions.audio[0]
    long = dataclasses.replace(question, answer=torch.tensor([5, 6, 7, 1]))
    batch = loader.batch([question, long], [0, 0])
    assert batch.answers[0, 2:].tolist() == [-100, -100]
    assert batch.inputs["attention_mask"][0, -2:].tolist() == [0, 0]
    assert batch.real.sum().item() == 6


def test_sounds_are_those_of_the_records_or_silence(
    loader: Loader, questions: Questions, train_split: ShardDataset
) -> None:
    batch = loader.batch(questions.audio[:3], [4, SILENCE, 0])
    stored = torch.from_numpy(train_split.embeddings([4, 0])).float()
    assert torch.equal(batch.audio[[0, 2]], stored)
    silence = LogMelEncoder().encode([np.zeros(8000, np.float32)])[0]
    assert torch.equal(batch.audio[1], torch.from_numpy(silence).float())


class LouderEncoder(LogMelEncoder):
    version = 99


def test_embeddings_of_another_encoder(train_split: ShardDataset, backbone: Backbone) -> None:
    ours, theirs = LogMelEncoder().fingerprint, LouderEncoder().fingerprint
    with pytest.raises(
        InputError, match=f"embeddings are from encoder {ours}, the one given is logmel {theirs}; build"
    ):
        Loader(train_split, backbone.processor, LouderEncoder())
