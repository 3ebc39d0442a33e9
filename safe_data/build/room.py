"""Room: the memory that a worker has for records in flight; a record is admitted while there is room."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


class Room:
    """Count what records in flight take, from before they are loaded until they are stored and embedded.

    A record larger than all room is admitted alone. If workers share a reserve, it may use this as well, and
    only one worker at a time does: `lock` is the file that says so.
    """

    def __init__(self, size: int, reserve: int = 0, lock: Path | None = None) -> None:
        self._size, self._reserve = size, reserve
        self._lock = None if lock is None else FileLock(lock, thread_local=False)
        self._used = 0
        self._changed = threading.Condition()

    def admit(self, cost: int) -> "Held | None":
        """Admit a record if it fits now."""
        with self._changed:
            return self._held(cost) if self._used + cost <= self._size else None

    def wait(self, cost: int) -> "Held":
        """Admit a record as soon as it fits, or nothing else is held."""
        large = cost > self._size and self._lock is not None
        if large and self._lock is not None:
            self._lock.acquire(poll_interval=0.02)
        limit = self._size + (self._reserve if large else 0)
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + cost <= limit)
            return self._held(cost, reserve=large)

    def _held(self, cost: int, reserve: bool = False) -> "Held":
        self._used += cost
        return Held(self, cost, reserve)

    def _change(self, by: int, free_reserve: bool) -> None:
        if free_reserve and self._lock is not None:
            self._lock.release()
        with self._changed:
            self._used += by
            self._changed.notify_all()

    @property
    def size(self) -> int:
        """The room of this worker alone, in bytes."""
        return self._size

    @property
    def used(self) -> int:
        """What is held now, in bytes."""
        return self._used

    @contextmanager
    def closing(self) -> Iterator["Room"]:
        """Give the reserve to other workers at the end, whatever happened."""
        try:
            yield self
        finally:
            if self._lock is not None:
                self._lock.release(force=True)


class Held:
    """What an admitted record takes."""

    def __init__(self, room: Room, cost: int, reserve: bool) -> None:
        self._room, self._cost, self._reserve = room, cost, reserve

    def shrink(self, cost: int) -> None:
        """Say that the record takes no more than so much from now on."""
        cost = min(cost, self._cost)
        free = self._reserve and cost <= self._room.size
        self._room._change(cost - self._cost, free)
        self._cost, self._reserve = cost, self._reserve and not free

    def release(self) -> None:
        """Say that the record takes nothing any more."""
        self.shrink(0)
