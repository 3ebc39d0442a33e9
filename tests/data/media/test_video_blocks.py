"""The frames of a video's sound are joined to blocks as they would be joined in one array."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safe_data.core.errors import MediaError
from safe_data.media import sound_stream
from safe_data.media.video_sound import BACK_SECONDS, Track, WantedClip, in_blocks
from safe_data.media.video_streams import Clock

RATE, STEP = 1_000, 20
BACK = round(BACK_SECONDS * RATE)

Piece = tuple[int, np.ndarray]


def pieces_of(gaps: list[tuple[int, int]], start: int) -> list[Piece]:
    """Frames of so many samples, each after a gap; a negative gap goes back."""
    place, number, pieces = start, 1, []
    for gap, length in gaps:
        place += gap
        pieces.append((place, np.arange(number, number + length, dtype=np.float32)[:, None]))
        place, number = place + length, number + length
    return [*pieces, (place, np.zeros((0, 1), np.float32))]


def joined(pieces: list[Piece], first: int, end: int) -> np.ndarray:
    """One array: what comes later replaces what came before."""
    samples = np.zeros((end - first, 1), np.float32)
    for place, piece in pieces:
        here, until = max(place, first), min(place + len(piece), end)
        if here < until:
            samples[here - first : until - first] = piece[here - place : until - place]
    return samples


def blocks(pieces: list[Piece], clip: WantedClip) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_stream, "BLOCK_SAMPLES", 64)
        return np.concatenate([block.copy() for block in in_blocks(iter(pieces), clip)])


def clip_of(first: int, end: int | None, whole: int | None) -> WantedClip:
    track = Track(Clock(Fraction(1, RATE), Fraction(0)), RATE, 1, 0, STEP)
    return WantedClip(track, first / RATE, first, end, whole)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(
        st.tuples(st.sampled_from([0, 0, 0, 70, 900, -60, -BACK // 2]), st.integers(1, 90)), min_size=1
    ),
    start=st.integers(-50, 300),
    first=st.integers(0, 200),
    length=st.none() | st.integers(1, 600),
    padding=st.integers(0, 2 * STEP),
)
def test_blocks_are_what_one_array_would_be(
    gaps: list[tuple[int, int]], start: int, first: int, length: int | None, padding: int
) -> None:
    pieces = pieces_of(gaps, start)
    ends = [place + len(piece) for place, piece in pieces]
    furthest = [start, *(max(ends[:number]) for number in range(1, len(ends)))]
    assume(all(place >= end - BACK for (place, _), end in zip(pieces, furthest, strict=True)))
    assume(all(place >= start for place, _ in pieces))
    there = pieces[-1][0]
    whole = there - padding
    end = None if length is None else first + length
    stop = whole if end is None else min(end, whole)
    clip = clip_of(first, end, whole)
    if whole <= first:
        with pytest.raises(MediaError, match=r"^empty clip"):
            blocks(pieces, clip)
        return
    np.testing.assert_array_equal(blocks(pieces, clip), joined(pieces, first, stop))


def test_a_time_that_jumps_far_back_is_damage() -> None:
    pieces = pieces_of([(0, 2_000), (-BACK - 3 * STEP - 64, 500)], 0)
    with pytest.raises(MediaError, match=r"^damaged sound: its time jumps back to 1.\d+ s$"):
        blocks(pieces, clip_of(0, None, None))
