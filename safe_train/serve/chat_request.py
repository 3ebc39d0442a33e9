"""ChatRequest: the body of a request for a chat completion, checked field by field.

Source: OpenAI's API reference, "Create chat completion". What a checkpoint cannot do is refused, never passed
over: it answers one question greedily, as it was asked in training.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from safe_data.core.errors import did_you_mean
from safe_train.serve.refusal import BAD, Refusal, bad
from safe_train.settings.data import QuestionTask

MOST_CHOICES, LONGEST_CHOICE = 32, 200  # characters of one
_EXTENSION = "safe"

# Fields that change nothing here, whatever they say.
_NEUTRAL = ("user", "metadata", "seed", "service_tier", "safety_identifier", "prompt_cache_key", "store")
# Fields that may only say what is done anyway, and what that is.
_ONLY: dict[str, tuple[tuple[Any, ...], str]] = {
    "temperature": ((0,), "answers are greedy; send 0 or leave it out"),
    "top_p": ((1,), "answers are greedy; send 1 or leave it out"),
    "n": ((1,), "one answer is given; send 1 or leave it out"),
    "presence_penalty": ((0,), "answers are greedy; leave it out"),
    "frequency_penalty": ((0,), "answers are greedy; leave it out"),
    "logit_bias": (({},), "answers are greedy; leave it out"),
    "top_logprobs": ((0,), "only the tokens of the answer have log-probabilities; leave it out"),
    "stop": (([], ""), "an answer ends by itself or after max_tokens; leave it out"),
    "tools": (([],), "tools are not called; leave it out"),
    "tool_choice": (("none", "auto"), "tools are not called; leave it out"),
    "parallel_tool_calls": ((True, False), "tools are not called; leave it out"),
    "functions": (([],), "functions are not called; leave it out"),
    "function_call": (("none", "auto"), "functions are not called; leave it out"),
    "response_format": (({"type": "text"},), "answers are text; leave it out"),
    "modalities": ((["text"],), "answers are text; send ['text'] or leave it out"),
    "audio": ((), "answers are text; leave it out"),
    "reasoning_effort": ((), "the model does not reason; leave it out"),
}


class ImageUrl(msgspec.Struct, forbid_unknown_fields=True):
    """Where a picture is; `detail` is a hint, and a checkpoint sees every picture in one way."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class InputAudio(msgspec.Struct, forbid_unknown_fields=True):
    """A sound in base64."""

    data: str
    format: str


