"""AC-3, E-AC-3 and AAC in ADTS are recognised by two frames in a row, and must be nothing but frames."""

import io

import pytest
from videos import sample

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole, container_of
from safe_data.media.decode import decode_pcm

KINDS = ("ac3", "eac3", "aac")
ID3 = b"ID3\4\0\0\0\0\1\2" + bytes(130)


@pytest.mark.parametrize("name", KINDS)
def test_two_frames_in_a_row_tell_what_it_is(name: str) -> None:
    data = sample(name)
    assert container_of(io.BytesIO(data)) == name
    assert container_of(io.BytesIO(data[:9] + bytes(len(data)))) is None
    assert container_of(io.BytesIO(data[: data.index(data[:2], 100)])) == name
    assert container_of(io.BytesIO(data[:3])) is None


def test_tags_around_the_sound_are_skipped() -> None:
    data = sample("aac")
    plain = decode_pcm(data).samples
    for tagged in (ID3 + data, data + b"TAG" + bytes(125), data + b"APETAGEX" + bytes(40)):
        assert (decode_pcm(tagged).samples == plain).all()


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_frame_is_refused(name: str) -> None:
    data = sample(name)
    second = data.index(data[:2], data.index(data[:2], 2) + 2)
    for changed in (data[:second] + b"\0" + data[second:], data + bytes(9), data + b"TAG" + bytes(9)):
        with pytest.raises(MediaError, match=r"^(damaged sound: no frame at byte \d+|truncated sound: )"):
            check_whole(io.BytesIO(changed))
    with pytest.raises(MediaError, match=r"^truncated sound: its last frame has \d+ of \d+ bytes$"):
        check_whole(io.BytesIO(data[:-1]))


def test_a_frame_of_another_format_is_refused() -> None:
    with pytest.raises(MediaError, match=r"^damaged sound: a frame of another format at byte \d+$"):
        check_whole(io.BytesIO(sample("ac3") + sample("eac3")))


@pytest.mark.parametrize("name", ["ac3", "eac3"])
def test_a_flipped_bit_is_seen_by_the_checksum(name: str) -> None:
    data = bytearray(sample(name))
    data[len(data) // 2 + 100] ^= 1
    with pytest.raises(MediaError, match=r"^undecodable sound: .*; the decoder said: frame CRC mismatch$"):
        decode_pcm(bytes(data))
