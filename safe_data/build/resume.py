"""Resume a build: one build at a time per place, and only with the plan and the media it began with."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from safe_data.build.pack import pack
from safe_data.core.errors import InputError
from safe_data.core.files import PART, explaining
from safe_data.core.progress import Progress
from safe_data.media.paths import MediaRoot
from safe_data.shards.layout import (
    DATASET,
    FORMAT_VERSION,
    PLAN,
    Dataset,
    Done,
    Encoding,
    FileFacts,
    ShardPaths,
    read_json,
    stored_facts,
    write_unless_there,
)
from safe_data.shards.plan import Entry, Plan
from safe_data.shards.storage import Folder, Storage
from safe_data.shards.tar import TarWriter

LOCK = ".lock"
CHECKED_RECORDS = 3  # per finished shard, when a build continues


@contextmanager
def only_build(storage: Storage) -> Iterator[None]:
    """Lock a folder, and remove half-written files of a killed build or worker.

    A URL is not locked, and has no half-written files: a file appears there by one upload.

    Raises:
        InputError: another build holds the folder, or it may not be written to.
    """
    if not isinstance(storage, Folder):
        yield
        return
    folder = storage.path
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a directory for the dataset")
    lock = FileLock(folder / LOCK, timeout=0)
    with explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{folder}: another build is writing here; wait for it, or name another"
            ) from None
    try:
        _clear(folder)
        yield
    finally:
        _clear(folder)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _clear(folder: Path) -> None:
    for part in [*folder.glob(f".*{PART}"), *folder.glob(f"*/.*{PART}")]:
        part.unlink(missing_ok=True)


def adopt(plan: Plan, storage: Storage) -> None:
    """Write the plan into a new place, or continue with it.

    Raises:
        InputError: the place holds another plan, or something that is not a dataset.
    """
    if _dataset_plan(storage) == plan.sha256:  # its own plan.json may be damaged or missing
        write_unless_there(storage, PLAN, plan.to_json())
        return
    if storage.size(PLAN) is None:
        foreign = [name for name in storage.names() if not name.startswith(".")]
        if foreign:
            first = foreign[0].partition("/")[0]
            raise InputError(f"{storage}: holds {first!r} and no dataset; name an empty or new directory")
        write_unless_there(storage, PLAN, plan.to_json())
        return
    with storage.open(PLAN) as file:
        found = file.read()
    if found != plan.to_json():
        raise InputError(
            f"{storage}: was begun with another plan ({_difference(found, plan)}); "
            "give the same records, media and options, or name a new directory"
        )


def _dataset_plan(storage: Storage) -> str | None:
    """The plan that a finished dataset was built by; None if there is none."""
    try:
        return read_json(storage, DATASET, Dataset).plan_sha256
    except InputError:
        return None


def _difference(found: bytes, plan: Plan) -> str:
    try:
        old = json.loads(found)
        new = json.loads(plan.to_json())
        for key in ("format_version", "name", "shard_size", "frames"):
            if old[key] != new[key]:
                return f"{key} was {old[key]!r}, is {new[key]!r}"
        for shard in old["shards"] | new["shards"]:
            if old["shards"].get(shard) != new["shards"].get(shard):
                return f"other records or media in {shard}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return f"{PLAN} is damaged"


def read_done(storage: Storage, paths: ShardPaths, plan_sha256: str) -> Done | None:
    """Read done.json of a shard; None if it is missing, damaged, or from another plan or shard."""
    try:
        done = read_json(storage, paths.done, Done)
    except InputError:
        return None
    own = (FORMAT_VERSION, paths.name, paths.split, plan_sha256)
    return done if (done.format_version, done.shard, done.split, done.plan_sha256) == own else None


def whole_files(storage: Storage, paths: ShardPaths, done: Done) -> dict[str, FileFacts]:
    """The files in done.json that exist and have the recorded size."""
    return {
        name: facts for name, facts in done.files.items() if storage.size(paths.folder / name) == facts.bytes
    }


def damaged_files(
    storage: Storage, plan: Plan, encodings: Sequence[Encoding], workers: int, *, quiet: bool
) -> dict[str, tuple[str, ...]]:
    """The names of the files of finished shards that are not what was written, by shard.

    Every byte is read: a build that goes on must not take damaged files for finished ones.

    Raises:
        InputError: the embeddings of another encoder are damaged, which this build would not make again.
    """
    finished = [ShardPaths(Path(), shard.split, shard.name) for shard in plan.shards]
    done = [(paths, found) for paths in finished if (found := read_done(storage, paths, plan.sha256))]
    files = [(paths, name, facts) for paths, found in done for name, facts in found.files.items()]
    damaged: dict[str, tuple[str, ...]] = {}
    with (
        Progress(f"checking {plan.name}", len(files), unit="file", quiet=quiet) as progress,
        ThreadPoolExecutor(workers) as threads,
    ):
        for (paths, name, _), fits in zip(
            files, threads.map(lambda of: _fits(storage, *of), files), strict=True
        ):
            progress.update()
            if not fits:
                damaged[paths.name] = (*damaged.get(paths.name, ()), name)
    labels = {encoding.label for encoding in encodings}
    for paths, found in done:
        for encoding in found.encoders:
            if paths.sidecar(encoding).name in damaged.get(paths.name, ()) and encoding.label not in labels:
                raise InputError(
                    f"{storage}/{paths.sidecar(encoding)}: damaged, and this build would not make it again; "
                    f"add --encoder {_source_of(storage, encoding)}, or remove the file and its embeddings"
                )
    return damaged


def _fits(storage: Storage, paths: ShardPaths, name: str, facts: FileFacts) -> bool:
    """Whether a file is missing, or what was written."""
    size = storage.size(paths.folder / name)
    return size is None or (size == facts.bytes and stored_facts(storage, paths.folder / name) == facts)


def _source_of(storage: Storage, encoding: Encoding) -> str:
    try:
        return read_json(storage, DATASET, Dataset).encoder_facts[encoding.label].source
    except (InputError, KeyError):
        return encoding.name


def check_media(root: MediaRoot, frames: int, entries: Sequence[Entry], rows: pa.Table, where: str) -> None:
    """Compare the media of a few records with the stored hashes; the plan has compared the sizes of all.

    Raises:
        InputError: the shard was built from other media.
    """
    columns = ("index", "status", "audio_sha256", "image_sha256")
    stored = {row["index"]: row for row in rows.select(columns).to_pylist()}
    some = entries[:: max(1, -(-len(entries) // CHECKED_RECORDS))]
    with Path(os.devnull).open("wb") as nowhere:
        found = pack(some, root, "", TarWriter(nowhere), lambda: None, frames)
    for row in found:
        if any(getattr(row, column) != stored.get(row.index, {}).get(column) for column in columns):
            raise InputError(
                f"{where}: the media of {row.id!r} are not those it was built from; give the same media, "
                "or name a new directory"
            )


def discard(plan: Plan, storage: Storage) -> None:
    """Remove the files of this plan, and nothing else."""
    shards = {f"{shard.split}/{shard.name}" for shard in plan.shards}
    for name in storage.names():
        if name == PLAN or name.partition(".")[0] in shards:
            storage.remove(name)
    if isinstance(storage, Folder):
        for split in {shard.split for shard in plan.shards}:
            folder = storage.path / split
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
