"""Batches: prompts, where the answers begin, which sound goes with them, and how rows are divided."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_corpora import build_corpus

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import embed_silence
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.batches import FORWARD_COST_TOKENS, Batch, Loader, divided_by_length
from safe_train.corpora import SILENCE, Corpora
from safe_train.questions import Asked, Questions, read_questions


def of_role(questions: Questions, role: str, count: int, heard: int | None = None) -> list[Asked]:
    """The first questions of a role, each with its own sound."""
    found = questions.pool(role)[:count].tolist()
    return [Asked(q, role, int(questions.clip[q]) if heard is None else heard, 0) for q in found]


def test_answers_begin_in_one_column_behind_padded_prompts(
    loader: Loader, questions: Questions, backbone: Backbone
) -> None:
    def words(row: Asked) -> int:
        return len(questions.of(row.question).prompt.split())

    longest = max(of_role(questions, "vl", 40), key=words)
    shortest = min(of_role(questions, "audio", 40), key=words)
    batch = loader.batch([longest, shortest])
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    assert ids.shape == mask.shape
    tokenizer = backbone.processor.tokenizer
    for row, asked in enumerate([longest, shortest]):
        example = questions.of(asked.question)
        end = ids[row, -batch.answers.shape[1] :].tolist()
        answer = tokenizer.convert_tokens_to_ids(example.references[0])
        assert end == [answer, tokenizer.eos_token_id]
        words_there = tokenizer.decode(ids[row][mask[row] == 1], skip_special_tokens=True)
        assert words_there == f"{example.prompt} {example.references[0]}"
    assert mask[0].all()
    padding = int((mask[1] == 0).sum())
    assert padding > 0
    assert not mask[1, :padding].any()
    assert len(batch.inputs["pixel_values"]) == 2


def test_a_longer_answer_pads_the_others(told: Loader) -> None:
    caption, plain = told_rows(told)
    batch = told.batch([plain, caption._replace(reference=1)])
    assert batch.answers[0, 2:].tolist() == [-100, -100]
    assert batch.inputs["attention_mask"][0, -2:].tolist() == [0, 0]
    assert batch.inputs["attention_mask"][1, -4:].all()
    assert batch.real.sum().item() == 2 + 4


@pytest.fixture(scope="module")
def told_questions(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    """Captions with two references, and questions with several."""

    def edit(row: dict) -> dict:
        first, second = (one for one in row["examples"] if one["needs_audio"])
        caption = {"task": "caption", "references": ["bell", "two bell rings"]}
        return row | {"examples": [first | caption, second | {"references": ["two", "one", "one"]}]}

    folder = build_corpus(tmp_path_factory.mktemp("told"), "told", edit)
    return read_questions(Corpora([folder], "train"), quiet=True)


@pytest.fixture
def told(told_questions: Questions, backbone: Backbone) -> Loader:
    return Loader(told_questions, backbone.processor)


def told_rows(loader: Loader) -> tuple[Asked, Asked]:
    questions = loader.questions
    return tuple(Asked(n, "audio", int(questions.clip[n]), 0) for n in (0, 1))  # type: ignore[return-value]


def test_a_caption_learns_the_reference_it_drew_and_a_question_the_likeliest(
    told: Loader, backbone: Backbone
) -> None:
    caption, question = told_rows(told)
    learnt = []
    for row in (caption, caption._replace(reference=1), question, question._replace(reference=2)):
        answers = told.batch([row]).answers[0]
        learnt.append(backbone.processor.tokenizer.decode(answers, skip_special_tokens=True))
    tokenizer = backbone.processor.tokenizer
    second = tokenizer.decode(tokenizer("two bell rings")["input_ids"], skip_special_tokens=True)
    assert learnt == ["bell", second, "one", "one"]


def test_sounds_are_those_of_the_clips_or_silence(
    loader: Loader, questions: Questions, train_split: ShardDataset
) -> None:
    asked = of_role(questions, "vl", 3)
    rows = [row._replace(heard=heard) for row, heard in zip(asked, [4, SILENCE, 0], strict=True)]
    (audio,) = loader.batch(rows).audio
    stored = torch.from_numpy(train_split.embeddings([4, 0])).float()
    assert torch.equal(audio[[0, 2]], stored)
    assert torch.equal(audio[1], torch.from_numpy(embed_silence(LogMelEncoder())).float())


def test_each_encoder_has_its_sounds(twice_heard: Path, backbone: Backbone) -> None:
    questions = read_questions(Corpora([twice_heard], "train", ["logmel", "whisper"]), quiet=True)
    batch = Loader(questions, backbone.processor).batch(of_role(questions, "audio", 2))
    assert [tuple(sound.shape) for sound in batch.audio] == [(2, 512), (2, 32, 16)]
    assert [sound.dtype for sound in batch.audio] == [torch.float32] * 2


def test_only_audio_questions_learn(loader: Loader, questions: Questions) -> None:
    roles = [of_role(questions, role, 1)[0] for role in ("vl", "audio", "muted", "audio")]
    batch = loader.batch(roles)
    assert batch.learns.tolist() == [False, True, False, True]
    assert batch.asked == tuple(roles)


def test_a_question_without_a_picture_and_one_with(both: Questions, backbone: Backbone) -> None:
    loader = Loader(both, backbone.processor)
    rows = [*of_role(both, "vl", 2, heard=SILENCE), *of_role(both, "audio", 2)]
    batch = loader.batch(rows)
    assert len(batch.inputs["pixel_values"]) == 2
    image = backbone.processor.tokenizer.convert_tokens_to_ids("<image>")
    patches = (batch.inputs["input_ids"] == image).sum(1).tolist()
    assert patches[0] == patches[1] > 0
    assert patches[2:] == [0, 0]


def test_rows_keep_their_content_however_they_are_divided(both: Questions, backbone: Backbone) -> None:
    loader = Loader(both, backbone.processor)
    rows = [*of_role(both, "vl", 6, heard=SILENCE), *of_role(both, "audio", 7)]
    alone = {row: loader.batch([row]) for row in rows}
    for most_rows in (1, 3, 13):
        parts = loader.batches(rows, most_rows)
        assert max(len(part.asked) for part in parts) <= most_rows
        assert sorted(row for part in parts for row in part.asked) == sorted(rows)
        for part in parts:
            for place, row in enumerate(part.asked):
                assert content(part, place) == content(alone[row], 0)


def content(batch: Batch, row: int) -> tuple:
    """A row of a batch without its padding."""
    real = batch.inputs["attention_mask"][row] == 1
    answer = batch.answers[row][batch.real[row]]
    return batch.inputs["input_ids"][row][real].tolist(), answer.tolist(), batch.audio[0][row].tolist()


def test_pictures_go_with_their_rows(both: Questions, backbone: Backbone) -> None:
    loader = Loader(both, backbone.processor)
    rows = of_role(both, "vl", 5, heard=SILENCE)
    alone = {row: loader.batch([row]).inputs["pixel_values"] for row in rows}
    for part in loader.batches(rows, 2):
        assert torch.equal(part.inputs["pixel_values"], torch.cat([alone[row] for row in part.asked]))


def test_several_threads_make_the_same_batches(both: Questions, backbone: Backbone) -> None:
    rows = [*of_role(both, "vl", 12, heard=SILENCE), *of_role(both, "audio", 12)]
    parts = [rows[start::6] for start in range(6)]
    wanted = [Loader(both, backbone.processor).batch(part) for part in parts]
    loader = Loader(both, backbone.processor)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(loader.batch, parts * 2))
    for found, expected in zip(made, wanted * 2, strict=True):
        assert found.inputs.keys() == expected.inputs.keys()
        assert all(torch.equal(found.inputs[name], value) for name, value in expected.inputs.items())
        assert torch.equal(found.answers, expected.answers)
        assert torch.equal(found.audio[0], expected.audio[0])


def test_a_batch_moves_with_its_pictures_in_the_precision_of_the_base(
    loader: Loader, questions: Questions
) -> None:
    batch = loader.batch(of_role(questions, "vl", 2)).to(torch.device("meta"), torch.bfloat16)
    assert batch.inputs["pixel_values"].dtype == torch.bfloat16
    assert batch.inputs["input_ids"].dtype == torch.int64
    tensors = [*batch.inputs.values(), batch.answers, *batch.audio, batch.real, batch.learns]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_the_ids_of_the_examples_asked(loader: Loader, questions: Questions) -> None:
    rows = of_role(questions, "vl", 3)
    assert loader.example_ids(rows) == [questions.of(row.question).id for row in rows]


def test_an_answer_without_words_is_refused_before_the_first_batch(
    questions: Questions, backbone: Backbone
) -> None:
    with pytest.raises(InputError, match="answer ' ' has no words; training needs some"):
        Loader(replace(questions, answers=frozenset({"one", " "})), backbone.processor)


def cost(lengths: list[int], parts: list[list[int]]) -> int:
    """The tokens that are computed."""
    padded = sum(len(part) * max(lengths[row] for row in part) for part in parts)
    return padded + FORWARD_COST_TOKENS * len(parts)


def partitions(rows: list[int], most_rows: int) -> list[list[list[int]]]:
    """All ways to divide rows into parts of at most so many."""
    if not rows:
        return [[]]
    first, *rest = rows
    found = []
    for smaller in partitions(rest, most_rows):
        found.append([[first], *smaller])
        for place, part in enumerate(smaller):
            if len(part) < most_rows:
                found.append([*smaller[:place], [first, *part], *smaller[place + 1 :]])
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6), st.integers(1, 6))
def test_no_division_computes_fewer_tokens(lengths: list[int], most_rows: int) -> None:
    parts = divided_by_length(lengths, most_rows)
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    assert all(0 < len(part) <= most_rows for part in parts)
    best = min(cost(lengths, one) for one in partitions(list(range(len(lengths))), most_rows))
    assert cost(lengths, parts) == best


@given(st.lists(st.integers(1, 40), min_size=1, max_size=50), st.integers(1, 9))
def test_rows_are_in_the_order_of_their_length_then_of_their_number(
    lengths: list[int], most_rows: int
) -> None:
    order = [row for part in divided_by_length(lengths, most_rows) for row in part]
    assert order == sorted(range(len(lengths)), key=lambda row: (lengths[row], row))


def test_no_rows_make_no_forward_pass(loader: Loader) -> None:
    assert loader.batches([], 4) == []
    assert np.array_equal(divided_by_length([], 4), [])
