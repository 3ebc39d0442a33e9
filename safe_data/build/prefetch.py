"""Prefetch: decode each clip once for all encoders, batch it, and prepare the next batch meanwhile."""

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.build.pack import Loaded, load
from safe_data.core.errors import InputError
from safe_data.media.decode import opened_sound
from safe_data.media.intake import Heard, hear
from safe_data.records import Record
from safe_data.shards.layout import ShardPaths
from safe_data.shards.plan import Entry
from safe_data.shards.storage import Storage

BATCH_CLIPS = 32
BATCH_SAMPLES = 2**24  # 64 MiB of float32; a batch of long clips has fewer of them
LOADERS = 2  # threads that read and decode

T = TypeVar("T")


def load_ahead(
    entries: Iterable[Entry], root: Path, frames: int, rates_hz: Collection[int]
) -> Generator[tuple[int, Loaded]]:
    """Load records with their media, in order; threads decode the next ones while one is in use."""
    upcoming: deque[tuple[int, Future[Loaded]]] = deque()
    with ThreadPoolExecutor(LOADERS) as threads:
        for index, entry in entries:
            upcoming.append((index, threads.submit(load, entry, root, frames, rates_hz)))
            if len(upcoming) > LOADERS:
                first, loading = upcoming.popleft()
                yield first, loading.result()
        for first, loading in upcoming:
            yield first, loading.result()


def stored_clips(
    storage: Storage, paths: ShardPaths, rows: pa.Table, rates_hz: Collection[int]
) -> Iterator[Heard | None]:
    """Read the sounds of a shard's samples from its tar; None for a sample without sound.

    Raises:
        InputError: a sound is damaged.
    """
    columns = ["id", "has_audio", "json_offset", "json_size", "audio_offset", "audio_size", "audio_sha256"]
    samples = rows.filter(pc.equal(rows["status"], "ok")).select(columns)
    with storage.local(paths.tar) as path, path.open("rb") as tar:
        for row in samples.to_pylist():
            try:
                yield _stored_sound(tar.fileno(), row, rates_hz) if row["has_audio"] else None
            except ValueError:
                raise InputError(
                    f"{storage}/{paths.tar}: the sound of {row['id']!r} is not what was stored; "
                    "`safe-data verify` says what else is damaged"
                ) from None


def _stored_sound(tar: int, row: dict[str, Any], rates_hz: Iterable[int]) -> Heard:
    audio = Record.model_validate_json(os.pread(tar, row["json_size"], row["json_offset"])).audio
    data = os.pread(tar, row["audio_size"], row["audio_offset"])
    if audio is None or hashlib.sha256(data).hexdigest() != row["audio_sha256"]:
        raise ValueError("damaged")
    with opened_sound(io.BytesIO(data), audio.start_seconds, audio.duration_seconds) as sound:
        return hear(sound, rates_hz)


def batches(clips: Iterable[T], heard: Callable[[T], Heard | None]) -> Generator[list[T]]:
    """Group clips into batches, limited by their number and their total length."""
    batch: list[T] = []
    held = 0
    for clip in clips:
        batch.append(clip)
        held += sum(len(samples) for samples in (heard(clip) or {}).values())
        if len(batch) == BATCH_CLIPS or held >= BATCH_SAMPLES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


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
