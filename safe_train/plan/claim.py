"""Claim: one process at a time runs a step; others that share the folder can tell which, and wait for it.

OUT/.NAME-1a2b3c4d.lock            held while the step runs; it is free once the process has ended
OUT/NAME-1a2b3c4d/running.json     who holds it
"""

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from safe_data.core.files import PART, write_json
from safe_data.core.only_writer import LOCK, HeldError, only_writer
from safe_train.plan.record import now

RUNNING = "running.json"
_LOOKS, _LOOK_SECONDS = 3, 0.05  # whoever else looks holds the lock for a moment, too
_PART = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PART)}")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The content of running.json: the process that runs a step, and since when in UTC."""

    host: str
    process: int
    started: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.started}"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the folder of a step, and wait while another process does.

    What a killed run left half-written there is removed.

    Raises:
        InputError: the folder may not be written to.
    """
    with only_writer(folder, waits=True):
        for file in folder.rglob(f".*{PART}"):
            if _PART.fullmatch(file.name):
                file.unlink(missing_ok=True)
        own = Holder(host=platform.node(), process=os.getpid(), started=now())
        write_json(folder / RUNNING, own)
        try:
            yield
        finally:
            (folder / RUNNING).unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Remove what a claimed folder holds, so that its step begins anew."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != RUNNING:
            path.unlink()


def holder_of(folder: Path) -> str | None:
    """Who runs the step of a folder now, in words; None if nobody does."""
    if not folder.with_name(f".{folder.name}{LOCK}").exists():
        return None
    for _ in range(_LOOKS):
        try:
            with only_writer(folder):
                return None
        except HeldError:
            time.sleep(_LOOK_SECONDS)
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return str(msgspec.json.decode((folder / RUNNING).read_bytes(), type=Holder))
    return "another process"
