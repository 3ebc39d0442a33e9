"""Output: what a command prints, kept apart from what another program reads."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from safe_eval.tables.formats import Format


def say(lines: Iterable[str]) -> None:
    """Print lines; names from a predictions file must not steer the terminal."""
    for line in lines:
        print("".join(letter if letter.isprintable() else "?" for letter in line))


def wrote(paths: Sequence[Path], format: Format = "text") -> None:
    """Say where results lie: beside the output, where that is for another program."""
    print(f"wrote {' and '.join(map(str, paths))}", file=sys.stdout if format == "text" else sys.stderr)
