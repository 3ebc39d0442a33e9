"""A WAV is read by sizes that agree, or to the end of the file where a pipe left them open."""

import struct

import numpy as np
import pytest
from broken_sounds import decoded, encoded, replaced, same, tone

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm

WAV = encoded("WAV")  # 44 bytes of header, 16000 of samples
WHOLE = decoded(WAV)
RIFF_AT, DATA_AT, START, SAMPLES = 4, 40, 44, 16_000
LIST = b"LIST" + struct.pack("<I", 6) + b"INFOab"


def refusal(data: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        decode_pcm(data)
    return str(caught.value)


def sized(riff: int, samples: int, data: bytes = WAV) -> bytes:
    return replaced(replaced(data, RIFF_AT, struct.pack("<I", riff)), DATA_AT, struct.pack("<I", samples))


@pytest.mark.parametrize(
    ("riff", "samples"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg
        (0x7FFFF024, 0x7FFFF000),  # SoX
        (0x7FFFFFFF, 0x7FFFFFFF),
        (0x80000024, 0x80000000),  # arecord
        (0xFFFFFFFF, 0xFFFFFFDB),
        (35, 0xFFFFFFFF),  # the sum went over 2**32
        (0, 0),
        (36, 0),  # the header alone
        (SAMPLES + 36, 0),
        (SAMPLES + 36, 0xFFFFFFFF),
        (SAMPLES + 36, SAMPLES + 36),  # the size of RIFF
        (SAMPLES + 36, SAMPLES + 44),  # the size of the file
        (SAMPLES + 44, SAMPLES + 44),  # the size of the file in both
        (SAMPLES + 36, SAMPLES + 1),
    ],
)
def test_sizes_of_pipes_and_slips_are_read_to_the_end_and_stored_anew(riff: int, samples: int) -> None:
    pcm = decoded(sized(riff, samples))
    assert same(pcm, WHOLE)
    assert pcm.suffix is None
    assert pcm.bits == 16


@pytest.mark.parametrize("riff", [0, 35, SAMPLES, 0xFFFFFFFF, 0x7FFFF024])
def test_a_size_of_riff_alone_does_not_matter(riff: int) -> None:
    pcm = decoded(sized(riff, SAMPLES))
    assert same(pcm, WHOLE)
    assert pcm.suffix == "wav"


@pytest.mark.parametrize(
    ("riff", "samples", "reason"),
    [
        (SAMPLES + 36 + 2, SAMPLES + 2, "truncated sound: the header promises 16002 bytes, 16000 are there"),
        (99_999, 99_963, "truncated sound: the header promises 99963 bytes, 16000 are there"),
        (SAMPLES + 36, 99_963, "truncated sound: the header promises 99963 bytes, 16000 are there"),
        (SAMPLES + 36, SAMPLES + 46, "truncated sound: the header promises 16046 bytes, 16000 are there"),
        (0, SAMPLES + 2, "truncated sound: the header promises 16002 bytes, 16000 are there"),
        (99_999, 0xFFFFFFFF, "damaged sound: the file has 16044 bytes, its header says 100007"),
        (SAMPLES + 36, SAMPLES - 2, "damaged sound: 2 bytes after the samples are no chunk"),
        (SAMPLES + 36, 2, "damaged sound: 15998 bytes after the samples are no chunk"),
        (SAMPLES + 36, 0x7000, "truncated sound: the header promises 28672 bytes, 16000 are there"),
    ],
)
def test_other_sizes_are_a_truncation_or_damage(riff: int, samples: int, reason: str) -> None:
    assert refusal(sized(riff, samples)) == reason


def test_half_a_frame_at_the_end_of_a_pipe_is_a_truncation() -> None:
    stereo = encoded("WAV", samples=tone(channels=2))
    open_ended = sized(0xFFFFFFFF, 0xFFFFFFFF, stereo)
    assert len(decoded(open_ended[:-4]).stored) == len(decoded(stereo).stored) - 1  # nothing tells
    assert refusal(open_ended[:-2]) == "truncated sound: 2 bytes of its last frame are there"


def test_chunks_after_the_samples_are_passed_over() -> None:
    riff = SAMPLES + 36 + len(LIST)
    for data in (sized(riff, SAMPLES, WAV + LIST), WAV + LIST, sized(riff, SAMPLES, WAV + LIST[:-2])):
        assert same(decoded(data), WHOLE)
        assert decoded(data).suffix == "wav"
    odd = encoded("WAV", "PCM_U8", tone()[:-1])  # libsndfile pads it
    assert len(decoded(odd).stored) == len(decoded(odd[:-1]).stored) == 7999
    assert same(decoded(WAV + b"TAG" + bytes(125)), WHOLE)


@pytest.mark.parametrize("length", [1, 2, 100, 468, 2**20])
@pytest.mark.parametrize("riff", [SAMPLES + 36, SAMPLES + 36 + len(LIST)])
def test_zeros_behind_the_file_are_passed_over(riff: int, length: int) -> None:
    data = sized(riff, SAMPLES, WAV + LIST if riff > SAMPLES + 36 else WAV)
    pcm = decoded(data + bytes(length))
    assert same(pcm, WHOLE)
    assert pcm.suffix == "wav"
    with pytest.raises(MediaError, match="bytes after the samples are no chunk"):
        decode_pcm(data + bytes(length) + b"\1" * 9)


def test_zeros_that_may_be_samples_are_damage() -> None:
    counted = sized(SAMPLES + 36 + 100, SAMPLES, WAV + bytes(100))
    assert refusal(counted) == "damaged sound: 100 bytes after the samples are no chunk"
    listed = sized(SAMPLES + 36 + len(LIST) + 100, SAMPLES, WAV + LIST + bytes(100))
    assert same(decoded(listed), WHOLE)  # a chunk lies between them
    assert same(decoded(sized(SAMPLES + 37, SAMPLES, WAV + b"\0")), WHOLE)  # less than a sample
    silent = WAV[:-400] + bytes(400)
    assert refusal(silent + bytes(10)) == "damaged sound: 10 bytes after the samples are no chunk"
    assert len(decoded(silent + bytes(-len(silent) % 512)).stored) == 8000


def test_another_file_behind_it_is_damage() -> None:
    assert refusal(WAV + WAV) == "damaged sound: 16044 bytes after the samples are no chunk"


def test_odd_chunks_without_padding_and_a_tag_behind_the_samples_are_passed_over() -> None:
    odd = encoded("WAV", "PCM_U8", tone()[:-1])[:-1]
    text = b"LIST" + struct.pack("<I", 9) + b"INFOabcde"
    for behind in (LIST, text + LIST, text + b"\0" + LIST):
        assert len(decoded(odd + behind).stored) == 7999
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    assert same(decoded(WAV + tag), WHOLE)
    assert refusal(WAV + tag[:-1] + b"\1\1").endswith("are no chunk")


def test_chunks_behind_the_samples_of_a_pipe_are_no_samples() -> None:
    for behind in (LIST, LIST + LIST, LIST + b"TAG" + bytes(125)):
        assert same(decoded(sized(0xFFFFFFFF, 0xFFFFFFFF, WAV + behind)), WHOLE)


def test_a_header_that_is_right_but_for_a_common_mistake_is_read() -> None:
    stereo = encoded("WAV", samples=tone(channels=2))
    for data, wrong in ((WAV, (16_000, 256_000)), (stereo, (16_000, 32_000, 512_000))):
        for bytes_a_second in wrong:
            pcm = decoded(replaced(data, 28, struct.pack("<I", bytes_a_second)))
            assert same(pcm, decoded(data))
            assert pcm.suffix == "wav"
    for format_ in (struct.pack("<IH", 32_000, 4), bytes(6)):
        pcm = decoded(replaced(WAV, 28, format_))
        assert same(pcm, WHOLE)
        assert pcm.suffix is None  # other programs believe the bytes a frame


def test_bytes_that_were_inserted_are_seen_even_where_the_end_is_silent() -> None:
    assert refusal(WAV + b"junk") == "damaged sound: 4 bytes after the samples are no chunk"
    silent = WAV[:-400] + bytes(400)
    moved = silent[:1000] + b"0123456789" + silent[1000:]
    assert refusal(moved) == "damaged sound: 10 bytes after the samples are no chunk"
    assert len(decoded(silent).stored) == 8000


@pytest.mark.parametrize(
    ("offset", "new", "reason"),
    [
        (22, b"\2", "its header says 2 bytes for 2 samples of 16 bits"),
        (24, b"\x81", "its header says 32000 bytes a second for 16001 Hz of 2 bytes"),
        (28, b"\1", "its header says 32001 bytes a second for 16000 Hz of 2 bytes"),
        (28, struct.pack("<IH", 48_000, 4), "its header says 4 bytes for 1 samples of 16 bits"),
        (34, b"\x18", "its header says 2 bytes for 1 samples of 24 bits"),
        (36, b"D", "it has no chunk with samples"),
        (12, b"F", "its samples come before their format"),
    ],
)
def test_a_format_that_contradicts_itself_is_damaged(offset: int, new: bytes, reason: str) -> None:
    assert refusal(replaced(WAV, offset, new)) == f"damaged sound: {reason}"


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_the_rate_of_compressed_samples_is_checked(subtype: str) -> None:
    data = encoded("WAV", subtype)
    assert decoded(data).suffix == "wav"
    assert decoded(replaced(data, 28, bytes(4))).suffix == "wav"  # as FFmpeg may write it
    assert "bytes a second for 16384 Hz" in refusal(replaced(data, 24, struct.pack("<I", 16_384)))


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_every_kind_of_sample_is_stored_as_it_is(kind: str, subtype: str) -> None:
    pcm = decoded(encoded(kind, subtype))
    assert pcm.suffix == "wav"
    np.testing.assert_allclose(pcm.samples, tone(), atol=0.02)


@pytest.mark.parametrize("kind", ["RF64", "W64"])
@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), ("FLOAT", None)])
def test_rf64_and_w64_are_read_and_stored_anew(kind: str, subtype: str, bits: int | None) -> None:
    data = encoded(kind, subtype)
    pcm = decoded(data)
    assert pcm.suffix is None
    assert pcm.bits == bits
    np.testing.assert_array_equal(pcm.samples, decoded(encoded("WAV", subtype)).samples)
    assert refusal(data[:-2]).startswith("truncated sound: the header promises ")


