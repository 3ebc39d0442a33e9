"""An endpoint: what is sent, what each fault of a server becomes, and that the key stays where it is."""

import base64
import io
import json
import logging
from typing import Any

import numpy as np
import pytest
import soundfile
from made_listener import ToneDataset
from made_server import MadeServer, Say, completion, made_server
from PIL import Image

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Example
from safe_eval.models import server as server_module
from safe_eval.models.all_models import load_models
from safe_eval.models.endpoint import Endpoint, load_endpoint
from safe_eval.models.model import Answer, Input, ModelGoneError, facts_of
from safe_eval.run_options import ModelOptions
from safe_eval.runner.run import run

KEY = "sk-secret-4711"


@pytest.fixture(autouse=True)
def no_keys_and_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAFE_EVAL_API_KEY", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(server_module, "_FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(server_module, "_JITTER_SECONDS", 0.01)


def asking(prompt: str = "what colour ?", **media: Any) -> Input:
    return Input(Example(id="q", task="vqa", prompt=prompt, references=("blue",)), **media)


def endpoint_of(made: MadeServer, **options: Any) -> Endpoint:
    (endpoint,) = load_endpoint(f"{made.url}#toy", ModelOptions(**options))
    return endpoint


def answer_of(*script: Say, **options: Any) -> tuple[Answer, MadeServer]:
    with made_server(*script) as made:
        (answer,) = endpoint_of(made, **{"timeout_seconds": 5, "attempts": 3, **options}).answer([asking()])
    return answer, made


def parts_of(made: MadeServer) -> dict[str, Any]:
    (content,) = [one["content"] for one in made.completions[0].body["messages"] if one["role"] == "user"]
    return {part["type"]: part[part["type"]] for part in content}


