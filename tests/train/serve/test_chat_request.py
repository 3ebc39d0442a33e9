"""What is asked for is read field by field, and what a checkpoint does not do is refused with the fix."""

import json
from typing import Any

import pytest

from safe_train.serve.chat_request import read_chat_request
from safe_train.serve.refusal import Refusal

QUESTION: dict[str, Any] = {"model": "safe", "messages": [{"role": "user", "content": "what is there ?"}]}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
TEXT = {"type": "text", "text": "what"}


def read(fields: Any) -> Any:
    data = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return read_chat_request(data, model="safe", most_characters=100)


def asking(*parts: Any) -> dict[str, Any]:
    return QUESTION | {"messages": [{"role": "user", "content": list(parts)}]}


def test_a_question_in_one_text_and_in_parts() -> None:
    asked = read(QUESTION)
    assert (asked.text, asked.picture, asked.sound, asked.task) == ("what is there ?", None, None, "vqa")
    assert (asked.answer_tokens, asked.stream, asked.logprobs, asked.tells_usage) == (
        None,
        False,
        False,
        False,
    )
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    asked = read(asking(TEXT, sound, PICTURE, {"type": "text", "text": "is there ?"}))
    assert (asked.text, asked.sound.data, asked.picture.url) == (
        "what\nis there ?",
        "AAAA",
        PICTURE["image_url"]["url"],
    )


def test_what_changes_nothing_may_be_said() -> None:
    neutral = {"temperature": 0.0, "top_p": 1, "n": 1, "seed": 7, "user": "me", "tools": [], "stop": None}
    more = {
        "max_tokens": 9,
        "max_completion_tokens": 3,
        "response_format": {"type": "text"},
        "logprobs": True,
    }
    asked = read(QUESTION | neutral | more | {"stream": True, "stream_options": {"include_usage": True}})
    assert (asked.answer_tokens, asked.logprobs, asked.stream, asked.tells_usage) == (3, True, True, True)
    own = read(QUESTION | {"safe": {"task": "caption", "choices": ["red", "blue"]}})
    assert (own.task, own.choices) == ("caption", ("red", "blue"))


REFUSED: dict[str, tuple[Any, int, str | None, str]] = {
    "no JSON": (b'{"model"', 400, None, "the body is not JSON: Input data was truncated"),
    "a list": ([], 400, None, "the body is no JSON object"),
    "another model": (
        QUESTION | {"model": "gpt"},
        404,
        "model",
        "model 'gpt' is not served here; ask 'safe'",
    ),
    "no messages": ({"model": "safe"}, 400, None, "the body: Object missing required field `messages`"),
    "a temperature": (
        QUESTION | {"temperature": 0.7},
        400,
        "temperature",
        "temperature 0.7: answers are greedy; send 0 or leave it out",
    ),
    "two answers": (QUESTION | {"n": 2}, 400, "n", "n 2: one answer is given; send 1 or leave it out"),
    "tools": (
        QUESTION | {"tools": [{"type": "function"}]},
        400,
        "tools",
        "tools [{'type': 'function'}]: tools are not called; leave it out",
    ),
    "a misspelt field": (
        QUESTION | {"max_token": 3},
        400,
        "max_token",
        "'max_token' is no field of a request; did you mean 'max_tokens'?",
    ),
    "a text for a number": (
        QUESTION | {"max_tokens": "3"},
        400,
        "max_tokens",
        "max_tokens: Expected `int | null`, got `str`",
    ),
    "no tokens": (QUESTION | {"max_tokens": 0}, 400, "max_tokens", "max_tokens 0: must be at least 1"),
    "a system prompt": (
        QUESTION | {"messages": [{"role": "system", "content": "Be brief."}, *QUESTION["messages"]]},
        400,
        "messages",
        "messages of 'system', 'user': a checkpoint is asked as in training, by one message of 'user', "
        "without a system prompt and without earlier turns",
    ),
    "two pictures": (
        asking(PICTURE, PICTURE, TEXT),
        400,
        "messages.content",
        "2 parts image_url: a question has at most one",
    ),
    "no text": (asking(PICTURE), 400, "messages.content", "the message has no text: write the question"),
    "a long text": (
        QUESTION | {"messages": [{"role": "user", "content": "a" * 101}]},
        400,
        "messages.content",
        "the text has 101 characters; at most 100 are taken (--prompt-characters)",
    ),
    "usage without a stream": (
        QUESTION | {"stream_options": {"include_usage": True}},
        400,
        "stream_options",
        "stream_options go with stream: true",
    ),
    "one choice": (
        QUESTION | {"safe": {"choices": ["red", "red"]}},
        400,
        "safe.choices",
        "choices: send 2 to 32, none twice",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    fields, status, param, message = REFUSED[case]
    with pytest.raises(Refusal) as refused:
        read(fields)
    found = refused.value
    assert (found.status, found.param, found.message) == (status, param, message)
    error = json.loads(found.body)["error"]
    assert error == {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": found.code,
    }


def test_a_body_of_a_million_brackets_is_refused() -> None:
    with pytest.raises(Refusal, match="the body is not JSON"):
        read(b"[" * 2**20)
