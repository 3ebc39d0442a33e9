"""Model: anything that answers examples. What it is given (Input), and what it says (Answer)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jaxtyping import Float32
from numpy import ndarray

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.records import Example


class Model(Protocol):
    """Answers a batch of inputs: one answer per input, in the same order."""

    name: str

    def answer(self, inputs: Sequence["Input"]) -> Sequence["Answer"]: ...


@dataclass(frozen=True)
class Input:
    """One example as a model gets it, with a condition already applied to its picture and its sound."""

    example: "Example"
    image: "Image | None"
    audio: Float32[ndarray, " samples"] | None
    sample_rate_hz: int | None
    gate: float = 1.0  # multiplies the output of the audio pathway; 0.0 switches it off


@dataclass(frozen=True)
class Answer:
    """What a model said, and what it can tell about how it got there."""

    text: str
    confidence: float | None = None  # probability of being right, in [0, 1]
    choice_probabilities: dict[str, float] | None = None
    consulted: bool | None = None  # whether it used the sound
    audio_tokens: int | None = None
    gate_score: float | None = None  # how far its gate was open, in [0, 1]
    metadata: dict[str, Any] | None = None  # anything else that the row shall keep