def test_what_is_sent_is_the_exact_picture_and_the_exact_sound() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    stored = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
    sound = Sound(stored.astype(np.float32) / 32768, 22050, 22050, 1)
    given = asking(picture=lambda: Image.fromarray(pixels), sound=lambda: sound)
    with made_server() as made:
        endpoint = endpoint_of(made, system="Be brief.", template="{prompt} One word.", max_tokens=5)
        (answer,) = endpoint.answer([given])
    assert answer.text == "blue"
    body = made.completions[0].body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "toy",
        "temperature": 0.0,
        "seed": 0,
        "max_tokens": 5,
    }
    parts = parts_of(made)
    assert list(parts) == ["image_url", "input_audio", "text"]
    assert parts["text"] == "what colour ? One word."
    head, _, data = parts["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels)
    assert parts["input_audio"]["format"] == "wav"
    wav = io.BytesIO(base64.b64decode(parts["input_audio"]["data"]))
    samples, rate_hz = soundfile.read(wav, dtype="int16")
    np.testing.assert_array_equal(samples, stored)
    assert rate_hz == 22050
    assert soundfile.info(wav.seek(0) or wav).subtype == "PCM_16"


def test_settings_change_the_request_and_none_leaves_a_field_out() -> None:
    changes = ("temperature=none", "seed=7", "max_tokens_as=max_completion_tokens", "logprobs=true")
    answer, made = answer_of(completion("blue", logprobs=[-0.5, -0.25]), arg=changes)
    body = made.completions[0].body
    assert body["seed"] == 7
    assert body["logprobs"] is True
    assert body["max_completion_tokens"] == 32
    assert not {"temperature", "max_tokens"} & body.keys()
    assert answer.confidence == pytest.approx(np.exp(-0.75))


DECIDED = {"consulted": True, "audio_tokens": 4, "gate_score": 0.75, "gate_ms": 0.5, "influence_kl": 0.25}


def test_what_a_safe_server_decided_is_the_answers() -> None:
    likely = {"choice_probabilities": {"red": 0.25, "blue": 0.75}, "choice_log_likelihoods": {"red": -2.0}}
    safe = {**DECIDED, **likely, "confidence": 0.5, "of_a_later_version": 1}
    answer, made = answer_of(completion("blue", safe=safe, logprobs=[-0.25]), arg=("logprobs=true",))
    assert {name: getattr(answer, name) for name in DECIDED} == DECIDED
    assert answer.confidence == 0.5  # which counts the end of the answer, too
    assert answer.choice_probabilities == {"red": 0.25, "blue": 0.75}
    assert answer.metadata == {"choice_log_likelihoods": {"red": -2.0}}
    assert "safe" not in made.completions[0].body


@pytest.mark.parametrize("safe", ["yes", {"consulted": "yes"}, 3, [], None])
def test_another_server_may_mean_something_else_by_the_field(safe: Any) -> None:
    answer, _ = answer_of(completion("blue", safe=safe))
    assert (answer.text, answer.consulted, answer.confidence, answer.error) == ("blue", None, None, None)


def test_a_safe_server_is_told_the_task_and_the_choices_if_asked_to() -> None:
    offered = Example(id="q", task="vqa", prompt="?", references=("blue",), choices=("red", "blue"))
    with made_server() as made:
        endpoint = endpoint_of(made, arg=("safe=true",))
        endpoint.answer([Input(offered)])
        endpoint.answer([Input(Example(id="q", task="caption", prompt="?", references=("blue",)))])
        assert facts_of(endpoint) == {**facts_of(endpoint_of(made)), "extension": "safe"}
    sent = sorted((one.body["safe"] for one in made.completions), key=str)
    assert sent == [{"task": "caption"}, {"task": "vqa", "choices": ["red", "blue"]}]


def test_a_run_asks_an_endpoint_like_any_model() -> None:
    def see(body: Any) -> Say:
        content = body["messages"][0]["content"]
        sound = [part for part in content if part["type"] == "input_audio"]
        return completion("heard" if sound else "not heard")

    with made_server(answer=see) as made:
        rows = list(run(endpoint_of(made), ToneDataset(5), ["full"], seed=0))
    assert {row.model for row in rows} == {"toy"}
    assert [row.answer for row in rows] == [
        "heard" if row.audio_sha256 is not None else "not heard" for row in rows
    ]
    assert {row.answer for row in rows} == {"heard", "not heard"}


ANSWERED: dict[str, tuple[list[Say], str]] = {
    "500, then an answer": ([Say("oops", 500), completion("blue")], "blue"),
    "429 with a word in Retry-After": ([Say("", 429, {"Retry-After": "soon"}), completion("blue")], "blue"),
    "JSON cut off": ([Say('{"choices": [{"mess', is_open_ended=True), completion("blue")], "blue"),
    "a connection that breaks": ([Say('{"choices"', announced=99), completion("blue")], "blue"),
    "a hang": ([Say("{}", wait_seconds=0.6), completion("blue")], "blue"),
    "content as parts": ([completion([{"type": "text", "text": "bl"}, {"text": "ue"}])], "blue"),
    "a refusal": ([completion(None, refusal="I cannot hear.")], "I cannot hear."),
    "an empty answer": ([completion("")], ""),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_faults_that_pass_cost_no_answer(case: str) -> None:
    script, text = ANSWERED[case]
    answer, made = answer_of(*script, timeout_seconds=0.5 if case == "a hang" else 5)
    assert (answer.text, answer.error) == (text, None)
    assert len(made.completions) == len(script)
    assert (answer.latency_ms is None) == (len(script) > 1)  # waiting is not the model's time


FAILED: dict[str, tuple[list[Say], str]] = {
    "wrong model": (
        [Say('{"error": {"message": "The model `toy` does not exist"}}', 404)],
        "HTTP 404: The model `toy` does not exist",
    ),
    "an unknown field": ([Say('{"detail": "Unexpected keys"}', 422)], "HTTP 422: Unexpected keys"),
    "a page": (
        [Say("<html>\n Bad  Gateway</html>", 502)] * 3,
        "HTTP 502: <html> Bad Gateway</html> (tried 3",
    ),
    "busy for ever": ([Say("", 429)] * 3, "HTTP 429: nothing more (tried 3 times)"),
    "hangs for ever": (
        [Say("{}", wait_seconds=0.4)] * 2,
        "no reply in time (--timeout-seconds) (tried 2 times)",
    ),
    "always cut off": (
        [Say('{"choices": [', is_open_ended=True)] * 3,
        "the server's reply is no chat completion: Input data was truncated (tried 3 times)",
    ),
    "no choices": ([Say('{"choices": []}')], "the server's reply has no choices"),
    "no completion": ([Say('{"choices": 7}')], "the server's reply is no chat completion: Expected"),
    "content null": ([completion(None)], "the reply has no text (finish_reason 'stop')"),
    "thought too long": (
        [completion(None, finish_reason="length")],
        "the reply has no text (finish_reason 'length'); raise --max-tokens",
    ),
    "an error with status 200": (
        [Say('{"error": {"message": "no credit"}}')],
        "the server answers with an error: no credit",
    ),
    "a redirect": ([Say("", 307, {"Location": "http://example.org/v1"})], "HTTP 307: nothing more"),
}


@pytest.mark.parametrize("case", FAILED)
def test_faults_that_stay_are_the_error_of_one_example(case: str) -> None:
    script, error = FAILED[case]
    is_hang = case == "hangs for ever"
    answer, made = answer_of(*script, timeout_seconds=0.2 if is_hang else 5, attempts=2 if is_hang else 3)
    assert answer.error is not None
    assert answer.error.startswith(error)
    assert len(made.completions) == len(script)


def test_a_reply_is_neither_read_for_ever_nor_kept_whole() -> None:
    drips = Say(completion("blue").body, drip_seconds=0.02)
    answer, _ = answer_of(drips, attempts=1, timeout_seconds=0.3)
    assert answer.error == "no reply in time (--timeout-seconds)"
    answer, _ = answer_of(Say(b" " * 2**25), attempts=1)
    assert answer.error == "DecodeError: the reply is longer than 16777216 bytes"


def test_the_others_of_a_batch_are_answered() -> None:
    def some(body: Any) -> Say:
        text = body["messages"][0]["content"][-1]["text"]
        return Say('{"error": "too hard"}', 400) if text == "2" else completion(text)

    with made_server(answer=some) as made:
        answers = endpoint_of(made).answer([asking(str(number)) for number in range(20)])
    assert [one.text for one in answers if one.error is None] == [str(n) for n in range(20) if n != 2]
    assert answers[2].error == "HTTP 400: too hard"


def test_retry_after_is_honoured() -> None:
    _, made = answer_of(Say("", 429, {"Retry-After": "1"}), completion("blue"))
    first, second = (one.at_seconds for one in made.completions)
    assert 1.0 <= second - first < 3


def test_so_many_requests_are_on_their_way_at_once_and_no_more() -> None:
    def slow(_: Any) -> Say:
        return Say(completion("blue").body, wait_seconds=0.05)

    with made_server(answer=slow) as made:
        answers = endpoint_of(made, concurrency=3).answer([asking()] * 9)
    assert [one.text for one in answers] == ["blue"] * 9
    assert made.most_at_once == 3


def everything_said(made: MadeServer, endpoint: Endpoint, answers: list[Answer], log: str) -> str:
    return "\n".join(
        [repr(endpoint), str(vars(endpoint).keys()), json.dumps(facts_of(endpoint)), repr(answers), log]
    )


def test_the_key_is_sent_and_said_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with made_server(Say(f'{{"error": "bad key {KEY}"}}', 400), Say(KEY, 500), Say("", 500)) as made:
        endpoint = endpoint_of(made, attempts=2)
        answers = [*endpoint.answer([asking()]), *endpoint.answer([asking()])]
        said = everything_said(made, endpoint, answers, caplog.text)
        made.models = Say(f'{{"error": "Incorrect key {KEY}"}}', 401)
        with pytest.raises(InputError) as refused:
            endpoint.check()
    assert {one.headers["Authorization"] for one in made.asked} == {f"Bearer {KEY}"}
    assert answers[0].error == "HTTP 400: bad key ***"
    assert str(refused.value) == f"{made.url}: HTTP 401, Incorrect key ***; the key is not accepted"
    assert KEY not in said


def test_the_key_for_openai_does_not_travel_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    options = ModelOptions()
    assert not server_module.Server("http://gpu-node:8000/v1", options).has_key
    assert server_module.Server("https://api.example.org/v1", options).has_key
    monkeypatch.setenv("SAFE_EVAL_API_KEY", "mine")
    assert server_module.Server("http://gpu-node:8000/v1", options).has_key
    monkeypatch.setenv("SAFE_EVAL_API_KEY", "a\nb")
    with pytest.raises(InputError, match="has characters that no key has"):
        server_module.Server("http://gpu-node:8000/v1", options)


REFUSED: dict[str, tuple[str, ModelOptions, str]] = {
    "no model": (
        "http://localhost:1/v1",
        ModelOptions(),
        "openai:http://localhost:1/v1: names no model; write openai:http://localhost:1/v1#MODEL",
    ),
    "no URL": (
        "localhost:1/v1#m",
        ModelOptions(),
        "openai:localhost:1/v1#m: is no URL; write openai:http://localhost:8000/v1#MODEL",
    ),
    "a password": (
        "http://me:hidden@localhost:1/v1#m",
        ModelOptions(),
        "openai: the URL holds a user, a password or a query, and would be written down; set "
        "SAFE_EVAL_API_KEY in the environment instead",
    ),
    "a key in the query": (
        "http://localhost:1/v1?key=hidden#m",
        ModelOptions(),
        "openai: the URL holds a user, a password or a query, and would be written down; set "
        "SAFE_EVAL_API_KEY in the environment instead",
    ),
    "an unknown setting": (
        "http://localhost:1/v1#m",
        ModelOptions(arg=("logprob=true",)),
        "arg logprob: is no setting of openai:URL#MODEL; did you mean 'logprobs'?",
    ),
    "a bad value": (
        "http://localhost:1/v1#m",
        ModelOptions(arg=("seed=x",)),
        "arg: Expected `int | null`, got `str` - at `$.seed`; write a number, true, false, or none",
    ),
    "nobody there": (
        "http://127.0.0.1:1/v1#m",
        ModelOptions(attempts=1),
        "http://127.0.0.1:1/v1: no server answers there; start the server, or correct the address",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused_before_the_first_question(case: str) -> None:
    place, options, message = REFUSED[case]
    with pytest.raises(InputError) as refused:
        load_models(f"openai:{place}", options)
    assert str(refused.value) == message
    assert "hidden" not in str(refused.value)


NO_MODEL = '{"error": {"message": "The model `toi` does not exist."}}'


@pytest.mark.parametrize(
    ("models", "hint", "status"),
    [
        ('{"data": [{"id": "toy"}, {"id": "llava"}]}', "did you mean 'toy'?", 404),
        ('{"data": [{"id": "llava"}]}', "it lists llava", 400),
        ("[]", "correct the model or the address", 422),
    ],
)
def test_a_wrong_name_of_a_model_is_refused_once_before_the_first_question(
    models: str, hint: str, status: int
) -> None:
    with made_server(answer=lambda body: Say(NO_MODEL, status)) as made:
        made.models = Say(models)
        with pytest.raises(InputError) as refused:
            load_models(f"openai:{made.url}#toi", ModelOptions())
    assert str(refused.value) == (
        f"{made.url}: has no model 'toi' (HTTP {status}, The model `toi` does not exist.); {hint}"
    )
    (probe,) = made.completions
    assert probe.body["max_tokens"] == 1
    assert len(made.asked) == 2


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_server_that_does_not_list_a_model_may_load_it_all_the_same(status: int) -> None:
    with made_server(answer=lambda body: Say("{}", status)) as made:
        made.models = Say("not found", 404)
        load_models(f"openai:{made.url}#unlisted", ModelOptions())
    assert len(made.completions) == 1


def test_a_model_that_is_listed_is_asked_nothing_before_the_first_question() -> None:
    with made_server() as made:
        load_models(f"openai:{made.url}#toy", ModelOptions())
    assert [one.method for one in made.asked] == ["GET"]


def test_a_run_stops_where_nothing_answers_any_more() -> None:
    """Else every question that is left would wait for a server that is gone, and become an error."""
    with made_server() as made:
        endpoint = endpoint_of(made, attempts=2, batch_size=4)
    rows = run(endpoint, ToneDataset(5), ["full"], seed=0)
    with pytest.raises(ModelGoneError, match=r"no server answers there any more \(tried 2 times\)"):
        next(rows)


def test_a_server_without_sound_is_given_none_and_says_so() -> None:
    sound = Sound(np.zeros(8, np.float32), 8000, 8000, 1)
    with made_server() as made:
        endpoint = endpoint_of(made, arg=("hears=false",), name="blind")
        answers = endpoint.answer([asking(), asking(sound=lambda: sound)])
    assert endpoint.name == "blind"
    assert (endpoint.hears, endpoint.sees) == (False, True)
    assert [one.error for one in answers] == [
        None,
        "this model is sent no sound, and this input has one",
    ]
    assert len(made.completions) == 1


def test_a_gate_that_should_be_closed_is_an_error() -> None:
    sound = Sound(np.zeros(8, np.float32), 8000, 8000, 1)
    with made_server() as made:
        answers = endpoint_of(made).answer([asking(gate=0.0), asking(sound=lambda: sound, gate=0.0)])
    assert [one.error for one in answers] == [None, "this model has no gate to close"]


def test_the_facts_are_what_answers_depend_on() -> None:
    with made_server() as made:
        facts = facts_of(
            endpoint_of(made, system="Be brief.", max_tokens=5, timeout_seconds=1, concurrency=1)
        )
        same = facts_of(endpoint_of(made, system="Be brief.", max_tokens=5))
        other = facts_of(endpoint_of(made, max_tokens=5))
    assert facts == same != other
    assert facts["url"] == made.url
    assert facts["request"] == {"model": "toy", "temperature": 0.0, "seed": 0, "max_tokens": 5}
    assert facts["versions"].keys() >= {"urllib3", "numpy"}
