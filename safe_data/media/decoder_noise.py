"""Decoder noise: what a decoder prints about a file ends the file's reason, and never reaches a terminal.

libmpg123 (in libsndfile) and libtiff (in Pillow) print to C's `stderr`. While they decode, this is a file in
memory; file descriptor 2 and `sys.stderr` stay what they are, so nothing that others print is lost. Several
threads may decode at once. If a file is refused, and anything was printed meanwhile, it is decoded once more
while no other thread decodes: what is printed then is about this file. FFmpeg says in which thread it speaks.

What is printed about a file that decodes is dropped. Where C's `stderr` cannot be set (neither glibc nor
macOS), these two libraries print as they always do.
"""

import ctypes
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from safe_data.core.errors import MediaError
from safe_data.core.numerals import cut
from safe_data.core.terminal import printable

LONGEST = 200  # characters of a reason that are the decoder's

_READ_BYTES = 2**12  # of what was printed; the first lines say why
_KEPT_BYTES = 2**16
_UNBUFFERED = 2  # _IONBF of stdio.h
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CHANGING = re.compile(r"\[src/[^]]*\]|\b0x[0-9a-f]+\b|\b\d\d?:\d\d:\d\d(\.\d+)?\b", re.IGNORECASE)

P = ParamSpec("P")
T = TypeVar("T")


def quietly(decode: Callable[P, T]) -> Callable[P, T]:
    """Make a function print nothing while it decodes; the reason of its MediaError ends with the noise."""

    @wraps(decode)
    def quiet_decode(*args: P.args, **kwargs: P.kwargs) -> T:
        before = _stderr.printed()
        try:
            with quiet():
                return decode(*args, **kwargs)
        except MediaError as error:
            if _stderr.printed() == before:
                raise
            refused = MediaError(str(error))  # without the frames of its traceback, which hold a picture
        raise _with_noise(refused, _stderr.said_by(lambda: decode(*args, **kwargs)))

    return quiet_decode


@contextmanager
def quiet() -> Iterator[None]:
    """Keep a call of a decoder from printing. The call must not wait for another thread that decodes."""
    with _stderr.caught():
        yield


@contextmanager
def noise_in_reason(again: Callable[[], object]) -> Iterator[None]:
    """End the reason of a MediaError with what a decoder printed, within `quiet`, about the file.

    `again` decodes the same once more.
    """
    before = _stderr.printed()
    try:
        yield
    except MediaError as error:
        if _stderr.printed() == before:
            raise
        raise _with_noise(error, _stderr.said_by(again)) from None


@contextmanager
def ffmpeg_in_reason() -> Iterator[None]:
    """End the reason of a MediaError with the errors that FFmpeg tells of in this thread."""
    from av.logging import ERROR, Capture

    with _ffmpeg.listening(), Capture() as logs:
        try:
            yield
        except MediaError as error:
            said = [message for level, _, message in logs if level <= ERROR]
            raise _with_noise(error, said) from None


def _with_noise(error: MediaError, lines: Iterable[str]) -> MediaError:
    """A MediaError whose reason ends with lines; what changes from run to run is left out."""
    said = (printable(" ".join(_CHANGING.sub("", _COLOUR.sub("", line)).split())) for line in lines)
    text = cut("; ".join(dict.fromkeys(filter(None, said))), LONGEST)
    return MediaError(f"{error}; the decoder said: {text}" if text else str(error))


