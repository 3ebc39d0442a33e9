"""SoundStream: the samples of a clip in blocks, so that decoding a long clip takes little memory.

What is to be checked in the decoded samples is a `BlockCheck`; each format adds its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, Int16
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.sound import MAX_PEAK, Pcm, peak_of

BLOCK_SAMPLES = 2**19  # over all channels; with fewer, threads wait for one another between short calls

Block = Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"]


class BlockCheck(Protocol):
    """A check of decoded samples on their way; both methods raise MediaError."""

    def add(self, block: Block) -> None:
        """Check the next samples."""

    def finish(self) -> None:
        """Check what only the end can tell, such as a hash of all samples."""


@dataclass(frozen=True)
class SoundStream:
    """A clip that is being decoded: its format, and its samples block by block.

    `expected_frames` is what the header promises, 0 if it promises nothing; `suffix` and `bits` are those of
    `Pcm`.
    """

    decoded: Iterator[Block]
    sample_rate_hz: int
    channels: int
    expected_frames: int
    suffix: str | None
    bits: int | None
    checks: tuple[BlockCheck, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """Decode the clip, once. A block is only valid until the next one: its memory is used again.

        Raises:
            MediaError: the sound is truncated, damaged or empty, or not finite.
        """
        for block in self.decoded:
            check_samples(block)
            for check in self.checks:
                check.add(block)
            yield block
        for check in self.checks:
            check.finish()

    def read(self) -> Pcm:
        """Decode the whole clip into one array.

        Raises:
            MediaError: see `blocks`.
        """
        joined = Joined(self.expected_frames)
        for block in self.blocks():
            joined.add(block)
        return Pcm(joined.array(), self.sample_rate_hz, self.suffix, self.bits)


class Joined:
    """Blocks joined to one array, which is allocated at once where its length is known."""

    def __init__(self, expected: int) -> None:
        self._expected, self._length = expected, 0
        self._array: ndarray | None = None

    def add(self, block: ndarray) -> None:
        """Append a copy of a block."""
        end = self._length + len(block)
        if self._array is None:
            self._array = np.empty((max(self._expected, end), *block.shape[1:]), block.dtype)
        elif end > len(self._array):  # the header promised too little, or nothing
            self._array.resize((end + end // 4, *block.shape[1:]), refcheck=False)
        self._array[self._length : end] = block
        self._length = end

    def array(self) -> Any:
        """All that was added.

        Raises:
            MediaError: that is nothing.
        """
        if self._array is None:
            raise MediaError("empty sound: no samples")
        return self._array[: self._length]


def block_frames(channels: int) -> int:
    """The number of frames of a block."""
    return max(1, BLOCK_SAMPLES // channels)


def in_blocks(samples: Block) -> Iterator[Block]:
    """Split samples that are in memory into blocks."""
    frames = block_frames(samples.shape[1])
    for first in range(0, len(samples), frames):
        yield samples[first : first + frames]


def check_samples(block: Block) -> None:
    """Refuse absurd samples.

    Raises:
        MediaError: a sample is NaN, or above 1000 times full scale.
    """
    if block.dtype != np.int16 and not (peak := peak_of(block)) <= MAX_PEAK:  # true for NaN as well
        raise MediaError(f"absurd samples: up to {peak:g} where 1 is full scale")
