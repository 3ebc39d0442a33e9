"""What a decoder prints ends the reason of its own file, whatever other threads do, and is not shown."""

import ctypes
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from av import logging as av_logging
from folders import row, sound_bytes, write_media, write_rows
from hostile import png
from PIL import Image
from videos import video_bytes

from safe_data.build.build import build_dataset
from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio
from safe_data.media.decoder_noise import LONGEST, quiet, quietly
from safe_data.media.picture import decode_image
from safe_data.media.video_streams import opened
from safe_data.shards import manifest

LIBC = ctypes.CDLL(None)
STDERR = ctypes.c_void_p.in_dll(LIBC, "stderr" if sys.platform == "linux" else "__stderrp")
MP3 = sound_bytes(kind="MP3")


def c_print(text: bytes) -> None:
    """Print to stderr as a C library does."""
    LIBC.fputs(text, STDERR)
    LIBC.fflush(STDERR)


@quietly
def decode(printed: bytes, reason: str | None) -> str:
    """A decoder that prints, and then refuses the file if there is a reason."""
    c_print(printed)
    if reason is not None:
        raise MediaError(reason)
    return "decoded"


@quietly
def decode_by(library: Callable[[bytes], object], data: bytes) -> None:
    try:
        library(data)
    except Exception as error:
        raise MediaError(f"undecodable: {type(error).__name__}") from None


def read_mp3(data: bytes) -> None:
    if len(soundfile.read(io.BytesIO(data))[0]) != 8000:
        raise EOFError


def damaged(data: bytes) -> bytes:
    return bytes(byte ^ 0x55 if place % 97 == 9 and place > 300 else byte for place, byte in enumerate(data))


def read_tiff(data: bytes) -> None:
    Image.open(io.BytesIO(data), formats=["TIFF"]).load()


def tiff_bytes() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(file, "TIFF", compression="tiff_lzw")
    return file.getvalue()


def reason_of(decode: Callable[[], object]) -> str | None:
    try:
        decode()
    except MediaError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("library", "data", "said"),
    [
        (read_mp3, damaged(MP3), "Note: Illegal Audio-MPEG-Header at offset"),
        (
            read_tiff,
            tiff_bytes().replace(tiff_bytes()[500:540], b"\xff" * 40),
            "tempfile.tif: Using code not",
        ),
    ],
)
def test_what_a_library_prints_ends_the_reason(
    library: Callable[[bytes], object], data: bytes, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    reason = reason_of(lambda: decode_by(library, data)) or ""
    assert f"Error; the decoder said: {said}" in reason
    assert reason_of(lambda: decode_by(library, data)) == reason
    assert capfd.readouterr() == ("", "")
    with pytest.raises((EOFError, OSError)):
        library(data)
    assert said[:6] in capfd.readouterr().err  # it does print, if it may


def test_what_is_printed_about_a_file_that_decodes_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    assert decode(b"warning: strange\n", None) == "decoded"
    assert reason_of(lambda: decode(b"", "damaged sound: here")) == "damaged sound: here"
    assert capfd.readouterr() == ("", "")
    c_print(b"said by C\n")  # which has its stream back
    assert capfd.readouterr().err == "said by C\n"


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (b"\n", ""),
        (b"a\nb\na\n", "; the decoder said: a; b"),
        (b"[src/libmpg123/layer3.c:do_layer3():1804] error: no", "; the decoder said: error: no"),
        (b"[x @ 0x55d0c8a3b2c0] at 12:30:01.25: \x1b[31mred\x1b[0m", "; the decoder said: [x @ ] at : red"),
        (b"\x1b]0;title\x07\xff", "; the decoder said: " + 3 * "\N{REPLACEMENT CHARACTER}"),
        (b"long " * 9999, "; the decoder said: " + ("long " * 99)[: LONGEST - 1] + "…"),
    ],
)
def test_what_was_said_is_short_and_the_same_each_time(printed: bytes, said: str) -> None:
    reason = reason_of(lambda: decode(printed, "damaged sound: here")) or ""
    assert reason.replace("]0;title", "") == f"damaged sound: here{said}"


def test_each_file_gets_what_was_printed_about_it_from_any_number_of_threads(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def one(number: int) -> str | None:
        @quietly
        def decoder() -> None:
            for _ in range(3):
                if number % 3:
                    c_print(b"file %d\n" % number)
                time.sleep(0.0005)  # others print meanwhile
            if number % 2:
                raise MediaError("damaged sound: here")

        return reason_of(decoder)

    expected = [
        None
        if number % 2 == 0
        else f"damaged sound: here; the decoder said: file {number}"
        if number % 3
        else "damaged sound: here"
        for number in range(60)
    ]
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(one, range(60))) == expected
    assert capfd.readouterr() == ("", "")


