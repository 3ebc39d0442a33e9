"""only_writer: a lock on a file or folder that is written, for commands that may be started twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from safe_data.core.errors import InputError
from safe_data.core.files import explaining

LOCK = ".lock"
_POLL_SECONDS = 0.5  # a lock on a network disk costs a message


class HeldError(InputError):
    """Another process holds the lock."""


@contextmanager
def only_writer(path: Path, *, waits: bool = False) -> Iterator[None]:
    """Lock a file or folder that is written, so that the same command started twice does not write it twice.

    The lock is of the file system (flock), which frees it when the process ends, however it ends. A network
    disk must support it, between its machines, too.

    Args:
        path: file or folder; the lock lies beside it
        waits: wait while another process holds it

    Raises:
        HeldError: another process holds it.
        InputError: the folder may not be written to.
    """
    lock = FileLock(path.with_name(f".{path.name}{LOCK}"), timeout=-1 if waits else 0)
    with explaining(path):
        try:
            lock.acquire(poll_interval=_POLL_SECONDS)
        except Timeout:
            raise HeldError(
                f"{path}: another process is writing it; wait for it, or name another path"
            ) from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
