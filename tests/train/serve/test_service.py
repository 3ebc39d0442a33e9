"""A service in this process: replies, streams, every refusal with its status, and what is counted."""

import asyncio
import io
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from made_requests import Start, picture, question, sound

from safe_eval.models.chat import read_completion
from safe_eval.models.model import Answer, Input
from safe_train.serve.app import make_app
from safe_train.serve.service import Service

ASK = "/v1/chat/completions"


def error_of(reply: Any) -> dict[str, Any]:
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error  # type: ignore[no-any-return]


def test_a_reply_has_what_a_client_reads_and_what_the_gate_decided(client: TestClient) -> None:
    reply = client.post(ASK, json=question("what is there ?", picture(), sound(), logprobs=True)).json()
    (choice,) = reply["choices"]
    assert reply["object"] == "chat.completion"
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")
    usage, safe = reply["usage"], reply["safe"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert safe["consulted"] is (safe["audio_tokens"] == 4)
    assert 0 <= safe["gate_score"] <= 1
    assert safe["gate_ms"] > 0
    assert (safe["influence_kl"] > 0) is safe["consulted"]
    answer = read_completion(json.dumps(reply).encode(), "safe")
    assert answer.text == choice["message"]["content"]
    assert (answer.consulted, answer.audio_tokens) == (safe["consulted"], safe["audio_tokens"])
    assert answer.confidence == safe["confidence"]
    told = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in told) == choice["message"]["content"]
    likely = sum(one["logprob"] for one in told)
    assert safe["confidence"] <= np.exp(likely) * (1 + 1e-6)  # which counts the end, too


def test_without_a_sound_nothing_is_decided(client: TestClient) -> None:
    safe = client.post(ASK, json=question()).json()["safe"]
    assert (safe["consulted"], safe["audio_tokens"], safe["gate_score"]) == (False, 0, 0.0)
    assert safe["gate_ms"] is safe["influence_kl"] is None


def test_the_answer_is_cut_where_the_request_says(client: TestClient) -> None:
    long = client.post(ASK, json=question(max_tokens=999)).json()
    assert long["usage"]["completion_tokens"] <= 4  # as many as the checkpoint gives
    short = client.post(ASK, json=question(max_tokens=1)).json()
    assert short["usage"]["completion_tokens"] == 1
    assert short["choices"][0]["finish_reason"] == "length"
    assert long["choices"][0]["message"]["content"].startswith(short["choices"][0]["message"]["content"])


def test_choices_and_the_task_reach_the_model(client: TestClient) -> None:
    reply = client.post(ASK, json=question(safe={"choices": ["red", "blue"], "task": "caption"})).json()
    assert sum(reply["safe"]["choice_probabilities"].values()) == pytest.approx(1)


