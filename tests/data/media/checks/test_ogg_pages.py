"""An Ogg is read when each of its pages is right, and a chain of streams as one sound."""

import struct

import numpy as np
import pytest
from broken_sounds import decoded, encoded, ogg_page, ogg_pages, replaced, same, tone, with_checksum
from folders import STAMPS, needs_stamps, sound_bytes

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm

BEGIN, END = 2, 4
VORBIS = encoded("OGG", samples=tone(3))
OPUS = encoded("OGG", "OPUS")
PAGES = ogg_pages(VORBIS)


def refusal(data: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        decode_pcm(data)
    return str(caught.value)


@pytest.mark.parametrize("data", [VORBIS, OPUS], ids=["Vorbis", "Opus"])
def test_a_whole_file_is_stored_as_it_is(data: bytes) -> None:
    pcm = decoded(data)
    assert pcm.suffix == "ogg"
    assert len(pcm.stored) == (48_000 if data is VORBIS else 24_000)


@pytest.mark.parametrize("data", [VORBIS, OPUS], ids=["Vorbis", "Opus"])
@pytest.mark.parametrize("share", [0, 0.1, 0.4, 0.7, 0.99])
def test_one_flipped_bit_anywhere_is_damage(data: bytes, share: float) -> None:
    at = max(40, int(share * len(data)))
    said = refusal(replaced(data, at, bytes([data[at] ^ 16])))
    assert said.startswith("damaged sound: the checksum of the page at byte ")


@needs_stamps
def test_the_flipped_bit_that_took_a_third_of_a_chimpanzee() -> None:
    data = (STAMPS / "animals/mammals/apes/chimp.ogg").read_bytes()
    page = data.index(b"OggS", data.index(b"OggS", 4) + 4)
    flipped = replaced(data, page + 400, bytes([data[page + 400] ^ 1]))
    assert refusal(flipped) == f"damaged sound: the checksum of the page at byte {page} is wrong"


def test_pages_must_follow_each_other_and_end() -> None:
    assert len(PAGES) > 4
    at = len(b"".join(PAGES[:3]))
    assert refusal(b"".join(PAGES[:3] + PAGES[4:])) == f"damaged sound: page 4 follows page 2 at byte {at}"
    assert refusal(b"".join(PAGES[:3] + PAGES[2:])) == f"damaged sound: page 2 follows page 2 at byte {at}"
    assert refusal(b"".join(PAGES[1:])) == "damaged sound: the page at byte 0 belongs to no stream"
    for cut in (b"".join(PAGES[:-1]), VORBIS[:-1], VORBIS[: at + 20], VORBIS + b"Ogg"):
        assert refusal(cut) == "truncated sound: its last page does not end the stream"
    assert refusal(VORBIS + PAGES[-1]).endswith(f"at byte {len(VORBIS)} belongs to no stream")


def test_what_lies_between_pages_is_said() -> None:
    at = len(b"".join(PAGES[:3]))
    junk = VORBIS[:at] + b"twelve bytes" + VORBIS[at:]
    assert refusal(junk) == f"damaged sound: 12 bytes at byte {at} are no Ogg page"
    assert refusal(VORBIS + b"junk") == f"damaged sound: 4 bytes at byte {len(VORBIS)} are no Ogg page"
    for harmless in (bytes(100), b"TAG" + bytes(125)):
        assert decoded(VORBIS + harmless).suffix == "ogg"


@pytest.mark.parametrize(("first", "second"), [(VORBIS, VORBIS[:]), (OPUS, OPUS), (OPUS, None)])
def test_a_chain_is_read_whole_and_stored_anew(first: bytes, second: bytes | None) -> None:
    if second is None:  # Vorbis after Opus
        second = sound_bytes(tone(rate=48_000), rate=48_000, kind="OGG")
    chain = decoded(first + second)
    parts = [decoded(first).samples, decoded(second).samples]
    np.testing.assert_array_equal(chain.samples, np.concatenate(parts))
    assert chain.suffix is None
    rate = chain.sample_rate_hz
    end = len(parts[0]) / rate
    across = decode_pcm(first + second, end - 0.1, 0.2)
    expected = chain.samples[round((end - 0.1) * rate) : round((end + 0.1) * rate)]
    np.testing.assert_allclose(across.samples, expected, atol=1e-3)
    after = decode_pcm(first + second, end + 0.1)
    np.testing.assert_allclose(after.samples, chain.samples[round((end + 0.1) * rate) :], atol=1e-3)


@pytest.mark.parametrize("start", [0.5, 2.0, 2.7, 2.9, 2.99])
def test_a_clip_in_the_last_page_is_a_slice_of_the_whole(start: float) -> None:
    """libvorbisfile lands too late when it seeks there."""
    clip = decode_pcm(VORBIS, start, 0.05)
    first = round(start * 16_000)
    np.testing.assert_array_equal(clip.samples, decoded(VORBIS).samples[first : first + 800])


def test_a_chain_of_unlike_or_too_many_parts_is_refused() -> None:
    stereo = encoded("OGG", samples=tone(channels=2))
    assert refusal(VORBIS + stereo) == (
        "undecodable sound: its parts have 16000 Hz with 1 channels and 16000 Hz with 2 channels"
    )
    assert refusal(OPUS * 33) == "unknown sound format: Ogg with more than 32 streams"


def test_of_streams_side_by_side_the_one_sound_is_read() -> None:
    other = [ogg_page(b"fishead\0", BEGIN, serial=1), ogg_page(b"", END, serial=1, number=1)]
    pcm = decoded(b"".join([other[0], *PAGES[:4], other[1], *PAGES[4:]]))
    np.testing.assert_array_equal(pcm.samples, decoded(VORBIS).samples)
    assert pcm.suffix is None
    video = [ogg_page(b"\x80theora", BEGIN), ogg_page(b"", END, number=1)]
    assert same(decoded(b"".join([video[0], VORBIS, video[1]])), pcm)
    second = VORBIS.replace(VORBIS[14:18], b"else")
    second = b"".join(with_checksum(page) for page in ogg_pages(second))
    both = b"".join([PAGES[0], ogg_pages(second)[0], *PAGES[1:], *ogg_pages(second)[1:]])
    assert refusal(both) == "unknown sound format: Ogg with 2 sounds at once; use one"


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (b"\x7fFLAC\1\0", "FLAC"),
        (b"Speex   1.2", "Speex"),
        (b"\x80theora", "Theora"),
        (b"what", "an unknown stream"),
    ],
)
def test_a_codec_that_is_not_read_is_named(packet: bytes, name: str) -> None:
    said = refusal(ogg_page(packet, BEGIN | END))
    assert said == f"unknown sound format: Ogg with {name}; use Vorbis or Opus"


def test_tiny_pages_cost_no_time() -> None:
    pages = [ogg_page(b"OpusHead", BEGIN)]
    page = ogg_page(b"x", 0)
    for number in range(1, 3000):
        pages.append(replaced(page, 18, struct.pack("<I", number)))
    assert refusal(b"".join(pages)).startswith("damaged sound: the checksum")
