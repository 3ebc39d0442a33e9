"""Shards become batches: whose question, whose sound, and where the answer begins."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import Backbone
from safe_train.base.prompts import PromptCache
from safe_train.batches import SILENCE, Loader, epoch_order


def test_each_question_is_of_one_kind(loader: Loader, train_split: ShardDataset) -> None:
    assert len(loader.hearing) == len(loader.seeing) == 2 * len(train_split)
    assert all(q.example.needs_audio for q in loader.hearing)
    assert not any(q.example.needs_audio for q in loader.seeing)


def test_answers_begin_in_one_column_behind_padded_prompts(loader: Loader, backbone: Backbone) -> None:
    longest = max(loader.seeing, key=lambda q: len(q.example.prompt.split()))
    shortest = min(loader.hearing, key=lambda q: len(q.example.prompt.split()))
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


def test_a_longer_answer_pads_the_others(loader: Loader) -> None:
    question = loader.hearing[0]
    long = type(question)(question.clip, question.group, question.example, torch.tensor([5, 6, 7, 1]))
    batch = loader.batch([question, long], [0, 0])
    assert batch.answers[0, 2:].tolist() == [-100, -100]
    assert batch.inputs["attention_mask"][0, -2:].tolist() == [0, 0]
    assert batch.real.sum().item() == 6


def test_sounds_are_the_clips_own_or_silence(loader: Loader, train_split: ShardDataset) -> None:
    batch = loader.batch(loader.hearing[:3], [4, SILENCE, 0])
    stored = torch.from_numpy(train_split.embeddings([4, 0])).float()
    assert torch.equal(batch.audio[[0, 2]], stored)
    silence = LogMelEncoder().encode([np.zeros(8000, np.float32)])[0]
    assert torch.equal(batch.audio[1], torch.from_numpy(silence).float())


def test_an_unrelated_sound_is_of_another_group(loader: Loader) -> None:
    rng = np.random.default_rng(0)
    heard = set()
    for _ in range(20):
        for question, clip in zip(loader.seeing, loader.unrelated_clips(loader.seeing, rng), strict=True):
            assert loader.groups[clip] != question.group
            heard.add(clip)
    assert heard == set(range(len(loader.dataset)))


@pytest.mark.parametrize(("count", "rows"), [(10, 3), (10, 10), (4, 9)])
def test_every_item_comes_once_an_epoch(count: int, rows: int) -> None:
    steps = [epoch_order(count, step=step, rows=rows, seed=1, stream=2) for step in range(count)]
    epochs = np.concatenate(steps).reshape(rows, count)
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1


def test_a_step_follows_from_seed_and_step_alone() -> None:
    late = epoch_order(100, step=57, rows=8, seed=0, stream=0)
    assert late.tolist() == epoch_order(100, step=57, rows=8, seed=0, stream=0).tolist()
    assert late.tolist() != epoch_order(100, step=57, rows=8, seed=1, stream=0).tolist()
    assert late.tolist() != epoch_order(100, step=57, rows=8, seed=0, stream=1).tolist()


def test_prompts_are_kept_while_there_is_room() -> None:
    cache, made = PromptCache(kept_bytes=100), []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return {"input_ids": torch.zeros(10, dtype=torch.int64)}

    for key in ("a", "a", "b", "b"):  # 80 bytes each: there is room for one
        cache.get(key, make)
    assert len(made) == 3


class LouderEncoder(LogMelEncoder):
    version = 99


def test_embeddings_of_another_encoder(train_split: ShardDataset, backbone: Backbone) -> None:
    ours, theirs = LogMelEncoder().fingerprint, LouderEncoder().fingerprint
    with pytest.raises(
        InputError, match=f"embeddings are of encoder {ours}, the one given is logmel {theirs}; build"
    ):
        Loader(train_split, backbone.processor, LouderEncoder())


@pytest.mark.parametrize(("kept", "missing"), [(True, "false"), (False, "true")])
def test_a_split_with_questions_of_one_kind(
    tmp_path: Path, backbone: Backbone, kept: bool, missing: str
) -> None:
    world = tmp_path / "world"
    write_world(world, clips=24, seed=0)
    rows = [json.loads(line) for line in (world / "metadata.jsonl").read_text().splitlines()]
    for row in rows:
        row["examples"] = [example for example in row["examples"] if example["needs_audio"] is kept]
    (world / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_dataset(world, tmp_path / "shards")
    dataset = ShardDataset(tmp_path / "shards", "train")
    with pytest.raises(
        InputError, match=rf"of \d+ questions in split 'train' none has needs_audio {missing}"
    ):
        Loader(dataset, backbone.processor, LogMelEncoder())
