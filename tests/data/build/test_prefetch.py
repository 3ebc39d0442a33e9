"""Clips are prefetched in order, decoded in threads, one batch ahead and no more."""

import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from builds import write_world
from hypothesis import given
from hypothesis import strategies as st

from safe_data.build.prefetch import BATCH_CLIPS, BATCH_SAMPLES, LOADERS, batches, load_ahead, one_ahead
from safe_data.build.room import Room
from safe_data.media.intake import Heard
from safe_data.sources.folder import read


def test_one_is_made_while_another_is_used_and_no_more() -> None:
    made: list[int] = []

    def items() -> Generator[int]:
        for number in range(6):
            made.append(number)
            yield number

    with one_ahead(items()) as upcoming:
        for number in upcoming:
            deadline = time.monotonic() + 5
            while len(made) < min(6, number + 2) and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.01)
            assert made == list(range(min(6, number + 2)))
    assert made == list(range(6))


def test_what_fails_while_it_is_made_fails_where_it_is_used() -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            yield 1
            raise OSError("no more")
        finally:
            closed.set()

    used = []
    with pytest.raises(OSError, match="no more"), one_ahead(items()) as upcoming:
        used.extend(upcoming)
    assert used == [1]
    assert closed.is_set()


def test_stopping_in_the_middle_ends_what_makes_them() -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    threads = threading.active_count()
    with one_ahead(items()) as upcoming:
        assert next(upcoming) == 0
        assert threading.active_count() == threads + 1
    assert closed.is_set()
    assert threading.active_count() == threads


def test_an_interruption_while_the_thread_starts_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    running = threading.Event()
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        assert running.wait(5)
        raise KeyboardInterrupt

    def items() -> Generator[int]:
        running.set()
        time.sleep(0.2)
        yield 1

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), one_ahead(items()) as upcoming:
        next(upcoming)


@given(st.lists(st.just("end") | st.none() | st.integers(0, BATCH_SAMPLES), max_size=100))
def test_batches_hold_every_clip_once_and_are_bounded(lengths: list[int | str | None]) -> None:
    clips = [None if length == "end" else clip_of(length) for length in lengths]
    found = list(batches(clips, heard=lambda clip: clip[0]))
    assert [clip for batch in found for clip in batch] == [clip for clip in clips if clip is not None]
    for batch in found:
        assert 1 <= len(batch) <= BATCH_CLIPS
        held = sum(len(clip[0][8000]) for clip in batch[:-1] if clip[0])
        assert held < BATCH_SAMPLES  # one clip more than that is the most that is held


def test_a_batch_ends_where_there_is_no_more_room() -> None:
    one, two, three = (clip_of(length) for length in (1, None, 3))
    found = batches([None, one, None, None, two, three, None], heard=lambda clip: clip[0])
    assert list(found) == [[one], [two, three]]


def clip_of(length: int | None) -> tuple[Heard | None]:
    """A clip of silence, or a sample without sound."""
    return (None if length is None else {8000: np.broadcast_to(np.float32(0), length)},)


def test_records_are_loaded_in_order_a_few_ahead(tmp_path: Path) -> None:
    asked: list[int] = []
    write_world(tmp_path, 10)
    records = list(read(tmp_path))

    def entries() -> Generator[object]:
        for entry in enumerate(records):
            asked.append(entry[0])
            yield entry

    found = []
    for index, loaded in load_ahead(entries(), tmp_path, 1, (), Room(2**30)):  # type: ignore[arg-type]
        assert len(asked) <= index + 1 + LOADERS
        found.append((index, loaded.entry.id))
    assert found == [(number, record.id) for number, record in enumerate(records)]