def test_nobody_else_is_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        print("python", file=sys.stderr)
        os.write(2, b"descriptor\n")
        subprocess.run([sys.executable, "-c", "import os; os.write(2, b'child\\n')"], check=True)
        c_print(b"decoder\n")
    assert capfd.readouterr().err == "python\ndescriptor\nchild\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_its_own_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        child = os.fork()
        if not child:
            c_print(b"child\n")
            said = reason_of(lambda: decode(b"noise", "damaged sound: here"))
            os._exit(said != "damaged sound: here; the decoder said: noise")
        assert os.waitpid(child, 0)[1] == 0
    assert capfd.readouterr().err == "child\n"


def open_video(data: bytes) -> None:
    with opened(io.BytesIO(data), "mp4"):
        pass


@pytest.mark.parametrize("level", [None, av_logging.FATAL, av_logging.VERBOSE])
def test_ffmpeg_says_why_and_its_log_stays_as_it_was(
    level: int | None, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    no_index = video_bytes(seconds=0.5)[:200]
    before = av_logging.get_level()
    av_logging.set_level(level)
    try:
        for _ in range(2):  # the second file says the same again
            assert reason_of(lambda: open_video(no_index)) == (
                "undecodable video: invalid data found when processing input; the decoder said: "
                "moov atom not found"
            )
        assert av_logging.get_level() == level
        assert av_logging.get_skip_repeated()
    finally:
        av_logging.set_level(before)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_errors_of_other_threads_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as other, opened(io.BytesIO(video_bytes(seconds=0.5)), "mp4"):
        other.submit(av_logging.log, av_logging.ERROR, "of somebody", "who does not listen").result()
    av_logging.log(av_logging.ERROR, "of somebody", "who does not listen")
    assert caplog.records == []


def noisy_read(sound: soundfile.SoundFile, *given: object, **named: object) -> object:
    c_print(b"this sound is broken\n")
    raise soundfile.LibsndfileError(5)


def test_the_reason_is_a_column_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [row(number) for number in range(6)]
    write_media(tmp_path / "world", rows)
    flac = sound_bytes(kind="FLAC")
    for number in (1, 4):
        (tmp_path / "world" / "sounds" / f"clip-{number:03d}.wav").write_bytes(flac)
    read = soundfile.SoundFile.read

    def read_or_not(sound: soundfile.SoundFile, *given: object, **named: object) -> object:
        return (noisy_read if sound.format == "FLAC" else read)(sound, *given, **named)

    monkeypatch.setattr(soundfile.SoundFile, "read", read_or_not)
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards", encoders=())
    found = manifest.read(tmp_path / "shards" / "manifest.parquet").to_pylist()
    errors = [one["error"] for one in found]
    assert [errors[number] for number in (0, 2, 3, 5)] == [None] * 4
    assert errors[1] == errors[4]
    assert errors[1].startswith("undecodable sound: ")
    assert errors[1].endswith("; the decoder said: this sound is broken")
    assert capfd.readouterr() == ("", "")


def test_sounds_and_pictures_decode_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soundfile.SoundFile, "read", noisy_read)
    reason = reason_of(lambda: decode_audio(sound_bytes())) or ""
    assert reason.endswith("; the decoder said: this sound is broken")
    monkeypatch.setattr(Image, "open", lambda *_, **__: c_print(b"no picture\n") or Image.new("RGB", (1, 1)))
    reason = reason_of(lambda: decode_image(png(8, 8))) or ""
    assert reason.endswith("; the decoder said: no picture")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_no_engine_lets_a_decoder_print(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """MP3 with every kind of damage: what each reason says does not depend on who else decodes."""
    rows = [row(number) for number in range(80)]
    write_media(tmp_path / "world", rows)
    rng = np.random.default_rng(0)
    for number in range(1, 80):
        data = bytearray(MP3)
        for place in rng.integers(400, len(data), 5):
            data[place] ^= 0x55
        (tmp_path / "world" / "sounds" / f"clip-{number:03d}.wav").write_bytes(data)
    world, found = write_rows(tmp_path / "world", rows), []
    for number, options in enumerate([{}, {"workers": 2}, {"workers": 2, "engine": "ray"}]):
        build_dataset(world, tmp_path / str(number), encoders=(), shard_size=20, quiet=True, **options)
        found.append((tmp_path / str(number) / "manifest.parquet").read_bytes())
    assert found[0] == found[1] == found[2]
    printed = capfd.readouterr()
    assert not any(word in printed.out + printed.err for word in ("mpg123", "Note:", "Warning:"))
