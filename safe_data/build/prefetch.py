"""Prefetch: decode each clip once for all encoders, batch it, and prepare the next batch meanwhile."""

import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.build.contents import sha256_of
from safe_data.build.cost import heard_bytes, record_bytes
from safe_data.build.pack import Loaded, bytes_of, load
from safe_data.build.room import Held, Room
from safe_data.core.errors import InputError
from safe_data.media.decode import opened_sound
from safe_data.media.intake import Heard, hear
from safe_data.records import Record
from safe_data.shards.layout import ShardPaths
from safe_data.shards.plan import Entry
from safe_data.shards.storage import Storage
from safe_data.shards.tar import MemberFile

BATCH_CLIPS = 32
BATCH_SAMPLES = 2**24  # 64 MiB of float32; a batch of long clips has fewer of them
LOADERS = 2  # threads that read and decode
STORED_COLUMNS = [
    "id",
    "has_audio",
    "duration_seconds",
    "json_offset",
    "json_size",
    "audio_offset",
    "audio_size",
    "audio_sha256",
]

T = TypeVar("T")


def load_ahead(
    entries: Iterable[Entry], root: Path, frames: int, rates_hz: Collection[int], room: Room
) -> Generator[tuple[int, Loaded] | None]:
    """Load records with their media, in order; threads decode the next ones while one is in use.

    A record is loaded while there is room for it. None comes where it must wait for the records that were
    given before: whoever collects them has to pass them on, or there would never be room.
    """
    upcoming: deque[tuple[int, Future[Loaded]]] = deque()
    with ThreadPoolExecutor(LOADERS) as threads:

        def oldest() -> tuple[int, Loaded]:
            index, loading = upcoming.popleft()
            return index, loading.result()

        for index, entry in entries:
            cost = record_bytes(entry, root, frames, rates_hz)
            held = room.admit(cost)
            while held is None and upcoming:
                yield oldest()
                held = room.admit(cost)
            if held is None:
                yield None
                held = room.wait(cost)
            upcoming.append((index, threads.submit(_load, entry, root, frames, rates_hz, held)))
            if len(upcoming) > LOADERS:
                yield oldest()
        while upcoming:
            yield oldest()


def _load(entry: Any, root: Path, frames: int, rates_hz: Collection[int], held: Held) -> Loaded:
    loaded = load(entry, root, frames, rates_hz)
    held.shrink(loaded.bytes)
    return replace(loaded, held=held)


@dataclass(frozen=True)
class StoredClip:
    """What encoders hear of a sample, None for one without sound; and what that takes."""

    heard: Heard | None
    held: Held | None = None


def stored_clips(
    storage: Storage, paths: ShardPaths, rows: pa.Table, rates_hz: Collection[int], room: Room
) -> Iterator[StoredClip | None]:
    """Read the sounds of a shard's samples from its tar; None comes as from `load_ahead`.

    Raises:
        InputError: a sound is damaged.
    """
    samples = rows.filter(pc.equal(rows["status"], "ok")).select(STORED_COLUMNS)
    with storage.local(paths.tar) as path, path.open("rb") as tar:
        for row in samples.to_pylist():
            if not row["has_audio"]:
                yield StoredClip(None)
                continue
            cost = heard_bytes(row["duration_seconds"], rates_hz)
            if (held := room.admit(cost)) is None:
                yield None
                held = room.wait(cost)
            try:
                heard = _stored_sound(tar.fileno(), row, rates_hz)
            except ValueError:
                raise InputError(
                    f"{storage}/{paths.tar}: the sound of {row['id']!r} is not what was stored; "
                    "`safe-data verify` says what else is damaged"
                ) from None
            held.shrink(bytes_of(heard))
            yield StoredClip(heard, held)
            del heard


def _stored_sound(tar: int, row: dict[str, Any], rates_hz: Iterable[int]) -> Heard:
    audio = Record.model_validate_json(os.pread(tar, row["json_size"], row["json_offset"])).audio
    with MemberFile(tar, row["audio_offset"], row["audio_size"]) as file:
        if audio is None or sha256_of(file) != row["audio_sha256"]:
            raise ValueError("damaged")
        with opened_sound(file, audio.start_seconds, audio.duration_seconds) as sound:
            return hear(sound, rates_hz)


def batches(clips: Iterable[T | None], heard: Callable[[T], Heard | None]) -> Generator[list[T]]:
    """Group clips into batches, limited by their number and their total length; a None ends a batch."""
    batch: list[T] = []
    held = 0
    for clip in clips:
        if clip is not None:
            batch.append(clip)
            held += sum(len(samples) for samples in (heard(clip) or {}).values())
        if batch and (clip is None or len(batch) == BATCH_CLIPS or held >= BATCH_SAMPLES):
            yield batch
            batch, held = [], 0
        del clip  # who waits for the next one must not hold this one
    if batch:
        yield batch


@contextmanager
def leaving(batch: list[Any]) -> Iterator[None]:
    """Use a batch; then nothing of it is in memory, though the list may still be."""
    try:
        yield
    finally:
        for clip in batch:
            if clip.held is not None:
                clip.held.release()
        batch.clear()


@contextmanager
def one_ahead(items: Generator[T]) -> Iterator[Iterator[T]]:
    """Iterate over items in order; a thread makes the next one while one is in use."""
    try:
        with ThreadPoolExecutor(1) as thread:

            def made() -> Iterator[T]:
                upcoming = thread.submit(next, items, None)
                while (item := upcoming.result()) is not None:
                    upcoming = thread.submit(next, items, None)
                    yield item

            yield made()
    finally:
        with suppress(ValueError):  # Ctrl-C while the thread starts: nobody waits for it, so it may still run
            items.close()