class _Stderr:
    """C's `stderr`, which is a file in memory while threads decode: many at once, or one alone."""

    def __init__(self) -> None:
        self._turn = threading.Condition(threading.Lock())
        self._decoding = 0
        self._alone: int | None = None  # the thread that decodes alone
        self._variable = _c_stderr()
        self._descriptor, self._stream = (-1, 0) if self._variable is None else _memory_stream()
        self._real: int | None = None  # while it is diverted
        self._dropped_bytes = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Decode beside others, but not while a thread decodes alone."""
        if self._variable is None or self._alone == threading.get_ident():
            yield
            return
        with self._turn:
            self._turn.wait_for(lambda: self._alone is None)
            self._decoding += 1
            self._divert()
        try:
            yield
        finally:
            with self._turn:
                self._decoding -= 1
                if not self._decoding:
                    self.restore()
                    self._turn.notify_all()

    def printed(self) -> int:
        """How many bytes were printed so far."""
        with self._turn:
            return self._dropped_bytes + self._size()

    def said_by(self, decode: Callable[[], object]) -> list[str]:
        """The lines that are printed while this decodes, alone."""
        with self._turn:
            self._turn.wait_for(lambda: self._alone is None)
            self._alone = threading.get_ident()  # from now on, none begins
        try:
            with self._turn:
                self._turn.wait_for(lambda: not self._decoding)
                self._divert()
                self._drop()
            with suppress(MediaError, OSError):  # as before
                decode()
            return os.pread(self._descriptor, _READ_BYTES, 0).decode("utf-8", "replace").splitlines()
        finally:
            with self._turn:
                self.restore()
                self._alone = None
                self._turn.notify_all()

    def restore(self) -> None:
        """Give C its own stream back."""
        if self._variable is not None and self._real is not None:
            self._variable.value, self._real = self._real, None
            if self._size() > _KEPT_BYTES:
                self._drop()

    def _divert(self) -> None:
        if self._variable is not None and self._real is None:
            self._real, self._variable.value = self._variable.value, self._stream

    def _drop(self) -> None:
        self._dropped_bytes += self._size()
        os.ftruncate(self._descriptor, 0)

    def _size(self) -> int:
        return 0 if self._variable is None else os.fstat(self._descriptor).st_size


def _c_stderr() -> ctypes.c_void_p | None:
    """C's variable `stderr`; None where it cannot be set."""
    name = {"darwin": "__stderrp", "linux": "stderr"}.get(sys.platform)
    try:
        if name is None or (sys.platform == "linux" and not os.confstr("CS_GNU_LIBC_VERSION")):
            return None
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), name)
    except (OSError, ValueError):  # such as musl, where it is a constant
        return None


def _memory_stream() -> tuple[int, int]:
    """The descriptor of an empty file in memory, and a C stream that appends to it at once."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("decoder noise")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    libc = ctypes.CDLL(None)
    libc.fdopen.restype, libc.fdopen.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_char_p)
    libc.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    stream = libc.fdopen(os.dup(descriptor), b"a")
    libc.setvbuf(stream, None, _UNBUFFERED, 0)
    return descriptor, int(stream)


class _FFmpegLog:
    """PyAV's log, which is off unless a program sets its level: on while any thread listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening = 0
        self._undo = ExitStack()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have FFmpeg tell of errors; if the log was off, those of threads that do not listen are dropped."""
        with self._lock:
            self._listening += 1
            if self._listening == 1:
                self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._listening -= 1
                if not self._listening:
                    self.end()

    def _begin(self) -> None:
        from av import logging

        self._undo.callback(logging.set_skip_repeated, logging.get_skip_repeated())
        logging.set_skip_repeated(False)  # otherwise a file would lose what was said of the one before it
        level = logging.get_level()
        if level is None or level < logging.ERROR:
            self._undo.callback(logging.set_level, level)
            others = logging.Capture(local=False)
            others.__enter__()
            self._undo.callback(others.__exit__, None, None, None)
            logging.set_level(logging.ERROR)

    def end(self) -> None:
        """Set PyAV's log as it was."""
        self._undo.close()


_stderr, _ffmpeg = _Stderr(), _FFmpegLog()


def _forked() -> None:
    """Begin anew in a forked process: its other threads are gone, whatever they were doing."""
    global _stderr, _ffmpeg
    _stderr.restore()
    _ffmpeg.end()
    _stderr, _ffmpeg = _Stderr(), _FFmpegLog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
