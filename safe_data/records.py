"""Record, Example, Event: what every source yields and every shard stores.

A Record is one clip: a picture and/or a sound, the group it must not leave, and all that is asked
about it. Paths are relative to the dataset's root, or URIs.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]+")

Task = Literal["vqa", "caption", "classify"]
Modality = Literal["audio", "vision", "both"]
Difficulty = Literal["easy", "medium", "hard"]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


def check_id(value: str) -> str:
    """Return the id, or say why it cannot name a sample.

    Source: WebDataset groups the members of a sample by the name up to the first dot, so `Y1.0` and
    `Y1.5` become one sample without a warning.
    """
    if not ID_PATTERN.fullmatch(value):
        raise ValueError(
            f"id {value!r} may hold only A-Z a-z 0-9 _ and -; WebDataset splits names at the first dot"
        )
    return value


class Event(_Row):
    """Something that happens in a clip, in seconds from its start."""

    label: str
    start: Seconds
    end: Seconds
    modality: Modality = "audio"

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Event":
        if self.end < self.start:
            raise ValueError(f"event {self.label!r} ends at {self.end} s, before its start at {self.start} s")
        return self


class Example(_Row):
    """One question, caption task or classification asked of a record."""

    id: str
    task: Task
    prompt: str
    references: tuple[str, ...]
    choices: tuple[str, ...] | None = None
    question_type: str | None = None
    needs_audio: bool | None = None

    _id = field_validator("id")(check_id)


class Audio(_Row):
    """Where a sound is, and which part of it is the clip (None: to its end)."""

    path: str
    start_seconds: Seconds = 0.0
    duration_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Record(_Row):
    """One clip of a corpus."""

    id: str
    dataset: str
    split: str
    group: str
    label: str | None = None
    difficulty: Difficulty | None = None
    image: str | None = None
    audio: Audio | None = None
    events: tuple[Event, ...] = ()
    transcript: str | None = None
    examples: tuple[Example, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    _id = field_validator("id", "dataset", "split")(check_id)

    @model_validator(mode="after")
    def _has_media(self) -> "Record":
        if self.image is None and self.audio is None:
            raise ValueError("a record needs an image, an audio, or both")
        return self


class Rejected(_Row):
    """A row of a corpus that could not become a Record; it becomes a manifest row with its reason."""

    id: str
    dataset: str
    split: str
    reason: str
    group: str = ""


Records = Iterator[Record | Rejected]
