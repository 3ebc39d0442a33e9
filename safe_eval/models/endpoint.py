"""Endpoint: a model behind a server that answers chat completions, such as OpenAI's, vLLM's or llama.cpp's.

Its requests are independent of each other: one that fails costs one answer.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from safe_data.core.errors import InputError, did_you_mean, require_extra
from safe_data.core.options_file import installed_versions
from safe_data.records import Example
from safe_eval.models.chat import failed, listed_models, messages, read_completion, server_message
from safe_eval.models.model import Answer, Input, ModelGoneError, misfit
from safe_eval.models.server import OWN_KEY, Reply, Server
from safe_eval.run_options import ModelOptions

PACKAGES = ("safe-hearing", "urllib3", "numpy", "pillow")
_OK, _NOT_FOUND = 200, 404
_WRONG = frozenset((400, 422))  # with the name of the model in what the server says
_REFUSED = frozenset((401, 403))
_SHOWN = 8  # models that a message names
_KNOWN = ("hears", "logprobs", "max_tokens_as", "safe", "seed", "sees", "temperature")


def load_endpoint(place: str, options: ModelOptions) -> Sequence["Endpoint"]:
    """The model of `URL#MODEL`, such as `http://localhost:8000/v1#Qwen/Qwen2.5-Omni-7B`.

    The key comes from the environment: SAFE_EVAL_API_KEY, or else OPENAI_API_KEY, which is sent over https or
    to this machine alone. Settings by `--arg`: docs/models.md.

    Raises:
        InputError: the place is no URL and model, or holds a secret; a setting is unknown; urllib3 is not
            installed; nothing answers there, the key is refused, or there is no such model.
    """
    require_extra("a model behind openai:URL#MODEL", "endpoint", "urllib3")
    url, model = _parse(place)
    settings = _settings(options)
    endpoint = Endpoint(options.name or model, Server(url, options), model, options, settings)
    endpoint.check()
    return [endpoint]


@dataclass(frozen=True)
class Settings:
    """What `--arg` sets: fields of the request, of which a server may refuse some, and what may be sent."""

    temperature: float | None = 0.0
    seed: int | None = 0
    logprobs: bool = False
    max_tokens_as: str = "max_tokens"  # newer models of OpenAI want max_completion_tokens
    hears: bool = True
    sees: bool = True
    safe: bool = False  # tell a SAFE server the task and the choices; others refuse the field


class Endpoint:
    """Asks a server for one answer per input, several at a time."""

    def __init__(
        self, name: str, server: Server, model: str, options: ModelOptions, settings: Settings
    ) -> None:
        self.name = name
        self.hears, self.sees = settings.hears, settings.sees
        self._server, self._model, self._options, self._settings = server, model, options, settings

    @property
    def facts(self) -> dict[str, Any]:
        """What the answers depend on, as far as it can be known from here; never the key."""
        return {
            "kind": "openai",
            "url": self._server.url,
            "model": self._model,
            "system": self._options.system,
            "template": self._options.template,
            "request": self._request(),
            **({"extension": "safe"} if self._settings.safe else {}),
            "picture": "PNG, exact pixels",
            "sound": "WAV, 16 bits, one channel, its own rate",
            "versions": installed_versions(PACKAGES),
        }

    def check(self) -> None:
        """Ask the server for its models, which costs nothing, and for one token if this one is not listed.

        Some servers load models that they do not list, and others cannot list any.

        Raises:
            InputError: nothing listens there, the key is refused, or there is no such model.
        """
        reply = self._server.ask("GET", "/models", attempts=1)
        self._check_reply(reply)
        listed = listed_models(reply.data) if reply.status == _OK else []
        if self._model in listed:
            return
        asked = [{"role": "user", "content": "Hello"}]
        one_token = {**self._request(), self._settings.max_tokens_as: 1, "messages": asked}
        reply = self._server.ask("POST", "/chat/completions", msgspec.json.encode(one_token), attempts=1)
        self._check_reply(reply)
        said = self._said(reply.data)
        if reply.status == _NOT_FOUND or (reply.status in _WRONG and self._model in said):
            names = f"it lists {', '.join(listed[:_SHOWN])}" if listed else "correct the model or the address"
            hint = did_you_mean(self._model, listed, names)
            why = f"HTTP {reply.status}, {said}"
            raise InputError(f"{self._server.url}: has no model {self._model!r} ({why}); {hint}")

    def _check_reply(self, reply: Reply) -> None:
        if reply.is_absent:
            raise InputError(f"{self._server.url}: {reply.error}; start the server, or correct the address")
        if reply.status in _REFUSED:
            given = "the key is not accepted" if self._server.has_key else f"no key was sent; set {OWN_KEY}"
            raise InputError(f"{self._server.url}: HTTP {reply.status}, {self._said(reply.data)}; {given}")

    def asked(self, example: Example) -> str:
        """The text that an example is asked with."""
        return self._options.asked(example.prompt)

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        """Answer each input; a request that fails is an answer with an error.

        Raises:
            ModelGoneError: nothing listens there any more.
        """
        if not inputs:
            return []
        pool = ThreadPoolExecutor(min(len(inputs), self._options.concurrency), "endpoint")
        try:
            return list(pool.map(self._answer, inputs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C, nothing more is asked

    def _answer(self, given: Input) -> Answer:
        """One answer.

        Raises:
            ModelGoneError: nothing listens there any more.
        """
        if (fault := misfit(given, hears=self.hears, sees=self.sees)) is not None:
            return failed(fault)
        asked = messages(given, self.asked(given.example), self._options.system)
        body = msgspec.json.encode({**self._request(), **self._extension(given.example), "messages": asked})
        start = time.perf_counter()
        reply = self._server.ask("POST", "/chat/completions", body)
        latency_ms = 1000 * (time.perf_counter() - start)
        if reply.is_absent:  # nor will it answer the next
            raise ModelGoneError(f"{self._server.url}: {reply.error} any more{reply.tries}")
        if reply.error is not None:
            return failed(f"{reply.error}{reply.tries}")
        if reply.status != _OK:
            return failed(f"HTTP {reply.status}: {self._said(reply.data)}{reply.tries}")
        answer = read_completion(reply.data, self._model)
        if answer.error is not None:
            return replace(answer, error=self._server.without_key(answer.error) + reply.tries)
        # The time of an answer that came at the second try is not the model's.
        return replace(answer, latency_ms=latency_ms if reply.attempts == 1 else None)

    def _said(self, data: bytes) -> str:
        return self._server.without_key(server_message(data) or "nothing more")

    def _extension(self, example: Example) -> dict[str, Any]:
        """What a SAFE server is told beside the text: with it, it asks and scores as `safe-train predict`."""
        if not self._settings.safe:
            return {}
        choices = {} if example.choices is None else {"choices": example.choices}
        return {"safe": {"task": example.task, **choices}}

    def _request(self) -> dict[str, Any]:
        """The request without its messages."""
        wanted = self._settings
        fields = {
            "model": self._model,
            "temperature": wanted.temperature,
            "seed": wanted.seed,
            wanted.max_tokens_as: self._options.max_tokens,
            "logprobs": wanted.logprobs or None,  # some servers refuse a field that is false
        }
        return {name: value for name, value in fields.items() if value is not None}


def _parse(place: str) -> tuple[str, str]:
    """The URL and the model; the place itself is not shown where it may hold a secret."""
    url, _, model = place.partition("#")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.username is not None or parts.password is not None or parts.query:
        raise InputError(
            f"openai: the URL holds a user, a password or a query, and would be written down; set {OWN_KEY} "
            "in the environment instead"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"openai:{place}: is no URL; write openai:http://localhost:8000/v1#MODEL")
    if not model:
        raise InputError(f"openai:{place}: names no model; write openai:{url}#MODEL")
    return url.rstrip("/").removesuffix("/chat/completions"), model


def _settings(options: ModelOptions) -> Settings:
    """The settings of `--arg`, where `none` leaves a field out of the request."""
    options.check_args("openai:URL#MODEL", _KNOWN)
    named = {key: None if value == "none" else value for key, value in options.args.items()}
    try:
        return msgspec.convert(named, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"arg: {error}; write a number, true, false, or none") from None
