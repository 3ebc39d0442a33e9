"""AIFF, AU and CAF are read by sizes that agree with their format, and stored anew."""

import struct

import numpy as np
import pytest
from broken_sounds import decoded, encoded, replaced, same, tone

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm

AIFF, AU, CAF = encoded("AIFF"), encoded("AU"), encoded("CAF")
WHOLE = decoded(encoded("WAV"))
DEPTHS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": None, "FLOAT": None, "DOUBLE": None, "ULAW": 16, "ALAW": 16}


def refusal(data: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        decode_pcm(data)
    return str(caught.value)


@pytest.mark.parametrize("subtype", DEPTHS)
@pytest.mark.parametrize("kind", ["AIFF", "AU", "CAF"])
def test_every_kind_of_sample_is_read_at_its_depth(kind: str, subtype: str) -> None:
    samples = tone(channels=3)
    data = encoded(kind, subtype, samples)
    pcm = decoded(data)
    assert pcm.bits == DEPTHS[subtype]
    assert pcm.suffix is None
    np.testing.assert_array_equal(pcm.samples, decoded(encoded("WAV", subtype, samples)).samples)
    assert refusal(data[: len(data) * 3 // 4]).startswith("truncated sound: the header promises ")


@pytest.mark.parametrize("kind", ["AIFF", "AU", "CAF"])
def test_eight_bits_are_signed(kind: str) -> None:
    np.testing.assert_allclose(decoded(encoded(kind, "PCM_S8")).samples, tone(), atol=1 / 128)


@pytest.mark.parametrize(
    ("subtype", "bits"), [("ALAC_16", 16), ("ALAC_20", 24), ("ALAC_24", 24), ("ALAC_32", None)]
)
def test_alac_is_read_at_its_depth(subtype: str, bits: int | None) -> None:
    data = encoded("CAF", subtype)
    assert decoded(data).bits == bits
    np.testing.assert_allclose(decoded(data).samples, tone(), atol=1e-4)
    assert refusal(data[:-400]).startswith("truncated sound: ")


@pytest.mark.parametrize(("form", "sound"), [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7F00002E, 0x7F000008)])
def test_an_aiff_from_a_pipe(form: int, sound: int) -> None:
    comm, ssnd = AIFF.index(b"COMM") + 10, AIFF.index(b"SSND") + 4
    data = replaced(replaced(AIFF, 4, struct.pack(">I", form)), ssnd, struct.pack(">I", sound))
    for frames in (0, 0x7F000000, 8000):
        assert same(decoded(replaced(data, comm, struct.pack(">I", frames))), WHOLE)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_an_au_from_a_pipe(size: int) -> None:
    data = replaced(AU, 8, struct.pack(">I", size))
    assert same(decoded(data), WHOLE)


def test_a_caf_from_a_pipe() -> None:
    at = CAF.index(b"data") + 4
    assert same(decoded(replaced(CAF, at, struct.pack(">q", -1))), WHOLE)
    assert refusal(replaced(CAF, at, struct.pack(">q", -(2**62)))).startswith("truncated sound: ")


@pytest.mark.parametrize(
    ("data", "offset", "new", "reason"),
    [
        (AIFF, AIFF.index(b"COMM") + 9, b"\2", "its header says 8000 frames of 4 bytes, and 16000 bytes"),
        (AIFF, AIFF.index(b"COMM") + 15, b"\x18", "its header says 8000 frames of 3 bytes, and 16000 bytes"),
        (AIFF, AIFF.index(b"COMM") + 13, b"\0", "its header says 7936 frames of 2 bytes, and 16000 bytes"),
        (AIFF, AIFF.index(b"COMM"), b"x", "it has no chunk with samples, or none with their format"),
        (AU, 7, b"\x14", "its samples begin at byte 20"),
        (AU, 11, b"\0", "128 bytes after the samples"),
        (CAF, CAF.index(b"desc") + 12 + 19, b"\4", "its header says 4 bytes for 1 samples of 16 bits"),
        (CAF, CAF.index(b"desc"), b"x", "it has no chunk with samples, or none with their format"),
    ],
)
def test_a_header_that_contradicts_itself_is_damaged(
    data: bytes, offset: int, new: bytes, reason: str
) -> None:
    assert refusal(replaced(data, offset, new)).startswith(f"damaged sound: {reason}")


def test_what_follows_the_last_chunk() -> None:
    for data in (AIFF, CAF):
        assert refusal(data + b"12345").endswith("are no chunk")
    assert refusal(AU + b"12345") == "damaged sound: 5 bytes after the samples"
    for kind in ("AIFF", "CAF", "AU"):
        odd = encoded(kind, "PCM_S8", tone()[:-1])
        assert len(decoded(odd).stored) in (7999, 8000)  # libsndfile counts the padding of AIFF
    assert same(decoded(AIFF + bytes(500)), WHOLE)
    silent = AIFF[:-400] + bytes(400)
    assert refusal(silent + bytes(12)).startswith("damaged sound: ")  # may be samples that were moved
    assert len(decoded(silent + bytes(-len(silent) % 512)).stored) == 8000


def test_padding_that_is_counted_as_samples_is_none() -> None:
    """As Python's aifc writes it."""
    odd = encoded("AIFF", "PCM_S8", tone()[:-1])
    size = odd.index(b"SSND") + 4
    assert odd[size : size + 4] == struct.pack(">I", 8000 + 8)
    frames = replaced(odd, odd.index(b"COMM") + 10, struct.pack(">I", 7999))
    assert np.array_equal(decoded(frames).stored, decoded(odd).stored[:7999])


def test_an_au_in_the_other_byte_order() -> None:
    head = struct.pack("<4s5I", b"dns.", 24, 16_000, 3, 16_000, 1)
    samples = np.frombuffer(encoded("WAV")[44:], "<i2").tobytes()
    assert same(decoded(head + samples), WHOLE)
    assert refusal(head + samples[:-2]).startswith("truncated sound: ")
