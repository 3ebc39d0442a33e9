"""An MP3 is read when frame follows frame; a length that is a frame off is put right."""

import struct

import numpy as np
import pytest
from broken_sounds import crc16_bit_by_bit, decoded, encoded, mp3_frames, replaced, same, tone

from safe_data.core.errors import MediaError
from safe_data.media.checks.mp3_header import header_of
from safe_data.media.decode import decode_pcm

MP3 = encoded("MP3", samples=tone(1.5))
WHOLE = decoded(MP3)
TAG, *FRAMES = mp3_frames(MP3)
COUNT_AT = MP3.index(b"Xing") + 8
BARE = b"".join(FRAMES)  # without a tag


def refusal(data: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        decode_pcm(data)
    return str(caught.value)


def counted(frames: int, tag: bytes = TAG) -> bytes:
    return replaced(tag, COUNT_AT, struct.pack(">I", frames))


def without_lame(tag: bytes = TAG) -> bytes:
    """The tag as other encoders write it: a number of frames, of bytes, and no checksum."""
    at = tag.index(b"LAME")
    return tag[:at] + bytes(len(tag) - at)


@pytest.mark.parametrize("more", [-2, -1, 1, 2, 1000])
def test_a_checksum_tells_the_true_number_of_frames(more: int) -> None:
    pcm = decoded(counted(len(FRAMES) + more) + BARE)
    assert same(pcm, WHOLE)
    assert pcm.suffix == "mp3"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_without_a_checksum_the_number_may_be_off_by_one(more: int) -> None:
    expected = decoded(counted(len(FRAMES), without_lame()) + BARE)
    assert same(decoded(counted(len(FRAMES) + more, without_lame()) + BARE), expected)
    assert len(expected.stored) > 24_000 + 576  # nothing says what the encoder added


def test_a_tag_of_lame_that_says_nothing_before_it_is_damaged() -> None:
    """Its frame would be taken for sound, and every sample would come later."""
    for tag in (replaced(TAG, COUNT_AT - 4, bytes(4)), replaced(TAG, COUNT_AT - 8, bytes(20))):
        assert (
            refusal(tag + BARE) == "damaged sound: its first frame has the tag of LAME without its beginning"
        )


def test_without_a_checksum_any_other_number_is_refused() -> None:
    more, fewer = len(FRAMES) + 2, len(FRAMES) - 2
    said = f"frames, {len(FRAMES)} are there"
    assert (
        refusal(counted(more, without_lame()) + BARE) == f"truncated sound: the header promises {more} {said}"
    )
    assert (
        refusal(counted(fewer, without_lame()) + BARE) == f"damaged sound: the header promises {fewer} {said}"
    )


def test_a_cut_off_file_is_truncated() -> None:
    for tag in (TAG, without_lame()):
        assert refusal(tag + BARE[:-1]).startswith("truncated sound: its last frame ends at byte ")
        said = f"truncated sound: the header promises {len(FRAMES)} frames, {len(FRAMES) - 1} are there"
        assert refusal(tag + b"".join(FRAMES[:-1])) == said
    assert refusal(BARE[:-1]).startswith("truncated sound: its last frame ends at byte ")
    assert len(decoded(b"".join(FRAMES[:-1])).stored) == 576 * (len(FRAMES) - 1)  # nothing tells


def test_a_frame_that_is_missing_is_seen_by_the_tag() -> None:
    for tag in (TAG, without_lame()):
        said = refusal(tag + b"".join(FRAMES[:9] + FRAMES[10:]))
        assert (
            said == f"truncated sound: the header promises {len(FRAMES)} frames, {len(FRAMES) - 1} are there"
        )
    swapped = TAG + b"".join([*FRAMES[:9], FRAMES[10], FRAMES[9], *FRAMES[11:]])
    assert refusal(swapped) == "damaged sound: the checksum over all of its frames is wrong"


@pytest.mark.parametrize(("at", "bit"), [(0, 1), (1, 8), (1, 2), (1, 1), (2, 4), (2, 2), (2, 16), (3, 192)])
@pytest.mark.parametrize("tag", [b"", without_lame()], ids=["bare", "tag"])
def test_a_damaged_frame_header_loses_no_frame(at: int, bit: int, tag: bytes) -> None:
    frame = replaced(FRAMES[9], at, bytes([FRAMES[9][at] ^ bit]))
    said = refusal(tag + b"".join([*FRAMES[:9], frame, *FRAMES[10:]]))
    assert said.startswith("damaged sound: ")
    assert said.endswith("are no frame")


def test_a_flipped_bit_in_the_samples_is_seen_by_the_checksum_of_lame() -> None:
    for share in (0.1, 0.5, 0.9):
        at = int(share * len(MP3))
        said = refusal(replaced(MP3, at, bytes([MP3[at] ^ 1])))
        assert said == "damaged sound: the checksum over all of its frames is wrong"
    at = MP3.index(b"LAME") + 22  # the delay
    said = refusal(replaced(MP3, at, bytes([MP3[at] ^ 1])))
    assert said == "damaged sound: the checksum of its first frame, which says its length, is wrong"


def test_a_frame_that_comes_twice_is_seen_by_the_tag_of_lame() -> None:
    """The number of frames may be one off, but not if the number of bytes is wrong too."""
    said = f"damaged sound: the header promises {len(FRAMES)} frames, {len(FRAMES) + 1} are there"
    assert refusal(TAG + b"".join(FRAMES[:9] + FRAMES[8:])) == said


def test_a_gain_that_was_changed_leaves_no_checksum_to_compare() -> None:
    """mp3gain changes a field of every frame, says so in a tag, and leaves LAME's checksum as it was."""
    louder = [frame[:9] + bytes([frame[9] ^ 1]) + frame[10:] for frame in FRAMES]
    changed = TAG + b"".join(louder)
    item = struct.pack("<II", 13, 0) + b"MP3GAIN_UNDO\0" + b"+002,+002,N,x"
    foot = b"APETAGEX" + struct.pack("<III", 2000, 32 + len(item), 1)
    assert refusal(changed) == "damaged sound: the checksum over all of its frames is wrong"
    pcm = decoded(changed + item + foot + bytes(12))
    assert pcm.suffix == "mp3"
    assert len(pcm.stored) == len(WHOLE.stored)


def test_what_has_no_tag_is_read_to_its_last_frame() -> None:
    pcm = decoded(BARE)
    assert pcm.suffix == "mp3"
    assert len(pcm.stored) == 576 * len(FRAMES)
    assert np.abs(pcm.samples[1105:25105] - tone(1.5)).max() < 0.2
    clip = decode_pcm(BARE, 1.0, 0.25)
    np.testing.assert_allclose(clip.samples, pcm.samples[16_000:20_000], atol=1e-6)


def test_frames_of_rising_length_are_counted_not_guessed() -> None:
    """The first frame is the shortest, so that libmpg123 takes the file for longer than it is, and back."""
    quiet = mp3_frames(encoded("MP3", samples=tone() * 0))[1:]
    for frames in (quiet[:20] + FRAMES, FRAMES + quiet[:20]):
        assert len({len(frame) for frame in frames}) > 1
        assert len(decoded(b"".join(frames)).stored) == 576 * len(frames)


def test_tags_around_it_are_passed_over() -> None:
    id3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    lyrics = b"LYRICSBEGIN" + b"000011LYRICS200"
    for tagged in (id3 + MP3, id3 + bytes(99) + MP3, MP3 + b"TAG" + bytes(125), MP3 + ape):
        assert same(decoded(tagged), WHOLE)
    assert same(decoded(MP3 + ape + lyrics + b"TAG" + bytes(125)), WHOLE)
    bare = decoded(BARE)
    for tagged in (BARE + b"TAG" + bytes(125) + ape, BARE + (b"TAG" + bytes(125)) * 2):
        assert same(decoded(tagged), bare)
    assert same(decoded(MP3 + b"junk"), WHOLE)  # the tag says that all frames are there
    assert refusal(BARE + b"junk") == f"damaged sound: 4 bytes at byte {len(BARE)} are no frame"


def protected(side: bytes) -> bytes:
    """A silent frame of 16 kHz with a checksum."""
    head = bytes([0xFF, 0xF2, 0x48, 0xC4])
    header = header_of(head)
    assert header is not None
    assert len(side) == header.side_bytes
    checksum = crc16_bit_by_bit(head[2:] + side, 0xFFFF)
    return (head + checksum.to_bytes(2) + side).ljust(header.frame_bytes, b"\0")


def test_the_checksum_of_a_frame_is_compared() -> None:
    frame = protected(bytes(9))
    assert len(decoded(frame * 20).stored) == 20 * 576
    damaged = replaced(frame, 8, b"\1")
    assert (
        refusal(frame * 9 + damaged + frame * 10)
        == "damaged sound: the checksums of 1 of 20 frames are wrong"
    )
    assert len(decoded(damaged * 20).stored) == 20 * 576  # an encoder that writes none


def test_a_free_bitrate_is_named() -> None:
    free = bytes([0xFF, 0xFB, 0x00, 0xC4]) + bytes(500)
    assert refusal(free * 9) == "unknown sound format: MP3 with a free bitrate; use a stated one"


@pytest.mark.parametrize(
    ("head", "frames", "size"),
    [
        ("fffb90c4", 1152, 417),  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz
        ("fffb92c4", 1152, 418),
        ("fff348c4", 576, 144),  # MPEG 2, 32 kbit/s, 16 kHz
        ("ffe348c4", 576, 288),  # MPEG 2.5, 32 kbit/s, 8 kHz
        ("fffd90c4", 1152, 522),  # layer II, 160 kbit/s
        ("ffff90c4", 384, 312),  # layer I, 288 kbit/s
    ],
)
def test_the_length_of_a_frame(head: str, frames: int, size: int) -> None:
    header = header_of(bytes.fromhex(head))
    assert header is not None
    assert (header.frames, header.frame_bytes) == (frames, size)


@pytest.mark.parametrize(
    "head", ["fffb9", "fef b90c4".replace(" ", ""), "fff990c4", "fffbf0c4", "fffb9cc4", "ffeb90c4"]
)
def test_what_is_no_frame_header(head: str) -> None:
    assert header_of(bytes.fromhex(head[: len(head) // 2 * 2])) is None
