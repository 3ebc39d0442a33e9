"""Record, Example, Event: what every source yields and every shard stores.

A Record is one clip: a picture, a sound or both, the group that must not be split, and everything that is
asked about it. Paths are relative to the dataset's root, or URIs.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from safe_data.core.errors import Place, explain

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
LONGEST_ID = 95  # `{id}.json` then fills the 100 bytes that a plain tar header has for a name
UNKNOWN_FIELD_HINT = "put facts of your own under 'metadata'"

Task = Literal["vqa", "caption", "classify"]
Modality = Literal["audio", "vision", "both"]
Difficulty = Literal["easy", "medium", "hard", "harder", "hardest"]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


def check_id(value: str, field: str = "id") -> str:
    """Return the id, or another field that names files, if it can name a sample.

    Source: WebDataset groups the files of a sample by their name up to the first dot, so `Y1.0` and `Y1.5`
    become one sample without a warning.

    Raises:
        ValueError: it holds other characters than A-Z a-z 0-9 _ and -.
    """
    if not ID_PATTERN.fullmatch(value):
        raise ValueError(
            f"{field} {value!r} may hold only A-Z a-z 0-9 _ and -; WebDataset splits names at the first dot"
        )
    return value


class Event(_Row):
    """Something that happens in a clip; times are seconds from the start of the clip."""

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
    """One question, caption task or classification about a record."""

    id: str
    task: Task
    prompt: str
    references: tuple[str, ...]
    choices: tuple[str, ...] | None = None
    question_type: str | None = None
    needs_audio: bool | None = None

    _id = field_validator("id")(check_id)


class Audio(_Row):
    """A sound file, and which part of it is the clip (`duration_seconds` None: up to its end)."""

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

    _id = field_validator("id")(check_id)
    _dataset = field_validator("dataset")(partial(check_id, field="dataset"))
    _split = field_validator("split")(partial(check_id, field="split"))

    @model_validator(mode="after")
    def _has_media(self) -> "Record":
        if self.image is None and self.audio is None:
            raise ValueError("a record needs an image, an audio, or both")
        return self


class Rejected(_Row):
    """A row of a corpus that cannot become a Record; the manifest lists it with the reason.

    `path` is the medium that was looked for, relative to the root; None for a row that names none. `examples`
    is what is asked about a medium that is not there: an audit reads it, and no file of a build holds it.
    """

    id: str
    dataset: str
    split: str
    reason: str
    group: str = ""
    path: str | None = None
    examples: tuple[Example, ...] = Field(default=(), exclude=True)


Records = Iterator[Record | Rejected]


def explain_record(error: ValidationError) -> list[str]:
    """What is wrong with a row that should be a Record: one sentence per fault."""
    return [sentence for _, sentence in explain(error, _fields_at, UNKNOWN_FIELD_HINT)]


def _fields_at(place: Place) -> list[str]:
    kinds: dict[int | str, type[BaseModel]] = {"examples": Example, "events": Event}
    return list(kinds.get(place[0], Record).model_fields)
