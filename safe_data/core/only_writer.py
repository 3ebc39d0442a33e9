"""only_writer: a lock on a file or folder that is written, for commands that may be started twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from safe_data.core.errors import InputError
from safe_data.core.files import explaining

LOCK = ".lock"


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Lock a file or folder that is written, so that the same command started twice does not write it twice.

    Raises:
        InputError: another process holds it.
    """
    lock = FileLock(path.with_name(f".{path.name}{LOCK}"), timeout=0)
    with explaining(path):
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{path}: another process is writing it; wait for it, or name another path"
            ) from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
