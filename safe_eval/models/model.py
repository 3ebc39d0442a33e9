"""Model: anything that answers examples. What it is given (Input), and what it says (Answer).

A model may also have

- `facts`: what its answers depend on beside the question, such as the hash of its weights, its system prompt
  and the settings of its generation, in plain data. A run writes them down, and goes on only with the same.
- `hears` and `sees`: False for one that is sent no sound, or no picture.
- `asked(example)`: the text that it asks an example with.
- `prepare(dataset, conditions)`: called before a dataset is asked, to find out early what is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.media.sound import Sound
    from safe_data.records import Example

ReadSound = Callable[[], "Sound"]
ReadPicture = Callable[[], "Image"]
Follow = Callable[
    [Sequence[int]], None
]  # told of the tokens of an answer so far, each time there is one more


class Model(Protocol):
    """Answers a batch of inputs: one answer per input, in the same order."""

    name: str

    def answer(self, inputs: Sequence["Input"]) -> Sequence["Answer"]: ...


def facts_of(model: Model) -> dict[str, Any]:
    """What a model says that its answers depend on; empty if it says nothing."""
    return dict(getattr(model, "facts", {}))


class Requested(NamedTuple):
    """Which row is asked for: a model that has seen the answers may look them up."""

    dataset: str
    condition: str
    seed: int


@dataclass(frozen=True)
class Input:
    """One example as a model gets it, with a condition already applied to its picture and its sound.

    Media are read when they are first asked for; `sound_of` and `picture_of` say whose they are, where they
    are stored and were not changed: the index of a record in the dataset. `answer_tokens` and `follow` are
    for models that know tokens; no run sets them.
    """

    example: "Example"
    picture: ReadPicture | None = None
    sound: ReadSound | None = None
    gate: float = 1.0  # multiplies the output of the audio pathway; 0.0 switches it off
    sound_is: str | None = None  # own, silence, noise, of:RECORD or own:CHANGE; None: no sound
    sound_of: int | None = None
    picture_sha256: str | None = None  # as sent
    request: Requested | None = None
    answer_tokens: int | None = None  # the most that its answer may have, where that is less than usual
    follow: Follow | None = None

    @cached_property
    def image(self) -> "Image | None":
        """The picture as sent."""
        return None if self.picture is None else self.picture()

    @cached_property
    def _read_sound(self) -> "Sound | None":
        return None if self.sound is None else self.sound()

    @property
    def audio(self) -> Float32[ndarray, " samples"] | None:
        """The samples of the sound as sent: one channel."""
        return None if self._read_sound is None else self._read_sound.samples

    @property
    def sample_rate_hz(self) -> int | None:
        """The sample rate of `audio`."""
        return None if self._read_sound is None else self._read_sound.sample_rate_hz


class Said(NamedTuple):
    """The tokens of an answer, and the logarithm of the probability of each; the end token is one of them."""

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    is_finished: bool  # it ended by itself, and was not cut off


class ModelGoneError(InputError):
    """A model can be asked nothing more: the run stops, and goes on from there when it is started again."""


@dataclass(frozen=True)
class Answer:
    """What a model said, and what it can tell about how it got there.

    With `error` there is no answer to this input, and `text` does not count: a model that asks for many
    answers at once loses one of them without losing the others.
    """

    text: str
    confidence: float | None = None  # probability of being right, in [0, 1]
    choice_probabilities: dict[str, float] | None = None
    consulted: bool | None = None  # whether it used the sound
    audio_tokens: int | None = None
    gate_score: float | None = None  # how far its gate was open, in [0, 1]
    gate_ms: float | None = None  # how long its gate took to decide
    influence_kl: float | None = None  # KL(gate off ‖ as answered) of the first answer token, in nats
    latency_ms: float | None = None  # as the model measured it; None: whoever asked may have
    metadata: dict[str, Any] | None = None  # anything else that the row shall keep
    error: str | None = None  # why there is no answer
    said: Said | None = field(default=None, compare=False, repr=False)  # for who asked; no row keeps it


def misfit(given: Input, *, hears: bool, sees: bool) -> str | None:
    """Why a model without a gate cannot be asked an input, of which nothing is left out in silence."""
    if given.sound is not None and not hears:
        return "this model is sent no sound, and this input has one"
    if given.picture is not None and not sees:
        return "this model is sent no picture, and this input has one"
    if given.sound is not None and given.gate != 1.0:
        return "this model has no gate to close"
    return None
