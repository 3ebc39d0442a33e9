"""One shard's work as one function of plain data: here, in a process pool and on Ray it is the same."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from safe_data import manifest
from safe_data.encoders import AudioEncoder, load_encoder
from safe_data.errors import InputError
from safe_data.pack import Tick, pack
from safe_data.plan import PlannedShard
from safe_data.shards import (
    FORMAT_VERSION,
    Done,
    Encoding,
    ShardPaths,
    committing,
    file_facts,
    read_json,
    write_json,
)
from safe_data.sidecar import write_sidecar
from safe_data.tar import TarWriter


@dataclass(frozen=True)
class ShardTask:
    """All that `build_shard` needs, to be sent to another process or machine."""

    source_root: str
    out: str
    plan_sha256: str
    shard: PlannedShard
    encoders: tuple[str, ...]


def build_shard(task: ShardTask, tick: Tick = lambda: None) -> Done:
    """Make what is missing of a shard, done.json last; a task always ends with the same bytes.

    `tick` is called once a record for the tar and once for each encoder.
    """
    shard = task.shard
    paths = ShardPaths(Path(task.out), shard.split, shard.name)
    found = _finished(paths, task.plan_sha256)
    done = found or _pack(paths, task, tick)
    if found:
        _tick(tick, found.rows)
    rows = manifest.read(paths.rows)
    for spec in task.encoders:
        encoder = _encoder(spec)
        encoding = Encoding.of(encoder)
        if encoding in done.encoders:
            _tick(tick, done.rows)
            continue
        sidecar = paths.sidecar(encoding)
        with committing(sidecar) as file:
            write_sidecar(file, paths.tar, rows, encoder, tick)
        _tick(tick, done.rows - done.samples)
        encoders = sorted((*done.encoders, encoding), key=lambda encoding: encoding.label)
        files = dict(sorted({**done.files, sidecar.name: file_facts(sidecar)}.items()))
        done = msgspec.structs.replace(done, encoders=tuple(encoders), files=files)
    write_json(paths.done, done)
    return done


def _pack(paths: ShardPaths, task: ShardTask, tick: Tick) -> Done:
    """Write the tar and its rows; sidecars of an earlier tar go."""
    for stale in (paths.done, *paths.sidecars()):
        stale.unlink(missing_ok=True)
    paths.folder.mkdir(exist_ok=True)
    with committing(paths.tar) as file:
        tar = TarWriter(file)
        rows = pack(task.shard.entries, Path(task.source_root), paths.name, tar, tick)
        tar.close()
    with committing(paths.rows) as file:
        manifest.write(file, [manifest.table(rows)])
    return Done(
        format_version=FORMAT_VERSION,
        shard=paths.name,
        split=task.shard.split,
        plan_sha256=task.plan_sha256,
        rows=len(rows),
        samples=sum(row.status == "ok" for row in rows),
        encoders=(),
        files={path.name: file_facts(path) for path in (paths.rows, paths.tar)},
    )


def _finished(paths: ShardPaths, plan_sha256: str) -> Done | None:
    """What is whole of the shard: None without its tar and rows, else done.json less the sidecars missing."""
    try:
        done = read_json(paths.done, Done)
    except InputError:
        return None
    if done.plan_sha256 != plan_sha256:
        return None
    whole = {name: facts for name, facts in done.files.items() if _has_size(paths.folder / name, facts.bytes)}
    if not {paths.tar.name, paths.rows.name} <= whole.keys():
        return None
    encoders = tuple(encoding for encoding in done.encoders if paths.sidecar(encoding).name in whole)
    return msgspec.structs.replace(done, encoders=encoders, files=whole)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _tick(tick: Tick, times: int) -> None:
    for _ in range(times):
        tick()


@cache  # weights are loaded once a process, not once a shard
def _encoder(spec: str) -> AudioEncoder:
    return load_encoder(spec)
