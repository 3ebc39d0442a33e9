"""Recent: the values used last, such as processed pictures, up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values used last, up to a number of bytes; safe for several threads."""

    def __init__(self, capacity_bytes: int) -> None:
        self._room = capacity_bytes
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """The value of a key, if it is still held."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def put(self, key: Hashable, value: Value, size_bytes: int) -> None:
        """Hold a value, and let go of those used longest ago until it fits."""
        with self._lock:
            if key in self._held:
                self._room += self._held.pop(key)[1]
            while self._held and self._room < size_bytes:
                self._room += self._held.popitem(last=False)[1][1]
            if size_bytes <= self._room:
                self._held[key] = value, size_bytes
                self._room -= size_bytes
