"""Memory: the limit on what a build takes, and how much of it each worker has for records in flight.

Python with the libraries of a build takes some of it; the rest is for records. Each worker has a room of the
same size. A record may be larger than that: only one worker at a time loads such a one, and has the reserve
for it. What a pretrained encoder takes (torch, weights, activations) is not counted.
"""

import ctypes
import os
import re
import resource
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from safe_data.build.cost import largest_bytes, record_bytes, sound_bytes
from safe_data.build.room import Room
from safe_data.core.errors import InputError
from safe_data.media.paths import MediaRoot
from safe_data.records import Record, Rejected

MAIN_BYTES = 120_000_000  # the process that starts the workers
OWN_BYTES = 160_000_000  # a worker without records
DEFAULT_BYTES = 1_000_000_000
LARGE_BLOCK_BYTES = 2**22
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMG]i?B)\s*", re.ASCII | re.IGNORECASE)
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Share:
    """What a worker may take for records: its room, and the reserve that one worker at a time may add to it.

    `lock` is the file of whoever uses the reserve.
    """

    room: int = 2**29
    reserve: int = 0
    lock: str | None = None

    def opened(self) -> AbstractContextManager[Room]:
        """The room of a worker; at the end it gives the reserve to others."""
        _return_memory()
        return Room(self.room, self.reserve, None if self.lock is None else Path(self.lock)).closing()


@contextmanager
def locking(share: Share) -> Iterator[Share]:
    """Give a share with a reserve the file by which workers take turns at it."""
    if not share.reserve:
        yield share
        return
    with NamedTemporaryFile(prefix="safe-data-", suffix=".lock") as file:
        yield replace(share, lock=file.name)


class Needs(NamedTuple):
    """What the longest sound of a build may take, and its largest record."""

    sound: int
    largest: int


def needs_of(records: Iterable[Record | Rejected], rates_hz: Collection[int]) -> Needs:
    """What these records may take, without a look at their files."""
    rates = frozenset(rates_hz)
    sound = largest = 0
    for record in records:
        if isinstance(record, Record):
            sound = max(sound, sound_bytes(record.audio, rates))
            largest = max(largest, largest_bytes(record, rates))
    return Needs(sound, largest)


def exact_needs(
    records: Iterable[Record | Rejected], root: MediaRoot, frames: int, rates_hz: Collection[int]
) -> Needs:
    """What these records take, by the heads of their files; this opens every picture."""
    found = list(records)
    largest = max((record_bytes(record, root, frames, rates_hz) for record in found), default=0)
    return Needs(needs_of(found, rates_hz).sound, largest)


def share_of(
    memory: str | None,
    needs: Needs,
    exact: Callable[[], Needs] | None = None,
    *,
    workers: int,
    here: bool,
    plan_bytes: int,
) -> Share:
    """Divide the memory of a build among its workers.

    Args:
        memory: limit such as 800MB (default: the smaller of 1 GB and a quarter of the machine's memory, or
            what the workers need at least)
        needs: what one record may take
        exact: what one record does take, which is asked only if the memory were too little otherwise
        workers: number of workers
        here: whether the one worker is this process
        plan_bytes: what the plan takes in this process

    Raises:
        InputError: it is no size, or too small for one record of the largest size.
    """
    own = plan_bytes + workers * OWN_BYTES + (0 if here else MAIN_BYTES)
    least = own + needs.largest + (workers - 1) * needs.sound
    limit = max(least, min(DEFAULT_BYTES, machine_bytes() // 4)) if memory is None else bytes_in(memory)
    if limit < least and exact is not None:
        needs = exact()
        least = own + needs.largest + (workers - 1) * needs.sound
    if limit < least:
        many = workers > 1
        raise InputError(
            f"--memory {memory} is too little for {workers} worker{'s' * many} and the largest record that "
            f"may come; give {-(-least // 10**6)}MB or more{', or fewer workers' * many}"
        )
    room = (limit - own) // workers
    if room < needs.largest:  # only with several workers, and then one at a time has the reserve
        room = (limit - own - needs.largest) // (workers - 1)
        return Share(room, needs.largest - room)
    return Share(room)


def bytes_in(text: str) -> int:
    """A size in bytes.

    Raises:
        InputError: it is not a number with a unit.

    >>> bytes_in("800MB"), bytes_in("1.5 GiB")
    (800000000, 1610612736)
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InputError(f"--memory {text!r} is no size; write a number and a unit, such as 800MB or 1GiB")
    return int(float(found[1]) * UNITS[found[2].upper()])


@cache
def _return_memory() -> None:
    """Let the C library give every large block back to the system when it is freed, once per process.

    Otherwise glibc keeps blocks of up to 32 MiB, such as those of a decoded picture, for later.

    Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
    """
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * LARGE_BLOCK_BYTES)  # small ones are used again at once


def machine_bytes() -> int:
    """The memory of this machine, or of the container that this process runs in."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such limit, or "max"
            sizes.append(int(Path(path).read_text("ascii")))
    return min(sizes)


def resident_bytes() -> int:
    """What this process takes; its peak where the system does not say what it takes now."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
