"""Served answers are the predicted ones: at concurrency 8, and to the last bit where each is asked alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from made_requests import Start
from tiny_checkpoints import SHAPE, save_random

from safe_data.media.decode import decode_audio
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.chat import messages, read_completion, wav
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions
from safe_train.cli import main
from safe_train.predict.sounds import Sounds, WantedEncoder
from safe_train.serve.app import make_app
from safe_train.serve.server import load_served
from safe_train.serve.service import Service
from safe_train.settings.serve import ServeConfig


def predicted(
    checkpoint: Path, shards: Path, untaught: Path, out: Path, batch_size: int, *gate: str
) -> dict[str, Prediction]:
    words = [
        "predict",
        str(checkpoint),
        str(shards),
        "--backbone",
        str(untaught),
        "--split",
        "val",
        "--quiet",
    ]
    asked = ["--condition", "full", "--without-base", "--answer-tokens", "4", "--batch-size", str(batch_size)]
    assert main([*words, *asked, *gate, "--quiet", "--out", str(out)]) == 0
    return {row.example_id: row for row in read_predictions(out)}


async def ask(service: Service, bodies: dict[str, Any], concurrency: int) -> dict[str, Answer]:
    turn = asyncio.Semaphore(concurrency)
    transport = httpx2.ASGITransport(app=make_app(service))
    async with httpx2.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:

        async def one(body: Any) -> Answer:
            async with turn:
                reply = await client.post("/v1/chat/completions", json=body)
            assert reply.status_code == 200, reply.text
            return read_completion(reply.content, "safe")

        return dict(zip(bodies, await asyncio.gather(*map(one, bodies.values())), strict=True))


def bodies_of(dataset: ShardDataset) -> dict[str, Any]:
    """What `safe-eval run --model openai: --arg safe=true` sends for each question of a split."""
    found = {}
    for index in range(len(dataset)):
        sound, image = dataset.audio(index), dataset.image(index)
        for example in dataset.record(index).examples:
            given = Input(
                example,
                picture=None if image is None else lambda image=image: image,
                sound=None if sound is None else lambda sound=sound: sound,
            )
            choices = {} if example.choices is None else {"choices": example.choices}
            found[example.id] = {
                "model": "safe",
                "temperature": 0,
                "messages": messages(given, example.prompt, None),
                "safe": {"task": example.task, **choices},
            }
    return found


def facts(row: Prediction | Answer) -> Sequence[Any]:
    text = row.answer if isinstance(row, Prediction) else row.text
    return text, row.consulted, row.audio_tokens


def numbers(row: Prediction | Answer) -> Sequence[Any]:
    return row.confidence, row.gate_score, row.influence_kl, row.choice_probabilities


@pytest.mark.parametrize(("batch_size", "predicted_by"), [(8, 32), (1, 1)])
def test_served_answers_are_predicted_ones(
    start: Start,
    gated: Path,
    shards: Path,
    untaught: Path,
    tmp_path: Path,
    batch_size: int,
    predicted_by: int,
) -> None:
    rows = predicted(gated, shards, untaught, tmp_path / "rows.jsonl", predicted_by)
    service = start(batch_size=batch_size, wait_ms=20.0)
    answers = asyncio.run(ask(service, bodies_of(ShardDataset(shards, "val")), concurrency=8))
    assert answers.keys() == rows.keys()
    assert {name: facts(answer) for name, answer in answers.items()} == {
        name: facts(row) for name, row in rows.items()
    }
    consulted = [answer.consulted for answer in answers.values()]
    assert 0.1 < sum(map(bool, consulted)) / len(consulted) < 0.9
    sizes = service.measures.text().decode()
    if batch_size == 1:
        assert {name: numbers(answer) for name, answer in answers.items()} == {
            name: numbers(row) for name, row in rows.items()
        }
    else:
        assert f"safe_batch_size_count {len(rows)}.0" not in sizes  # some were asked together
        for name, answer in answers.items():
            assert answer.confidence == pytest.approx(rows[name].confidence, abs=1e-4)
            assert answer.gate_score == pytest.approx(rows[name].gate_score, abs=1e-5)


def test_served_answers_hear_as_many_tokens_as_predicted_ones(
    shards: Path, untaught: Path, tmp_path: Path
) -> None:
    shape = replace(SHAPE, tokens=(2, 4))
    checkpoint = save_random(tmp_path / "adapter", shape, shards, untaught)
    found = {}
    for tokens in shape.budgets:
        gate = ["--gate", "always", "--tokens", str(tokens)]
        rows = predicted(checkpoint, shards, untaught, tmp_path / f"{tokens}.jsonl", 1, *gate)
        config = ServeConfig(batch_size=1, answer_tokens=4, gate="always", tokens=tokens)
        service = Service(load_served(checkpoint, backbone=untaught, config=config), config)
        answers = asyncio.run(ask(service, bodies_of(ShardDataset(shards, "val")), concurrency=8))
        service.end()
        found[tokens] = {name: (facts(one), numbers(one)) for name, one in answers.items()}
        assert found[tokens] == {name: (facts(row), numbers(row)) for name, row in rows.items()}
        assert {one.audio_tokens for one in answers.values() if one.consulted} == {tokens}
    assert found[2] != found[4]


def test_a_sound_that_was_stored_with_16_bits_is_embedded_to_the_stored_bytes(shards: Path) -> None:
    """It goes over the wire as a WAV of 16 bits."""
    split = ShardDataset(shards, "val", "logmel")
    entry = split.encoder or {}
    heard = Sounds(None, [WantedEncoder(entry["name"], entry["fingerprint"], "logmel")])
    assert heard.shapes == [tuple(entry["shape"])]
    with_sound = [index for index in range(len(split)) if split.has_audio[index]]
    assert with_sound
    for index in with_sound:
        own = split.audio(index)
        assert own is not None
        (embedded,) = heard.embed([decode_audio(wav(own.samples, own.sample_rate_hz))])
        assert embedded[0].tobytes() == split.embeddings([index])[0].tobytes()
    assert heard.silence()[0].tobytes() == split.silence[None].tobytes()
    with pytest.raises(ValueError, match="no dataset is there to hold the embeddings of records"):
        heard.stored([0])
