"""Print to the terminal: results, and which files were written."""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from safe_data.core.table import Format


def printable(text: str) -> str:
    """Replace characters that could control the terminal: captions and file names come from strangers.

    >>> printable("a\\x1b[2Jb")
    'a�[2Jb'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def escaped(text: str) -> str:
    """Write characters that could control the terminal as Python does, so that a name can still be found.

    >>> escaped("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def say(lines: Iterable[str], *, flush: bool = False) -> None:
    """Print lines that may contain text from a user's files.

    A reader that has seen enough, such as `head`, does not stop the command, whose exit code must hold.
    """
    try:
        for line in lines:
            print(printable(line), flush=flush)
    except BrokenPipeError:
        silence()


def complain(lines: Iterable[str]) -> None:
    """Print lines that may contain text from a user's files to stderr: errors, and how far long work is."""
    for line in lines:
        print(printable(line), file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Print a text of our own as it is, such as a script for a shell."""
    print(text)


def silence() -> None:
    """Print nothing from now on: the reader of stdout has gone away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare() -> None:
    """Print nothing where whoever started the program closed a stream, as `>&-` does.

    A character that the encoding of a terminal lacks is printed as its escape.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open, as a stream does
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def flush() -> int:
    """Print what is still in the buffer, and return exit code 0.

    Raises:
        OSError: the disk is full, for example. It is said once, and not again when the program ends.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        silence()
        raise
    return 0


def wrote(paths: Sequence[Path], format: Format = "text") -> None:
    """Say which files were written; on stderr where stdout holds a format for another program."""
    *first, last = map(str, paths)
    listed = f"{', '.join(first)} and {last}" if first else last
    (say if format == "text" else complain)([f"wrote {listed}"])