def test_what_a_pipe_leaves_open_in_rf64_bw64_and_w64() -> None:
    rf64, w64 = encoded("RF64"), encoded("W64")
    sizes = rf64.index(b"ds64") + 8
    for size in (0, 2**64 - 1):
        changed = replaced(rf64, sizes, struct.pack("<QQ", size, size))
        assert same(decoded(changed), WHOLE)
        assert same(decoded(b"BW64" + changed[4:]), WHOLE)
        at = w64.index(b"data") + 16
        assert same(
            decoded(replaced(replaced(w64, 16, struct.pack("<Q", size)), at, struct.pack("<Q", size))), WHOLE
        )
    assert same(decoded(b"BW64" + rf64[4:]), WHOLE)
    for size in (0, 2**64 - 1):
        unsized = replaced(rf64, sizes, struct.pack("<QQ", size, size))
        assert same(decoded(replaced(unsized, rf64.index(b"data") + 4, struct.pack("<I", SAMPLES))), WHOLE)
    assert refusal(replaced(w64, 5, b"x")) == "damaged sound: its identifiers are not those of W64"


def test_the_other_byte_order_and_a_tag_in_front() -> None:
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    assert same(decoded(tag + WAV), WHOLE)
    assert decoded(tag + WAV).suffix is None
    swapped = np.frombuffer(WAV[44:], "<i2").astype(">i2").tobytes()
    head = struct.pack(
        ">4sI4s4sIHHIIHH4sI",
        b"RIFX",
        16_036,
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        16_000,
        32_000,
        2,
        16,
        b"data",
        SAMPLES,
    )
    assert same(decoded(head + swapped), WHOLE)
