"""Chat: an example as a request for chat completions, and the completion as an answer.

Source: OpenAI's API reference, "Create chat completion": content parts `image_url` and `input_audio`, and the
fields of a completion. Servers such as vLLM, llama.cpp and `transformers serve` take the same. A SAFE server
adds `safe`: what its gate decided about the sound.
"""

import base64
import io
import math
import wave
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.media.sound import FULL_SCALE
from safe_eval.models.model import Answer, Input

if TYPE_CHECKING:
    from PIL.Image import Image

_PNG_LEVEL = 1  # the pixels are the same at any level, and this one takes a tenth of the time
_LONGEST_MESSAGE = 300  # characters of what a server says of an error


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Token(msgspec.Struct):
    logprob: float


class _Tokens(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Tokens | None = None


class _Usage(msgspec.Struct, omit_defaults=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Listed(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Listed]


class _Decided(msgspec.Struct):
    """What a SAFE server says of its gate, and how sure it is."""

    consulted: bool | None = None
    audio_tokens: int | None = None
    gate_score: float | None = None
    gate_ms: float | None = None
    influence_kl: float | None = None
    confidence: float | None = None
    choice_probabilities: dict[str, float] | None = None
    choice_log_likelihoods: dict[str, float] | None = None
    choice_log_likelihoods_per_token: dict[str, float] | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    safe: Any = None
    error: Any = None
    usage: _Usage | None = None
    model: str | None = None


def messages(given: Input, text: str, system: str | None) -> list[dict[str, Any]]:
    """The messages that ask one example: its picture, its sound, then the text."""
    content: list[dict[str, Any]] = []
    image = given.image
    if image is not None:
        content.append(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_text(png(image))}"}}
        )
    samples, rate_hz = given.audio, given.sample_rate_hz
    if samples is not None and rate_hz is not None:
        sound = {"data": _text(wav(samples, rate_hz)), "format": "wav"}
        content.append({"type": "input_audio", "input_audio": sound})
    content.append({"type": "text", "text": text})
    asked: list[dict[str, Any]] = [{"role": "user", "content": content}]
    return asked if system is None else [{"role": "system", "content": system}, *asked]


def png(image: "Image") -> bytes:
    """A picture as a PNG with exactly its pixels."""
    file = io.BytesIO()
    image.save(file, "png", compress_level=_PNG_LEVEL)
    return file.getvalue()


def wav(samples: Float32[ndarray, " samples"], sample_rate_hz: int) -> bytes:
    """A sound as a WAV of 16 bits at its own rate: exact where it was stored so, clipped above full scale.

    >>> len(wav(np.zeros(8, np.float32), 16000))
    60
    """
    scaled = np.clip(np.rint(samples * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate_hz)
        sound.writeframes(scaled.astype("<i2").tobytes())
    return file.getvalue()


def read_completion(data: bytes, model: str) -> Answer:
    """The answer in a completion; a refusal is one, and a completion without a text is an error.

    >>> read_completion(b'{"choices": [{"message": {"content": " red"}}]}', "m").text
    'red'
    """
    try:
        completion = msgspec.json.decode(data, type=_Completion)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return failed(f"the server's reply is no chat completion: {error}")
    if completion.error is not None:
        return failed(f"the server answers with an error: {_said(completion.error)}")
    if not completion.choices:
        return failed("the server's reply has no choices")
    choice = completion.choices[0]
    message = choice.message
    text = message.content
    if isinstance(text, list):
        text = "".join(part.text or "" for part in text)
    if not text and message.refusal:
        text = message.refusal
    if text is None:
        hint = "; raise --max-tokens" if choice.finish_reason == "length" else ""
        return failed(f"the reply has no text (finish_reason {choice.finish_reason!r}){hint}")
    decided = _decided(completion.safe)
    confidence = decided.confidence
    return Answer(
        text.strip(),
        _confidence(choice.logprobs) if confidence is None else confidence,
        choice_probabilities=decided.choice_probabilities,
        consulted=decided.consulted,
        audio_tokens=decided.audio_tokens,
        gate_score=decided.gate_score,
        gate_ms=decided.gate_ms,
        influence_kl=decided.influence_kl,
        metadata=_metadata(completion, choice, decided, model),
    )


def listed_models(data: bytes) -> list[str]:
    """The models that a server lists; none where its reply is no such list.

    >>> listed_models(b'{"data": [{"id": "qwen"}]}'), listed_models(b"[]")
    (['qwen'], [])
    """
    try:
        return [model.id for model in msgspec.json.decode(data, type=_Models).data]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def server_message(data: bytes) -> str:
    """What a server says of an error, on one line of bounded length.

    >>> server_message(b'{"error": {"message": "no such model"}}'), server_message(b"Bad Gateway")
    ('no such model', 'Bad Gateway')
    """
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return " ".join(data.decode("utf-8", "replace").split())[:_LONGEST_MESSAGE]
    if isinstance(decoded, dict):  # OpenAI and vLLM, FastAPI, llama.cpp
        decoded = next((decoded[key] for key in ("error", "detail", "message") if decoded.get(key)), decoded)
    return _said(decoded)


def failed(error: str) -> Answer:
    """No answer, and why."""
    return Answer("", error=error)


def _decided(safe: Any) -> _Decided:
    """What a SAFE server decided; nothing where another server means something else by the field."""
    try:
        return msgspec.convert(safe, _Decided)
    except msgspec.ValidationError:
        return _Decided()


def _said(error: Any) -> str:
    if isinstance(error, dict) and error.get("message"):
        error = error["message"]
    return " ".join(str(error).split())[:_LONGEST_MESSAGE]


def _confidence(tokens: _Tokens | None) -> float | None:
    """The probability of exactly these tokens; None where the server did not say those of all."""
    if tokens is None or not tokens.content:
        return None
    total = math.fsum(token.logprob for token in tokens.content)
    return None if math.isnan(total) else math.exp(min(total, 0.0))


def _metadata(
    completion: _Completion, choice: _Choice, decided: _Decided, model: str
) -> dict[str, Any] | None:
    """What a row keeps of a completion: why it ended, its tokens, and who answered if that was another."""
    found: dict[str, Any] = {}
    for name in ("choice_log_likelihoods", "choice_log_likelihoods_per_token"):
        if (likelihoods := getattr(decided, name)) is not None:
            found[name] = likelihoods
    if choice.finish_reason not in (None, "stop"):
        found["finish_reason"] = choice.finish_reason
    if choice.message.refusal:
        found["refused"] = True
    if completion.usage is not None:
        found["usage"] = msgspec.to_builtins(completion.usage)
    if completion.model not in (None, model):
        found["answered_by"] = completion.model
    return found or None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