class _Text(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    text: str


class _Picture(msgspec.Struct, tag="image_url", forbid_unknown_fields=True):
    image_url: ImageUrl


class _Sound(msgspec.Struct, tag="input_audio", forbid_unknown_fields=True):
    input_audio: InputAudio


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    content: str | list[_Text | _Picture | _Sound]
    name: str | None = None


class _StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Extension(msgspec.Struct, forbid_unknown_fields=True):
    task: QuestionTask = "vqa"
    choices: tuple[str, ...] | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    logprobs: bool | None = None
    safe: _Extension | None = None


class ChatRequest(NamedTuple):
    """One question, with its media still encoded; `task` and `choices` are SAFE's own extension."""

    text: str
    picture: ImageUrl | None
    sound: InputAudio | None
    answer_tokens: int | None
    task: QuestionTask
    choices: tuple[str, ...] | None
    logprobs: bool
    stream: bool
    tells_usage: bool  # in the last chunk of a stream


def read_chat_request(data: bytes, *, model: str, most_characters: int) -> ChatRequest:
    """Read a body.

    Raises:
        Refusal: it is no such request, asks another model, or asks for what a checkpoint does not do.
    """
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(BAD, f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise Refusal(BAD, "the body is no JSON object", code="invalid_json")
    body = _body(_without_neutral(fields))
    if body.model != model:
        message = f"model {body.model!r} is not served here; ask {model!r}"
        raise Refusal(404, message, param="model", code="model_not_found")
    text, picture, sound = _question(body.messages, most_characters)
    own = body.safe or _Extension()
    _check_choices(own.choices)
    streams = bool(body.stream)
    if body.stream_options is not None and not streams:
        raise bad("stream_options go with stream: true", "stream_options")
    return ChatRequest(
        text=text,
        picture=picture,
        sound=sound,
        answer_tokens=_answer_tokens(body),
        task=own.task,
        choices=own.choices,
        logprobs=bool(body.logprobs),
        stream=streams,
        tells_usage=body.stream_options is not None and body.stream_options.include_usage,
    )


def _without_neutral(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are left when those are gone that change nothing."""
    left = {}
    for name, value in fields.items():
        if name in _ONLY:
            allowed, why = _ONLY[name]
            if value is not None and value not in allowed:
                raise bad(f"{name} {_shown(value)}: {why}", name, "unsupported_value")
        elif name not in _NEUTRAL:
            left[name] = value
    return left


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _body(fields: dict[str, Any]) -> _Body:
    known = _Body.__struct_fields__
    if unknown := [name for name in fields if name not in known]:
        hint = did_you_mean(unknown[0], [*known, *_ONLY], "leave it out")
        raise bad(
            f"{_shown(unknown[0])} is no field of a request; {hint}", unknown[0][:60], "unknown_parameter"
        )
    try:
        return msgspec.convert(fields, _Body)
    except (msgspec.ValidationError, RecursionError) as error:
        what, _, place = str(error).partition(" - at ")
        param = place.strip("`").removeprefix("$.") or None
        raise Refusal(BAD, f"{param or 'the body'}: {what}", param=param, code="invalid_type") from None


def _question(
    messages: list[_Message], most_characters: int
) -> tuple[str, ImageUrl | None, InputAudio | None]:
    """The one question of the messages: its text, and at most one picture and one sound."""
    roles = [message.role for message in messages]
    if roles != ["user"]:
        raise bad(
            f"messages of {', '.join(map(_shown, roles)) or 'nobody'}: a checkpoint is asked as in training, "
            "by one message of 'user', without a system prompt and without earlier turns",
            "messages",
            "unsupported_messages",
        )
    content = messages[0].content
    parts = [_Text(content)] if isinstance(content, str) else content
    pictures = [part.image_url for part in parts if isinstance(part, _Picture)]
    sounds = [part.input_audio for part in parts if isinstance(part, _Sound)]
    for many, name in ((pictures, "image_url"), (sounds, "input_audio")):
        if len(many) > 1:
            raise bad(f"{len(many)} parts {name}: a question has at most one", "messages.content")
    text = "\n".join(part.text for part in parts if isinstance(part, _Text))
    if not text.strip():
        raise bad("the message has no text: write the question", "messages.content")
    if len(text) > most_characters:
        raise bad(
            f"the text has {len(text)} characters; at most {most_characters} are taken (--prompt-characters)",
            "messages.content",
            "string_above_max_length",
        )
    return text, next(iter(pictures), None), next(iter(sounds), None)


def _answer_tokens(body: _Body) -> int | None:
    given = [n for n in (body.max_tokens, body.max_completion_tokens) if n is not None]
    if any(number < 1 for number in given):
        raise bad(f"max_tokens {min(given)}: must be at least 1", "max_tokens")
    return min(given, default=None)


def _check_choices(choices: tuple[str, ...] | None) -> None:
    for choice in choices or ():
        if not choice or len(choice) > LONGEST_CHOICE:
            raise bad(
                f"choice {_shown(choice)}: has 1 to {LONGEST_CHOICE} characters", f"{_EXTENSION}.choices"
            )
    if choices is not None and not 2 <= len(set(choices)) == len(choices) <= MOST_CHOICES:
        raise bad(f"choices: send 2 to {MOST_CHOICES}, none twice", f"{_EXTENSION}.choices")
