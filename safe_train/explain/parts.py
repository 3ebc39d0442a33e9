"""Parts: what each part of a sound is worth to an answer, by Shapley values.

Where the encoders are at hand, the parts are equal lengths of time: a coalition is the sound with all others
silenced, embedded anew. Else they are audio tokens, and a coalition is what the model may attend to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float64
from numpy import ndarray
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_train.explain.attribution import MOST_EXACT, shapley
from safe_train.explain.embedded import Embedded, Embedder
from safe_train.predict.sounds import Sounds

SEGMENTS, TOKENS = "segments", "audio tokens"
_EVENT = 0.1  # of a segment that an event must fill, from which it is in it
_ROWS = 64  # sounds that are embedded at once


@dataclass(frozen=True)
class Parting:
    """How sounds are divided, and why not by time if they are not."""

    unit: str
    count: int
    why_not: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether every coalition is tried."""
        return self.count <= MOST_EXACT


def parting(sounds: Sounds, *, segments: int, tokens: int) -> Parting:
    """By time where the encoders can be loaded, else by audio tokens."""
    try:
        sounds.load()
    except InputError as error:
        return Parting(TOKENS, tokens, f"sounds could not be embedded anew: {error}")
    return Parting(SEGMENTS, segments)


def worth_of_parts(
    embedder: Embedder,
    one: Embedded,
    parts: Parting,
    sound: Sound | None,
    sounds: Sounds,
    *,
    orders: int,
    seed: int,
) -> Float64[ndarray, " parts"]:
    """The Shapley value of each part, in nats of the answer; `sound` is needed for segments."""

    def by_time(coalitions: Bool[Tensor, "coalitions parts"]) -> Tensor:
        if sound is None:
            raise ValueError("segments of no sound")
        made = [silenced(sound, row) for row in coalitions.tolist()]
        worths = []
        for start in range(0, len(made), _ROWS):
            embedded = sounds.embed(made[start : start + _ROWS])
            heard = tuple(torch.from_numpy(e.astype(np.float32)).to(one.own.device) for e in embedded)
            worths.append(_worth(embedder, one, heard))
        return torch.cat(worths)

    def by_token(coalitions: Bool[Tensor, "coalitions parts"]) -> Tensor:
        masks = torch.zeros(len(coalitions), embedder.model.pathway.config.most_tokens, dtype=torch.long)
        masks[:, : parts.count] = coalitions.long()
        rows = tuple(s.expand(len(coalitions), *s.shape[1:]) for s in one.sounds)
        return _worth(embedder, one, rows, masks)

    game = by_time if parts.unit == SEGMENTS else by_token
    return shapley(game, parts.count, orders=orders, seed=seed)


def _worth(
    embedder: Embedder, one: Embedded, heard: tuple[Tensor, ...], masks: Tensor | None = None
) -> Tensor:
    """The log-probability of the answer beside each of these sounds, one row each."""
    count = len(heard[0])
    with torch.no_grad():
        found = embedder.likelihood(one, one.own.expand(count, -1, -1), heard, tokens=masks)
    return found.double().cpu()


def silenced(sound: Sound, kept: Sequence[bool]) -> Sound:
    """A sound of which only these parts, of equal length, are left; the others are digital silence.

    >>> silenced(Sound(np.ones(4, np.float32), 8000, 8000, 1), [True, False]).samples.tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    samples = sound.samples.copy()
    ends = np.linspace(0, len(samples), len(kept) + 1).round().astype(int)
    for number, keeps in enumerate(kept):
        if not keeps:
            samples[ends[number] : ends[number + 1]] = 0
    return replace(sound, samples=samples)


def has_event(record: Record, count: int, seconds: float) -> Bool[ndarray, " parts"] | None:
    """In which parts an annotated event of the sound is; None where the record has none with times."""
    times = [(event.start, event.end) for event in record.events if event.modality != "vision"]
    if not times or not seconds > 0:
        return None
    ends = np.linspace(0, seconds, count + 1)
    shared = [
        sum(max(0.0, min(end, high) - max(start, low)) for start, end in times)
        for low, high in pairwise(ends)
    ]
    return np.asarray(shared) >= _EVENT * seconds / count
