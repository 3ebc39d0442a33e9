"""MPEG transport and program streams: a packet that is lost or damaged is seen."""

import io

import pytest
from videos import sample

from safe_data.core.errors import MediaError
from safe_data.media.checks.mpeg_ts import packet_stride
from safe_data.media.containers import check_whole, container_of


def check(data: bytes) -> None:
    check_whole(io.BytesIO(data))


def packets(data: bytes, number: int, stride: int = 188) -> list[int]:
    """Where the packets of a stream begin."""
    skipped = stride - 188
    return [
        at
        for at in range(0, len(data), stride)
        if int.from_bytes(data[at + skipped + 1 : at + skipped + 3]) & 0x1FFF == number
    ]


@pytest.mark.parametrize(("name", "stride", "number"), [("ts", 188, 0x101), ("m2ts", 192, 0x1100)])
def test_a_lost_or_doubled_packet_is_seen(name: str, stride: int, number: int) -> None:
    data = sample(name)
    assert packet_stride(data[:600]) == stride
    assert container_of(io.BytesIO(data)) == "mpegts"
    middle = packets(data, number, stride)[5]
    for changed in (data[:middle] + data[middle + stride :], data[: middle + stride] + data[middle:]):
        with pytest.raises(MediaError, match=r"^damaged video: a packet is lost at byte \d+$"):
            check(changed)
    with pytest.raises(MediaError, match=rf"^truncated video: its last packet has 100 of {stride} bytes$"):
        check(data[: middle + 100])
    with pytest.raises(MediaError, match=r"^damaged video: a damaged packet at byte "):
        check(data[:middle] + data[middle + 10 :] + bytes(10))


def test_a_part_of_the_sound_must_be_as_long_as_it_says() -> None:
    data = sample("ts")
    sound = packets(data, 0x101)
    begins = [at for at in sound if data[at + 1] & 0x40]
    length = data.index(b"\0\0\1\xc0", begins[1]) + 4
    changed = bytearray(data)
    changed[length + 1] ^= 1
    with pytest.raises(
        MediaError, match=r"^damaged video: a part of a stream that is not as long as it says ends at"
    ):
        check(bytes(changed))
    changed = bytearray(data)
    changed[length - 4] = 7
    with pytest.raises(
        MediaError, match=r"^damaged video: a part of a stream without its prefix at byte \d+$"
    ):
        check(bytes(changed))
    last = [at for at in sound if at > begins[-1]][-1]
    with pytest.raises(MediaError, match=r"^truncated video: its last part has \d+ of \d+ bytes$"):
        check(data[:last])


def test_the_list_of_streams_has_a_checksum() -> None:
    changed = bytearray(sample("ts"))
    changed[packets(sample("ts"), 0x1000)[0] + 20] ^= 1
    with pytest.raises(MediaError, match=r"^damaged video: a wrong checksum at byte \d+$"):
        check(bytes(changed))


def test_a_break_that_is_announced_is_none() -> None:
    data = bytearray(sample("ts"))
    place = next(at for at in packets(data, 0x101)[1:] if data[at + 3] & 0x20 and data[at + 4])
    data[place + 5] |= 0x80
    for at in packets(data, 0x101):
        if at >= place:
            data[at + 3] = data[at + 3] & 0xF0 | (data[at + 3] + 5) & 0x0F
    check(bytes(data))
    data[place + 5] &= 0x7F
    with pytest.raises(MediaError, match=r"^damaged video: a packet is lost"):
        check(bytes(data))


@pytest.mark.parametrize("name", ["mpg", "vob"])
def test_the_packets_of_a_program_stream_follow_one_another(name: str) -> None:
    data = sample(name)
    assert container_of(io.BytesIO(data)) == "mpeg"
    check(data + b"\0\0\1\xb9")
    place = data.index(b"\0\0\1\xba", 3_000)
    with pytest.raises(MediaError, match=r"^damaged video: no packet at byte \d+$"):
        check(data[: place + 1] + data[place + 2 :])
    with pytest.raises(MediaError, match=r"^truncated video: its last packet has \d+( of \d+)? bytes$"):
        check(data[:-1])
