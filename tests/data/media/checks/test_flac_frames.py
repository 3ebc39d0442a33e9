"""A FLAC is read when its header fits its frames, none is missing, and its samples have its MD5."""

import numpy as np
import pytest
from broken_sounds import decoded, encoded, flac_frames, replaced, same, tone

from safe_data.core.errors import MediaError
from safe_data.media.checks import flac_frames as flac_frames_module
from safe_data.media.checks.flac_frames import frame_header
from safe_data.media.decode import decode_audio, decode_pcm

FLAC = encoded("FLAC", samples=tone(1.5, channels=2))
HEAD, *FRAMES = flac_frames(FLAC)
NO_MD5 = replaced(FLAC, 26, bytes(16))
FROM_A_PIPE = replaced(NO_MD5, 21, bytes([FLAC[21] & 0xF0]) + bytes(4))


def refusal(data: bytes, *clip: float) -> str:
    with pytest.raises(MediaError) as caught:
        decode_pcm(data, *clip)
    return str(caught.value)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_md5_of_every_depth_is_right(subtype: str, channels: int) -> None:
    data = encoded("FLAC", subtype, tone(0.3, channels=channels))
    assert decoded(data).suffix == "flac"
    wrong = replaced(data, 41, bytes([data[41] ^ 1]))
    assert refusal(wrong) == "damaged sound: the MD5 of its samples is not the one in its header"
    assert len(decode_audio(wrong).samples) == 4800  # its frames are whole; a build compares the MD5
    assert len(decode_pcm(wrong, 0, 0.1).stored) == 1600


@pytest.mark.parametrize(
    ("offset", "new", "reason"),
    [
        (8, b"\xff" * 4, "the header says blocks of 65535, the first frame has 4096"),
        (18, b"\x04", "the header says 17024 as its rate, the first frame says 16000"),
        (20, b"\xf4", "the header says 3 as its number of channels, the first frame says 2"),
        (21, b"\x70", "the header says 8 as its depth, the first frame says 16"),
        (4, b"\x03", "its first block is not STREAMINFO"),
    ],
)
def test_a_header_that_does_not_fit_the_first_frame_is_damaged(offset: int, new: bytes, reason: str) -> None:
    for data in (FLAC, NO_MD5):
        assert refusal(replaced(data, offset, new)).startswith("damaged sound: ")
        if offset == 8:
            assert refusal(replaced(data, offset, new)) == f"damaged sound: {reason}"


def test_a_wrong_number_of_samples_is_seen() -> None:
    for frames, data in ((24_000 + 4096, FLAC), (24_000 - 1, NO_MD5)):
        changed = replaced(data, 22, frames.to_bytes(4))
        assert refusal(changed) == (f"truncated sound: the header promises {frames} frames, 24000 are there")


@pytest.mark.parametrize("head", [HEAD, NO_MD5[: len(HEAD)], FROM_A_PIPE[: len(HEAD)]])
@pytest.mark.parametrize("clip", [(), (0.3, 0.1)])
def test_a_frame_that_is_missing_or_comes_twice_is_damage(head: bytes, clip: tuple[float, ...]) -> None:
    at = len(HEAD) + len(FRAMES[0]) + len(FRAMES[1])
    lost = b"".join([head, *FRAMES[:2], *FRAMES[3:]])
    assert refusal(lost, *clip) == f"damaged sound: frame 3 begins at byte {at} instead of frame 2"
    twice = b"".join([head, *FRAMES[:2], *FRAMES[1:]])
    assert refusal(twice, *clip) == f"damaged sound: frame 1 begins at byte {at} instead of frame 2"
    swapped = b"".join([head, FRAMES[0], FRAMES[2], FRAMES[1], *FRAMES[3:]])
    assert refusal(swapped, *clip).startswith("damaged sound: frame 2 begins at byte ")


def test_a_frame_of_another_sound_is_seen_by_the_md5() -> None:
    _, *others = flac_frames(encoded("FLAC", samples=tone(1.5, channels=2)[::-1]))
    data = b"".join([HEAD, *FRAMES[:2], others[2], *FRAMES[3:]])
    assert refusal(data) == "damaged sound: the MD5 of its samples is not the one in its header"


def test_a_cut_off_file_is_truncated() -> None:
    whole_frames = len(HEAD) + len(FRAMES[0]) + len(FRAMES[1])
    for data in (FLAC, NO_MD5):
        said = refusal(data[:whole_frames])
        assert said == "truncated sound: the header promises 24000 frames, 8192 are there"
    assert refusal(FROM_A_PIPE[:-1]) == "truncated sound: its last frame is not whole"
    assert len(decoded(FROM_A_PIPE[:whole_frames]).stored) == 8192  # nothing tells


def test_what_a_pipe_wrote_is_read_and_stored_anew() -> None:
    for data in (FROM_A_PIPE, replaced(FROM_A_PIPE, 26, FLAC[26:42])):
        pcm = decoded(data)
        assert same(pcm, decoded(FLAC))
        assert pcm.suffix is None
        assert pcm.bits == 16
    np.testing.assert_array_equal(
        decode_pcm(FROM_A_PIPE, 0.5, 0.5).samples, decode_pcm(FLAC, 0.5, 0.5).samples
    )


@pytest.mark.parametrize("data", [FLAC, NO_MD5, FROM_A_PIPE], ids=["FLAC", "no MD5", "from a pipe"])
def test_tags_around_it_are_passed_over(data: bytes) -> None:
    id3 = b"ID3\x04\0\0\0\0\1\0" + bytes(128)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    for tagged in (id3 + data, data + b"TAG" + bytes(125), data + ape + b"TAG" + bytes(125)):
        assert same(decoded(tagged), decoded(FLAC))


@pytest.mark.parametrize("block_sizes", [(4097, 4096), (4096, 8192), (3520, 4096), (16, 65535)])
def test_wrong_block_sizes_in_the_header_hide_no_damaged_frame(block_sizes: tuple[int, int]) -> None:
    """libFLAC seeks by them; some encoders count the last block among them."""
    for file in (FLAC, NO_MD5):
        said = replaced(file, 8, b"".join(size.to_bytes(2) for size in block_sizes))
        assert same(decoded(said), decoded(FLAC))
        assert decoded(said).suffix == decoded(file).suffix
        broken = replaced(said, len(HEAD) + 35, bytes([said[len(HEAD) + 35] ^ 9]))
        for clip in ((), (0.2, 0.2)):
            assert refusal(broken, *clip).startswith(
                ("damaged sound: ", "undecodable sound: ", "truncated sound: ")
            )


def test_a_frame_header_is_one_by_its_checksum() -> None:
    frame = frame_header(FRAMES[3])
    assert frame is not None
    assert (frame.number, frame.block, frame.rate, frame.channels, frame.bits) == (3, 4096, 16_000, 2, 16)
    for at in range(5):
        assert frame_header(replaced(FRAMES[3], at, bytes([FRAMES[3][at] ^ 2]))) is None
    assert frame_header(FRAMES[3][:5]) is None


def test_a_file_of_beginnings_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flac_frames_module, "MAX_PLACES", 1000)
    said = refusal(HEAD + FRAMES[0] + b"\xff\xf8" * 1000)
    assert said == "damaged sound: more than 1000 places look like frames"
