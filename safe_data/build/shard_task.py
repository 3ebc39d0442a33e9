"""One shard's work as one function of plain data: here, in other processes and on Ray it is the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.build.engines.piece import Load, Run, Tick
from safe_data.build.pack import store
from safe_data.build.prefetch import batches, hear, load_ahead, one_ahead, stored_clips
from safe_data.build.resume import check_media, read_done, whole_files
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.shards import manifest
from safe_data.shards.layout import (
    FORMAT_VERSION,
    Done,
    Encoding,
    FileFacts,
    ShardPaths,
    hash_file,
    write_json,
)
from safe_data.shards.manifest import Row
from safe_data.shards.plan import PlannedShard
from safe_data.shards.sidecar import Heard, writing_sidecars
from safe_data.shards.storage import Storage, open_storage
from safe_data.shards.tar import TarWriter


@dataclass(frozen=True)
class ShardTask:
    """All that `build_shard` needs, to be sent to another process or machine."""

    source_root: str
    out: str
    plan_sha256: str
    shard: PlannedShard
    encoders: tuple[str, ...]
    frames: int = 1

    @property
    def name(self) -> str:
        return f"{self.out}: {self.shard.name}"

    @property
    def steps(self) -> int:
        """One a record for the tar, and one for each encoder."""
        return len(self.shard.entries) * (1 + len(self.encoders))


def build_shard(task: ShardTask, tick: Tick, load: Load) -> Done:
    """Make what is missing of a shard, done.json last; a task always ends with the same bytes.

    Raises:
        InputError: what there is of it came from other media.
    """
    storage = open_storage(task.out)
    paths = ShardPaths(Path(), task.shard.split, task.shard.name)
    encoders = [load(spec) for spec in task.encoders]
    old = read_done(storage, paths, task.plan_sha256)
    whole = whole_files(storage, paths, old) if old else {}
    if old and {paths.tar.name, paths.rows.name} <= whole.keys():
        done = _with_files(old, whole)
        tick_often(tick, done.rows)
        rows = manifest.read_stored(storage, paths.rows)
        where = f"{storage}/{paths.tar}"
        check_media(Path(task.source_root), task.frames, task.shard.entries, rows, where)
        done = add_sidecars(storage, paths, done, encoders, tick)
    else:
        done = _make(storage, paths, task, old, encoders, tick)
        if old:  # of the same tar, other embeddings are the same, too
            done = _with_files(_merged(done, old.encoders, {}), whole | done.files)
    write_json(storage, paths.done, done)
    return done


def add_sidecars(
    storage: Storage, paths: ShardPaths, done: Done, encoders: Sequence[AudioEncoder], tick: Tick
) -> Done:
    """Write the embeddings that a shard lacks, from the sounds in its tar; what its done.json is to say."""
    missing = [encoder for encoder in encoders if Encoding.of(encoder) not in done.encoders]
    tick_often(tick, len(encoders) * done.rows - len(missing) * done.samples)
    if not missing:
        return done
    rows = manifest.read_stored(storage, paths.rows)
    clips = stored_clips(storage, paths, rows, {encoder.sample_rate_hz for encoder in missing})
    with writing_sidecars(storage, paths, missing) as sidecars:
        with one_ahead(batches(clips, heard=lambda clip: clip)) as upcoming:
            for batch in upcoming:
                for sidecar in sidecars:
                    sidecar.add(batch)
                    tick_often(tick, len(batch))
        files = {paths.sidecar(sidecar.encoding).name: sidecar.close() for sidecar in sidecars}
    return _merged(done, [sidecar.encoding for sidecar in sidecars], files)


def _make(
    storage: Storage,
    paths: ShardPaths,
    task: ShardTask,
    old: Done | None,
    encoders: Sequence[AudioEncoder],
    tick: Tick,
) -> Done:
    """Tar, embeddings and rows at once: every medium is read and decoded one time."""
    rates = {encoder.sample_rate_hz for encoder in encoders}
    rows: list[Row] = []
    with storage.committing(paths.tar) as file, writing_sidecars(storage, paths, encoders) as sidecars:
        tar = TarWriter(file)
        stored = store(load_ahead(task.shard.entries, Path(task.source_root), task.frames), paths.name, tar)
        clips = ((packed.row, hear(packed.sound, rates)) for packed in stored)
        with one_ahead(batches(clips, heard=lambda clip: clip[1])) as upcoming:
            for batch in upcoming:
                rows += [row for row, _ in batch]
                tick_often(tick, len(batch))
                ok: list[Heard | None] = [heard for row, heard in batch if row.status == "ok"]
                for sidecar in sidecars:
                    sidecar.add(ok)
                    tick_often(tick, len(batch))
        files = {paths.sidecar(sidecar.encoding).name: sidecar.close() for sidecar in sidecars}
        files[paths.tar.name] = FileFacts(*tar.close())
        _check_same(f"{storage}/{paths.tar}", old, files[paths.tar.name])
    with storage.committing(paths.rows) as file:
        manifest.write(file, [manifest.table(rows)])
        files[paths.rows.name] = hash_file(file)
    done = Done(
        format_version=FORMAT_VERSION,
        shard=paths.name,
        split=paths.split,
        plan_sha256=task.plan_sha256,
        rows=len(rows),
        samples=sum(row.status == "ok" for row in rows),
        encoders=(),
        files={},
    )
    return _merged(done, [sidecar.encoding for sidecar in sidecars], files)


def _merged(done: Done, encoders: Sequence[Encoding], files: dict[str, FileFacts]) -> Done:
    """A done.json with more embeddings and files."""
    labelled = {encoding.label: encoding for encoding in (*done.encoders, *encoders)}
    return msgspec.structs.replace(
        done,
        encoders=tuple(encoding for _, encoding in sorted(labelled.items())),
        files=dict(sorted((done.files | files).items())),
    )


def _with_files(done: Done, files: dict[str, FileFacts]) -> Done:
    """A done.json that names these files, and the embeddings that are among them."""
    encoders = tuple(e for e in done.encoders if f"{done.shard}.{e.label}.npy" in files)
    return msgspec.structs.replace(done, encoders=encoders, files=dict(sorted(files.items())))


def _check_same(where: str, old: Done | None, tar: FileFacts) -> None:
    if old and old.files.get(Path(where).name, tar) != tar:
        raise InputError(
            f"{where}: made again, it is not what it was; the media have changed; give the same media, "
            "or name a new directory"
        )


def tick_often(tick: Tick, times: int) -> None:
    for _ in range(times):
        tick()


@dataclass(frozen=True)
class EncoderTask:
    """Which encoder is meant."""

    spec: str
    steps: int = 0

    @property
    def name(self) -> str:
        return f"encoder {self.spec!r}"


def encoding_of(task: EncoderTask, _: Tick, load: Load) -> Encoding:
    return Encoding.of(load(task.spec))


def encodings_of(specs: Sequence[str], run: Run) -> list[Encoding]:
    """What the encoders say of themselves where they will work.

    Raises:
        InputError: one is unknown, or cannot be loaded.
    """
    return run(encoding_of, [EncoderTask(spec) for spec in specs], lambda _: None)
