"""The key to the faults of a synthetic world (faults.json), and how many of them an audit found."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from safe_data.core.errors import InputError

FAULTS_JSON = "faults.json"
FORMAT_VERSION = 1


class Planted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault: the records that have it, and, of a copy, what it is a copy of and how it is disguised.

    `transform` is that of the sound and `picture` that of the picture; `same` is a copy byte for byte.
    """

    kind: str
    records: tuple[str, ...]
    split: str
    copy_of: str | None = None
    copied_split: str | None = None
    transform: str | None = None
    picture: str | None = None
    heard: str | None = None
    """of a mismatch, the sound that is heard; its label names another"""


class Key(msgspec.Struct, frozen=True):
    """What was asked for, and every fault that was planted."""

    format_version: int
    asked: dict[str, int]
    planted: tuple[Planted, ...]

    def of(self, kind: str) -> list[Planted]:
        """The faults of a kind."""
        return [one for one in self.planted if one.kind == kind]


class Recall(NamedTuple):
    """How many of the planted copies were found."""

    found: int
    planted: int

    @property
    def rate(self) -> float:
        return self.found / self.planted


def write_key(root: Path, key: Key) -> None:
    """Write the key into a world."""
    text = msgspec.json.format(msgspec.json.encode(key), indent=2)
    (root / FAULTS_JSON).write_bytes(text + b"\n")


def read_key(root: Path) -> Key:
    """Read the key of a world.

    Raises:
        InputError: it has none, or one of another format.
    """
    path = root / FAULTS_JSON
    if not path.is_file():
        raise InputError(f"{path}: missing; make the world with `safe-data synth --faults`")
    try:
        key = msgspec.json.decode(path.read_bytes(), type=Key)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a key to faults ({error}); make the world again") from None
    if key.format_version != FORMAT_VERSION:
        raise InputError(f"{path}: format {key.format_version}, not {FORMAT_VERSION}; make the world again")
    return key


def recall(key: Key, found_pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Recall]:
    """How many planted copies are among the pairs of ids that were found alike, by kind and transform."""
    found = {frozenset(pair) for pair in found_pairs}
    copies = [one for one in key.planted if one.copy_of is not None]
    planted = Counter((one.kind, str(one.transform)) for one in copies)
    right = Counter(
        (one.kind, str(one.transform)) for one in copies if {one.records[0], one.copy_of} in found
    )
    return {which: Recall(right[which], count) for which, count in sorted(planted.items())}


def false_pairs(key: Key, found_pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs that were found alike and that nobody planted."""
    planted = {frozenset((one.records[0], one.copy_of)) for one in key.planted if one.copy_of is not None}
    return [pair for pair in found_pairs if frozenset(pair) not in planted]
