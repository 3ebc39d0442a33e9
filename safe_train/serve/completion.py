"""Completion: an answer as OpenAI's clients read it, whole or in chunks, and what the gate decided beside it.

Source: OpenAI's API reference, "The chat completion object" and "The chat completion chunk object". The field
`safe` is our own; a client that does not know it passes over it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from safe_eval.models.model import Answer

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Completion:
    """One reply: its id and time, the model's name, and the tokens of the prompt."""

    id: str
    created: int
    model: str
    prompt_tokens: int

    def whole(self, answer: Answer, pieces: Sequence[str] | None) -> bytes:
        """The reply in one piece; `pieces` are the texts of the answer's tokens, if they are told."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "logprobs": log_probabilities(answer, pieces),
            "finish_reason": finish_reason(answer),
        }
        reply = self._head("chat.completion", [choice])
        return msgspec.json.encode(reply | {"usage": self.usage(answer), "safe": decision(answer)})

    def piece(self, text: str, *, is_first: bool = False) -> bytes:
        """A chunk with the next part of the text."""
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return self._chunk([_delta(delta)])

    def last(self, answer: Answer, pieces: Sequence[str] | None) -> bytes:
        """The chunk that ends the answer, with the decision."""
        choice = _delta({}, finish_reason(answer)) | {"logprobs": log_probabilities(answer, pieces)}
        return self._chunk([choice], safe=decision(answer))

    def usage_chunk(self, answer: Answer) -> bytes:
        """The chunk with the tokens that were used."""
        return self._chunk([], usage=self.usage(answer))

    def usage(self, answer: Answer) -> dict[str, int]:
        """The tokens of the prompt, with those of its picture, and of the answer, with its end token."""
        said = 0 if answer.said is None else len(answer.said.tokens)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": said,
            "total_tokens": self.prompt_tokens + said,
        }

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return event(msgspec.json.encode(self._head("chat.completion.chunk", choices) | more))

    def _head(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def event(data: bytes) -> bytes:
    """One event of a stream."""
    return b"data: " + data + b"\n\n"


def decision(answer: Answer) -> dict[str, Any]:
    """What was decided about the sound, and how sure the answer is.

    >>> decision(Answer("red", 0.5, consulted=True, audio_tokens=4, gate_score=0.75))["audio_tokens"]
    4
    """
    known = {
        "consulted": answer.consulted,
        "audio_tokens": answer.audio_tokens,
        "gate_score": answer.gate_score,
        "gate_ms": answer.gate_ms,
        "influence_kl": answer.influence_kl,
        "confidence": answer.confidence,
    }
    extra = answer.metadata or {}
    given = (
        {} if answer.choice_probabilities is None else {"choice_probabilities": answer.choice_probabilities}
    )
    return known | given | {name: value for name, value in extra.items() if name.startswith("choice_")}


def finish_reason(answer: Answer) -> str:
    """Whether an answer ended by itself, or after as many tokens as it may have."""
    return "stop" if answer.said is None or answer.said.is_finished else "length"


def log_probabilities(answer: Answer, pieces: Sequence[str] | None) -> dict[str, Any] | None:
    """The log-probability of each token of the text, without its end."""
    if pieces is None or answer.said is None:
        return None
    chances = answer.said.log_probabilities[: len(pieces)]
    tokens = [
        {"token": piece, "logprob": chance, "bytes": [*piece.encode()], "top_logprobs": []}
        for piece, chance in zip(pieces, chances, strict=True)
    ]
    return {"content": tokens, "refusal": None}


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
