"""Make ids from names in a corpus: an id holds only A-Z a-z 0-9 _ and -, and no two names share one."""

import hashlib
import re
from collections.abc import Container, Sequence
from decimal import Decimal

from safe_data.core.numerals import cut
from safe_data.records import ID_PATTERN, LONGEST_ID

LONGEST_LEGIBLE = 60


def id_of(name: str) -> str:
    """The name itself if it is an id; otherwise its legible part and a hash of the whole name.

    >>> id_of("dog-01"), id_of("Rain, 10.5 s.wav")
    ('dog-01', 'Rain-10-5-s-wav-87adcb79eb2a')
    """
    if len(name) <= LONGEST_LEGIBLE and ID_PATTERN.fullmatch(name):
        return name
    legible = re.sub(r"[^A-Za-z0-9]+", "-", name[:LONGEST_LEGIBLE]).strip("-")
    return f"{legible}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:12]}"


def clip_id(name: str, start_seconds: float) -> str:
    """A name that is an id, followed by the start of the clip in seconds, with a dash as decimal point.

    The start comes after the last underscore and contains none, so that two clips never share an id.

    >>> clip_id("_dB-1", 30.0), clip_id("_dB-1", 1.05), clip_id("_dB-1", 10.5)
    ('_dB-1_30', '_dB-1_1-05', '_dB-1_10-5')
    """
    start = f"{Decimal(repr(start_seconds)):f}".removesuffix(".0")
    return f"{name}_{start.replace('.', '-')}"


def as_id(name: str) -> str:
    """The id closest to a name, such as the name of a folder; two names may give the same id."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "dataset"


def free_id(name: str, index: int, taken: Container[str]) -> str:
    """An id for the row with this index whose own id is another row's, or is too long.

    >>> free_id("dog-01", 7, {"dog-01"}), free_id("dog-01", 7, {"dog-01", "dog-01-7"})
    ('dog-01-7', 'dog-01-7-')
    """
    free = f"{id_of(name)}-{index}"
    while free in taken:
        free += "-"
    return free


def own_ids(ids: Sequence[str]) -> list[str]:
    """An id for each row that no other has: the first row that has one keeps it, unless it is too long.

    >>> own_ids(["dog", "crow", "dog"])
    ['dog', 'crow', 'dog-2']
    """
    wanted, taken = set(ids), set()
    found = []
    for index, name in enumerate(ids):
        own = name
        if name in taken or len(name) > LONGEST_ID:
            own = free_id(name, index, wanted)
            wanted.add(own)
        taken.add(name)
        found.append(own)
    return found


def too_long(record_id: str) -> str:
    """What is wrong with an id of more than 95 characters.

    >>> too_long("dog" * 40)[-39:]
    "…' has 120 characters; shorten it to 95"
    """
    return f"{cut(record_id, LONGEST_ID)!r} has {len(record_id)} characters; shorten it to {LONGEST_ID}"