def events_of(reply: Any) -> list[Any]:
    lines = [line for line in reply.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@pytest.mark.parametrize("parts", [(), (sound(seed=1),), (picture(), sound())])
def test_a_stream_says_the_same_in_pieces(client: TestClient, parts: tuple[Any, ...]) -> None:
    whole = client.post(ASK, json=question("what is there ?", *parts)).json()
    body = question("what is there ?", *parts, stream=True, stream_options={"include_usage": True})
    reply = client.post(ASK, json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    first, *texts, last, usage = events_of(reply)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    said = [event["choices"][0]["delta"]["content"] for event in texts]
    assert "".join(said) == whole["choices"][0]["message"]["content"]
    assert len(said) == len(whole["choices"][0]["message"]["content"].split())
    assert last["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    known = {name: value for name, value in whole["safe"].items() if name != "gate_ms"}
    assert known.items() <= last["safe"].items()
    assert usage["usage"] == whole["usage"]
    assert usage["choices"] == []


def test_words_are_sent_as_they_are_made(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second word comes from the model after the first one was handed over."""
    service, told = start(), list[Any]()
    from safe_train.serve import call

    tell = call.Call.tell
    monkeypatch.setattr(call.Call, "tell", lambda self, one: told.append(one) or tell(self, one))
    TestClient(make_app(service)).post(ASK, json=question("what is there ?", sound(), stream=True))
    *steps, outcome = told
    assert [step.split() for step in steps] == [
        outcome.answer.text.split()[: count + 1] for count in range(len(steps))
    ]
    assert len(steps) > 1


REMOTE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
BROKEN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
NO_BASE64 = {"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}
FAULTY: dict[str, tuple[dict[str, Any], str, str]] = {
    "a remote picture": (
        question("?", REMOTE),
        "remote_url_refused",
        "pictures are not fetched; send one as data",
    ),
    "a broken picture": (question("?", BROKEN), "invalid_image", "truncated picture"),
    "a large picture": (
        question("?", picture(65)),
        "image_too_large",
        "has 65×65 pixels; at most 4096 are taken",
    ),
    "a picture of one pixel": (question("?", picture(1)), "invalid_image", "picture too small: 1×1"),
    "no base64": (question("?", NO_BASE64), "invalid_base64", "input_audio.data: is not base64"),
    "a long sound": (
        question("?", sound(2.1)),
        "audio_too_long",
        "the sound is longer than 2 s (--sound-seconds)",
    ),
    "a picture as a sound": (
        question("?", sound(data=b"\x89PNG\r\n\x1a\n" * 9)),
        "invalid_audio",
        "of kind PNG",
    ),
    "a sound cut off": (question("?", sound(data=b"RIFF\x00\x00\x00\x00WAVEfmt ")), "invalid_audio", "sound"),
    "a format": (
        question("?", sound(kind="opus")),
        "invalid_value",
        "sounds are taken as wav, flac, mp3, ogg",
    ),
    "a picture's token": (question("<image> ?"), "invalid_value", "'<image>', which stands for a picture"),
    "a prompt without end": (question("there " * 600), "context_length_exceeded", "the model takes"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_what_cannot_be_taken_is_refused_with_400(start: Start, case: str) -> None:
    service = start(picture_pixels=64 * 64, sound_seconds=2.0)
    body, code, message = FAULTY[case]
    reply = TestClient(make_app(service)).post(ASK, json=body)
    assert (reply.status_code, error_of(reply)["code"]) == (400, code)
    assert message in error_of(reply)["message"]
    assert service.places == 0


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_sounds_of_each_format_are_heard(client: TestClient, kind: str) -> None:
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(file, samples, 16000, format=kind)
    reply = client.post(ASK, json=question("?", sound(data=file.getvalue(), kind=kind)))
    assert reply.status_code == 200
    assert reply.json()["safe"]["gate_ms"] is not None


def test_the_key_is_wanted_under_v1_and_nowhere_else(start: Start) -> None:
    client = TestClient(make_app(start({"key": "sk-1"})))
    for headers in ({}, {"Authorization": "Bearer sk-2"}, {"Authorization": "Bearer sk-1é".encode()}):
        reply = client.post(ASK, json=question(), headers=headers)
        assert (reply.status_code, error_of(reply)["code"]) == (401, "invalid_api_key")
        assert client.get("/v1/models", headers=headers).status_code == 401
    right = {"Authorization": "Bearer sk-1"}
    assert client.post(ASK, json=question(), headers=right).status_code == 200
    assert client.get("/v1/models", headers=right).json()["data"][0]["id"] == "safe"
    assert client.get("/health").status_code == client.get("/metrics").status_code == 200


def test_a_long_body_is_413_whether_or_not_it_says_its_length(start: Start) -> None:
    client = TestClient(make_app(start(body_mb=0.001)))
    body = json.dumps(question("a" * 2000)).encode()
    headers = {"content-type": "application/json"}
    for content in (body, iter([body[:600], body[600:]])):
        reply = client.post(ASK, content=content, headers=headers)
        assert (reply.status_code, error_of(reply)["code"]) == (413, "request_too_large")
    assert client.post(ASK, content=body, headers={"content-type": "text/plain"}).status_code == 415


def test_a_defect_costs_one_request_and_is_told_in_the_log(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("safe_train.serve.asked.received_sound", None)
        reply = client.post(ASK, json=question("?", sound()))
        assert (reply.status_code, error_of(reply)["code"]) == (500, "internal_error")
    assert "TypeError: 'NoneType' object is not callable" in capsys.readouterr().err
    assert client.post(ASK, json=question("?", sound())).status_code == 200
    assert 'safe_requests_total{status="500"} 1.0' in client.get("/metrics").text


def test_addresses_that_are_none(client: TestClient) -> None:
    assert error_of(client.get("/v1/completions"))["message"].startswith(
        "GET /v1/completions: there are /v1/chat"
    )
    assert client.get(ASK).status_code == 405
    assert client.get("/v1/models/other").status_code == 404
    assert client.get("/docs").status_code == 404


class Gatekeeper:
    """Holds back the model's answers until it is opened."""

    def __init__(self, service: Service) -> None:
        self.opened, self.asked = threading.Event(), threading.Event()
        self.fails = False
        ask = service.line._ask

        def held(inputs: Sequence[Input]) -> Sequence[Answer]:
            self.asked.set()
            assert self.opened.wait(20)
            if self.fails:
                raise RuntimeError("out of memory at 0x7f")
            return ask(inputs)

        service.line._ask = held


async def many(service: Service, count: int, body: dict[str, Any]) -> list[Any]:
    transport = httpx2.ASGITransport(app=make_app(service))
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
        return list(await asyncio.gather(*(client.post(ASK, json=body) for _ in range(count))))


def test_more_than_there_is_room_for_is_429_and_all_else_is_answered(start: Start) -> None:
    service = start(queue_size=3, batch_size=2)
    keeper = Gatekeeper(service)
    threading.Timer(0.3, keeper.opened.set).start()
    replies = asyncio.run(many(service, 10, question()))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200] * 3 + [429] * 7
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert error_of(refused)["type"] == "rate_limit_error"
    assert service.places == 0
    text = service.measures.text().decode()
    assert 'safe_requests_total{status="200"} 3.0' in text
    assert 'safe_requests_total{status="429"} 7.0' in text
    assert "safe_request_seconds_count 3.0" in text


@pytest.mark.parametrize("streams", [False, True])
def test_a_request_that_takes_too_long_is_504_and_gives_up_its_place(start: Start, streams: bool) -> None:
    service = start(timeout_seconds=0.5, batch_size=1)
    keeper = Gatekeeper(service)
    replies = asyncio.run(many(service, 3, question(stream=streams)))
    assert [reply.status_code for reply in replies] == [504] * 3
    assert service.places == len(service.line) == 0
    keeper.opened.set()
    service.config = replace(service.config, timeout_seconds=30)
    assert TestClient(make_app(service)).post(ASK, json=question()).status_code == 200


def test_a_body_that_does_not_come_is_408(start: Start) -> None:
    async def slow() -> Any:
        yield b'{"model"'
        await asyncio.sleep(5)

    async def ask(service: Service) -> Any:
        sent: list[dict[str, Any]] = []
        pieces = slow()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": await anext(pieces), "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": ASK, "headers": headers, "query_string": b""}
        await make_app(service)(scope, receive, send)  # type: ignore[arg-type]
        return sent[0]["status"]

    service = start(timeout_seconds=0.2)
    assert asyncio.run(ask(service)) == 408
    assert service.places == 0


def test_a_client_that_goes_away_leaves_the_line(start: Start) -> None:
    service = start(batch_size=1)
    keeper = Gatekeeper(service)

    async def leave() -> None:
        transport = httpx2.ASGITransport(app=make_app(service))
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
            tasks = [asyncio.create_task(client.post(ASK, json=question())) for _ in range(2)]
            while not keeper.asked.is_set() or len(service.line) < 1:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert service.places == len(service.line) == 0

    asyncio.run(leave())
    keeper.opened.set()


def test_a_server_that_stops_refuses_what_is_new_and_answers_the_rest(start: Start) -> None:
    service = start()
    keeper = Gatekeeper(service)

    async def stop() -> tuple[Any, Any, Any]:
        transport = httpx2.ASGITransport(app=make_app(service))
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
            asked = asyncio.create_task(client.post(ASK, json=question()))
            while not keeper.asked.is_set():
                await asyncio.sleep(0.01)
            service.close()
            refused, health = await client.post(ASK, json=question()), await client.get("/health/ready")
            live = await client.get("/health/live")
            keeper.opened.set()
            return refused, health, (await asked, live)

    refused, health, (answered, live) = asyncio.run(stop())
    assert (refused.status_code, error_of(refused)["code"]) == (503, "server_stopping")
    assert (health.status_code, health.json()["status"]) == (503, "stopping")
    assert answered.status_code == live.status_code == 200


def test_a_model_that_fails_is_500_and_says_why_only_in_the_log(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    service = start()
    keeper = Gatekeeper(service)
    keeper.fails = True
    keeper.opened.set()
    client = TestClient(make_app(service))
    for streams in (False, True):
        reply = client.post(ASK, json=question(stream=streams))
        assert (reply.status_code, error_of(reply)["type"]) == (500, "server_error")
        assert "0x7f" not in reply.text
    assert "the model failed: RuntimeError: out of memory at 0x7f" in capsys.readouterr().err
    keeper.fails = False
    assert client.post(ASK, json=question()).status_code == 200
