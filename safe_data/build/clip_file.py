"""ClipFile: store a clip that was cut out of its source: as FLAC, or as WAV where FLAC cannot hold it."""

import io
import struct
import tempfile
from contextlib import suppress
from typing import IO, cast

import numpy as np
import soundfile
from numpy import ndarray

from safe_data.build.contents import HELD_BYTES, Contents, spooled_contents
from safe_data.core.files import explaining
from safe_data.media.sound import in_full_scale
from safe_data.media.sound_stream import Block

FLAC_LEVEL = 0.25  # level 2 of 8
FLAC_CHANNELS = 8


class ClipFile:
    """Encode a clip block by block; a long one goes to a temporary file, which a failure removes."""

    def __init__(self, sample_rate_hz: int, channels: int, bits: int | None) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115  the tar closes it
        flac = bits is not None and channels <= FLAC_CHANNELS
        self.suffix = "flac" if flac else "wav"
        self._encoder = (
            _Flac(self._file, sample_rate_hz, channels, cast(int, bits))
            if flac
            else _Wav(self._file, sample_rate_hz, channels)
        )

    def __enter__(self) -> "ClipFile":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed:  # nobody will read the file
            with suppress(OSError):
                self._encoder.close()
            self._file.close()

    def add(self, block: Block) -> Block:
        """Encode the next samples; return them as stored.

        Raises:
            InputError: the disk of temporary files is full.
        """
        with explaining(tempfile.gettempdir()):
            return self._encoder.add(block)

    def close(self) -> Contents:
        """Complete the file.

        Raises:
            InputError: the disk of temporary files is full.
        """
        with explaining(tempfile.gettempdir()):
            self._encoder.close()
            return spooled_contents(self._file)


class _Flac:
    """Samples rounded to a bit depth, and clipped at full scale."""

    def __init__(self, file: IO[bytes], sample_rate_hz: int, channels: int, bits: int) -> None:
        self._bits = bits
        self._sink = _Sink(file)
        self._sound = soundfile.SoundFile(
            self._sink,
            "w",
            sample_rate_hz,
            channels,
            f"PCM_{bits}",
            format="FLAC",
            compression_level=FLAC_LEVEL,
        )

    def add(self, block: Block) -> Block:
        if block.dtype == np.int16:
            self._write(block)
            return block
        full_scale = 2 ** (self._bits - 1)
        scaled = np.rint(block.astype(np.float64) * full_scale)
        whole = np.clip(scaled, -full_scale, full_scale - 1).astype(np.int32)
        self._write(whole << (32 - self._bits))
        stored: Block = (whole / full_scale).astype(np.float32)
        return stored

    def close(self) -> None:
        self._sound.close()
        self._sink.check()

    def _write(self, whole: ndarray) -> None:
        try:
            self._sound.write(whole)
        finally:
            self._sink.check()


class _Sink:
    """A file for libsndfile, which cannot pass on a Python error: it is kept and raised later."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None
        self.tell, self.read = file.tell, file.read

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = self._error or error
            return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            self._error = self._error or error
            return -1

    def check(self) -> None:
        if self._error is not None:
            raise self._error


class _Wav:
    """32-bit floats; libsndfile would write the date into the file."""

    def __init__(self, file: IO[bytes], sample_rate_hz: int, channels: int) -> None:
        from scipy.io import wavfile

        header = io.BytesIO()
        wavfile.write(header, sample_rate_hz, np.zeros((0, channels), "<f4"))
        file.write(header.getvalue())
        self._file, self._header, self._frames = file, bytearray(header.getvalue()), 0

    def add(self, block: Block) -> Block:
        floats = in_full_scale(block).astype("<f4")
        self._file.write(floats.data)
        self._frames += len(block)
        return floats

    def close(self) -> None:
        """Fill in the three sizes: of the file, of each channel in samples, and of the data."""
        size = self._file.tell()
        fact = self._header.index(b"fact")
        for place, value in ((4, size - 8), (fact + 8, self._frames), (-4, size - len(self._header))):
            struct.pack_into("<I", self._header, place % len(self._header), value)
        self._file.seek(0)
        self._file.write(self._header)
