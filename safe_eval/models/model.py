"""Model: anything that answers examples; what it is given (Input) and what it says (Answer)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from jaxtyping import Float32
from numpy import ndarray

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.records import Example


@dataclass(frozen=True)
class Input:
    """One example as a model gets it, a condition already applied to the picture and the sound."""

    example: "Example"
    image: "Image | None"
    audio: Float32[ndarray, " samples"] | None
    sample_rate_hz: int | None
    gate: float = 1.0  # what the audio pathway is multiplied by; 0.0 switches it off


@dataclass(frozen=True)
class Answer:
    """What a model said, with whatever it can tell about itself."""

    text: str
    confidence: float | None = None
    choice_probabilities: dict[str, float] | None = None
    consulted: bool | None = None  # whether it used the sound
    audio_tokens: int | None = None


class Model(Protocol):
    """Answers a batch of inputs, one answer an input, in their order."""

    name: str

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]: ...
