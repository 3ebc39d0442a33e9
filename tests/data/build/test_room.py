"""What is in flight never takes more than the room, every record still comes, and nobody waits for ever."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builds import built, write_world
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.build import prefetch
from safe_data.build.build import build_dataset
from safe_data.build.pack import Loaded, Packed
from safe_data.build.prefetch import batches, leaving, load_ahead, one_ahead
from safe_data.build.room import Room
from safe_data.records import Rejected
from safe_data.shards.manifest import Row


def entry(number: int) -> tuple[int, Rejected]:
    return number, Rejected(id=f"r{number}", dataset="d", split="train", reason="no such file: x")


class World:
    """Records with made-up costs, and what is really in memory."""

    def __init__(self, patch: pytest.MonkeyPatch, loading: list[int], kept: list[int]) -> None:
        self.loading, self.kept, self.most = loading, kept, 0
        self._now, self._lock = 0, threading.Lock()
        patch.setattr(prefetch, "record_bytes", lambda entry, *_: self.loading[int(entry.id[1:])])
        patch.setattr(prefetch, "load", self._load)

    def change(self, by: int) -> None:
        with self._lock:
            self._now += by
            self.most = max(self.most, self._now)

    def _load(self, record: Rejected, *_: object) -> Loaded:
        number = int(record.id[1:])
        self.change(self.loading[number])
        time.sleep(0)
        self.change(self.kept[number] - self.loading[number])
        return Loaded(record, heard={8_000: np.zeros(self.kept[number] // 4, np.float32)})

    def stored(self, loaded: Iterator[tuple[int, Loaded] | None]) -> Iterator[Packed | None]:
        for one in loaded:
            if one is None:
                yield None
            else:
                about = {"id": one[1].entry.id, "dataset": "d", "split": "train", "group": ""}
                row = Row(index=one[0], shard="s", status="ok", **about)
                yield Packed(row, one[1].heard, one[1].held)

    def build(self, room: Room) -> list[int]:
        """Go through all records as a build does; return their numbers."""
        found: list[int] = []
        entries = [entry(number) for number in range(len(self.loading))]
        stored = self.stored(load_ahead(entries, Path(), 1, (8_000,), room))
        with room.closing(), one_ahead(batches(stored, heard=lambda packed: packed.heard)) as upcoming:
            for batch in upcoming:
                with leaving(batch):
                    found += [packed.row.index for packed in batch]
                    self.change(-sum(packed.heard[8_000].nbytes for packed in batch))
        return found


@settings(max_examples=40, deadline=None)
@given(
    costs=st.lists(st.tuples(st.integers(0, 1_200), st.integers(0, 100)), min_size=1, max_size=40),
    size=st.integers(1, 1_500),
)
def test_records_in_flight_fit_the_room_or_are_alone(costs: list[tuple[int, int]], size: int) -> None:
    loading = [cost for cost, _ in costs]
    kept = [cost * percent // 100 // 4 * 4 for cost, percent in costs]
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch, loading, kept)
        room = Room(size)
        assert world.build(room) == list(range(len(costs)))
    assert world.most <= max(size, *loading)
    assert room.used == 0


def test_a_large_record_takes_turns_at_the_reserve(tmp_path: Path) -> None:
    lock = tmp_path / "reserve.lock"
    one, two = Room(100, 400, lock), Room(100, 400, lock)
    small = one.wait(80)
    large = one.wait(350)  # the room and the reserve hold both
    assert one.used == 430
    came = threading.Event()

    def wait() -> None:
        held = two.wait(350)
        came.set()
        held.release()

    thread = threading.Thread(target=wait)
    thread.start()
    assert two.admit(90) is not None  # a small one goes on meanwhile
    assert not came.wait(0.1)
    large.shrink(20)  # what is left of it fits the room, so the reserve is free
    assert came.wait(5) or pytest.fail("the reserve was not given back")
    thread.join()
    small.release()
    assert one.used == 20


def test_a_worker_that_fails_gives_the_reserve_back(tmp_path: Path) -> None:
    lock = tmp_path / "reserve.lock"

    def fail() -> None:
        with Room(10, 100, lock).closing() as room:
            room.wait(90)
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    assert Room(10, 100, lock).wait(90)


def test_a_failure_does_not_wait_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [60] * 10, [60] * 10)
    stored = world.stored(load_ahead([entry(n) for n in range(10)], Path(), 1, (8_000,), Room(100)))

    def fail() -> None:
        with one_ahead(batches(stored, lambda one: one.heard)) as upcoming:
            for batch in upcoming:
                with leaving(batch):
                    time.sleep(0.05)  # the next record waits for this one
                    raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()


def test_the_memory_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = write_world(tmp_path / "world", 4)
    build_dataset(world, tmp_path / "plenty", memory="4GB", quiet=True)
    monkeypatch.setattr(prefetch, "record_bytes", lambda *_: 2**40)  # each record is loaded alone
    build_dataset(world, tmp_path / "little", memory="450MB", quiet=True)
    assert built(tmp_path / "plenty") == built(tmp_path / "little")
