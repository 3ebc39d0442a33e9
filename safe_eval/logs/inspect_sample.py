"""Inspect sample: what a prediction needs of one sample of inspect_ai, and how its parts are read.

Texts that are long or stand several times are kept as `attachment://HASH`. A reply is a text, or a list of
parts of which those of type text are the reply: reasoning, pictures and calls of tools are not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from safe_eval.logs.literals import number_of, text_of
from safe_eval.logs.log import at_path

_ATTACHMENT = "attachment://"


class Score(msgspec.Struct, frozen=True):
    """What a scorer found; an edited score keeps its history, and holds the last value."""

    value: Any = None
    answer: Any = None


class Sample(msgspec.Struct, frozen=True):
    """The fields of a sample that are read; all others are passed over without decoding them."""

    id: int | str
    epoch: int = 1
    input: Any = None
    choices: list[str] | None = None
    target: Any = None
    output: Any = None
    scores: dict[str, Score | None] | None = None
    metadata: Any = None
    attachments: dict[str, Any] | None = None
    error: Any = None
    limit: Any = None
    invalidation: Any = None
    uuid: str | None = None

    def fact(self, path: str | None) -> Any:
        """The value at a key of the sample, or of its metadata."""
        if path is None:
            return None
        if path.startswith("metadata."):
            return at_path(self.metadata, path.removeprefix("metadata."))
        found = at_path(self.metadata, path)
        return getattr(self, path, None) if found is None and path in self.__struct_fields__ else found

    def failure(self, answer: str | None) -> str | None:
        """Why there is no answer: an error, a limit, or nothing that says why. None where there is one."""
        if self.error:
            return text_of(at_path(self.error, "message")) or str(self.error)[:300]
        if answer is not None:
            return None
        limit = at_path(self.limit, "type")
        return f"inspect_ai: stopped by its limit of {limit}" if limit else "inspect_ai: no output"


def resolved(text: str | None, sample: Sample) -> str | None:
    """A text in place of the attachment that stands for it."""
    if text is None or not text.startswith(_ATTACHMENT):
        return text
    found = (sample.attachments or {}).get(text.removeprefix(_ATTACHMENT))
    return text if found is None else str(found)


def text_of_input(given: Any) -> str | None:
    """What the model was asked: a text, or the texts of the user's messages."""
    if not isinstance(given, list):
        return text_of(given)
    asked = [one for one in given if isinstance(one, dict) and one.get("role") == "user"]
    return "\n".join(_text_of_content(one.get("content")) or "" for one in asked)


def reply_of(sample: Sample) -> str | None:
    """The reply, or None where there is none."""
    content = at_path(sample.output, "choices.0.message.content")
    text = _text_of_content(content, sample)
    if text is None:
        text = text_of(at_path(sample.output, "completion")) or None
    return resolved(text, sample)


def _text_of_content(content: Any, sample: Sample | None = None) -> str | None:
    if not isinstance(content, list):
        return text_of(content)
    texts = [text_of(part.get("text")) for part in content if _is_text(part)]
    whole = [resolved(text, sample) if sample else text for text in texts if text is not None]
    return "\n".join(text for text in whole if text is not None) if whole else None


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type", "text") == "text"


def sample_scores(sample: Sample, wanted: Sequence[str]) -> tuple[dict[str, float], dict[str, str], int]:
    """Scores by their names, the answers that scorers read, and how many values are no numbers.

    A value with several parts gives one score for each: `scorer/key`.
    """
    scores: dict[str, float] = {}
    answers: dict[str, str] = {}
    unscored = 0
    for name, score in (sample.scores or {}).items():
        if score is None:
            unscored += 1
            continue
        parts = _parts(name, score.value)
        kept = {key: value for key, value in parts.items() if not wanted or name in wanted or key in wanted}
        if not kept:
            continue
        for key, value in kept.items():
            if (number := number_of(value)) is None:
                unscored += 1
            else:
                scores[key] = number
        answer = resolved(text_of(score.answer), sample)
        if answer is not None:
            answers[name] = answer
    return scores, answers, unscored


def _parts(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {f"{name}/{key}": part for key, part in value.items()}
    if isinstance(value, list):
        return {f"{name}/{at}": part for at, part in enumerate(value)}
    return {name: value}
