"""Build one shard: a function of plain data that runs in this process, in other processes and on Ray."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from safe_data.build.engines.piece import Load, Tick
from safe_data.build.memory import Share
from safe_data.build.pack import store
from safe_data.build.prefetch import batches, leaving, load_ahead, one_ahead, stored_clips
from safe_data.build.resume import check_media, read_done, whole_files
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.media.intake import Heard
from safe_data.media.paths import MediaRoot, media_root
from safe_data.shards import manifest
from safe_data.shards.layout import (
    FORMAT_VERSION,
    Done,
    Encoding,
    FileFacts,
    ShardPaths,
    hash_file,
    stored_facts,
    write_json,
)
from safe_data.shards.manifest import Row
from safe_data.shards.plan import PlannedShard
from safe_data.shards.sidecar import SidecarWriter, writing_sidecars
from safe_data.shards.storage import Storage, open_storage
from safe_data.shards.tar import TarWriter


@dataclass(frozen=True)
class ShardPiece:
    """The arguments of `build_shard`, which can be sent to another process or machine.

    `damaged` are files of the shard that must be made again.
    """

    source_root: str
    out: str
    plan_sha256: str
    shard: PlannedShard
    encoders: tuple[str, ...]
    frames: int = 1
    share: Share = field(default_factory=Share)
    trust_links: str | None = None
    damaged: tuple[str, ...] = ()

    @property
    def media(self) -> MediaRoot:
        """Where its media are."""
        return media_root(Path(self.source_root), self.trust_links)

    @property
    def name(self) -> str:
        return f"{self.out}: {self.shard.name}"

    @property
    def steps(self) -> int:
        """One per record for the tar, and one more per record and encoder."""
        return len(self.shard.entries) * (1 + len(self.encoders))


def build_shard(piece: ShardPiece, tick: Tick, load: Load) -> Done:
    """Make the missing files of a shard, and done.json last; the same piece always gives the same bytes.

    Raises:
        InputError: existing files of the shard came from other media.
    """
    storage = open_storage(piece.out)
    paths = ShardPaths(Path(), piece.shard.split, piece.shard.name)
    encoders = [load(spec) for spec in piece.encoders]
    old = read_done(storage, paths, piece.plan_sha256)
    whole = whole_files(storage, paths, old) if old else {}
    whole = {name: facts for name, facts in whole.items() if name not in piece.damaged}
    if old and {paths.tar.name, paths.rows.name} <= whole.keys():
        done = _with_files(old, whole)
        tick_often(tick, done.rows)
        rows = manifest.read_stored(storage, paths.rows)
        where = f"{storage}/{paths.tar}"
        check_media(piece.media, piece.frames, piece.shard.entries, rows, where)
        samples = pc.sum(pc.equal(rows["status"], "ok")).as_py() or 0
        done = msgspec.structs.replace(done, rows=len(rows), samples=samples)  # whatever a damaged one said
        done = add_sidecars(storage, paths, done, encoders, tick, piece.share)
    else:
        done = _make(storage, paths, piece, old, encoders, tick)
        if old:  # the tar is the same, so the embeddings of other encoders still belong to it
            done = _with_files(_merged(done, old.encoders, {}), whole | done.files)
    write_json(storage, paths.done, done)
    return done


def add_sidecars(
    storage: Storage,
    paths: ShardPaths,
    done: Done,
    encoders: Sequence[AudioEncoder],
    tick: Tick,
    share: Share,
) -> Done:
    """Write the missing embeddings of a shard from the sounds in its tar; return its new done.json."""
    missing = [encoder for encoder in encoders if Encoding.of(encoder) not in done.encoders]
    tick_often(tick, len(encoders) * done.rows - len(missing) * done.samples)
    if not missing:
        return done
    rows = manifest.read_stored(storage, paths.rows)
    rates = {encoder.sample_rate_hz for encoder in missing}
    with share.opened() as room, writing_sidecars(storage, paths, missing) as sidecars:
        clips = stored_clips(storage, paths, rows, rates, room)
        with one_ahead(batches(clips, heard=lambda clip: clip.heard)) as upcoming:
            for batch in upcoming:
                with leaving(batch):
                    _embed([clip.heard for clip in batch], sidecars, tick, len(batch))
        files = {paths.sidecar(sidecar.encoding).name: sidecar.close() for sidecar in sidecars}
    return _merged(done, [sidecar.encoding for sidecar in sidecars], files)


def _embed(clips: Sequence[Heard | None], sidecars: Sequence[SidecarWriter], tick: Tick, steps: int) -> None:
    for sidecar in sidecars:
        sidecar.add(clips)
        tick_often(tick, steps)


def _make(
    storage: Storage,
    paths: ShardPaths,
    piece: ShardPiece,
    old: Done | None,
    encoders: Sequence[AudioEncoder],
    tick: Tick,
) -> Done:
    """Write tar, embeddings and rows in one pass, so that each medium is read and decoded once."""
    rates = {encoder.sample_rate_hz for encoder in encoders}
    rows: list[Row] = []
    with (
        piece.share.opened() as room,
        storage.committing(paths.tar) as file,
        writing_sidecars(storage, paths, encoders) as sidecars,
    ):
        tar = TarWriter(file)
        loaded = load_ahead(piece.shard.entries, piece.media, piece.frames, rates, room)
        stored = store(loaded, paths.name, tar)
        with one_ahead(batches(stored, heard=lambda packed: packed.heard)) as upcoming:
            for batch in upcoming:
                with leaving(batch):
                    rows += [packed.row for packed in batch]
                    tick_often(tick, len(batch))
                    ok = [packed.heard for packed in batch if packed.row.status == "ok"]
                    _embed(ok, sidecars, tick, len(batch))
                    ok.clear()
        files = {paths.sidecar(sidecar.encoding).name: sidecar.close() for sidecar in sidecars}
        files[paths.tar.name] = FileFacts(*tar.close())
        _check_same(storage, paths, old, files[paths.tar.name])
    with storage.committing(paths.rows) as file:
        manifest.write(file, [manifest.table(rows)])
        files[paths.rows.name] = hash_file(file)
    done = Done(
        format_version=FORMAT_VERSION,
        shard=paths.name,
        split=paths.split,
        plan_sha256=piece.plan_sha256,
        rows=len(rows),
        samples=sum(row.status == "ok" for row in rows),
        encoders=(),
        files={},
    )
    return _merged(done, [sidecar.encoding for sidecar in sidecars], files)


def _merged(done: Done, encoders: Sequence[Encoding], files: dict[str, FileFacts]) -> Done:
    """done.json with more embeddings and files."""
    by_label = {encoding.label: encoding for encoding in (*done.encoders, *encoders)}
    return msgspec.structs.replace(
        done,
        encoders=tuple(encoding for _, encoding in sorted(by_label.items())),
        files=dict(sorted((done.files | files).items())),
    )


def _with_files(done: Done, files: dict[str, FileFacts]) -> Done:
    """done.json with exactly these files, and the encoders whose embeddings are among them."""
    encoders = tuple(e for e in done.encoders if f"{done.shard}.{e.label}.npy" in files)
    return msgspec.structs.replace(done, encoders=encoders, files=dict(sorted(files.items())))


def _check_same(storage: Storage, paths: ShardPaths, old: Done | None, tar: FileFacts) -> None:
    """Refuse a tar that is neither the one that was recorded nor the one that is there."""
    if old is None or old.files.get(paths.tar.name, tar) == tar:
        return
    if storage.size(paths.tar) != tar.bytes or stored_facts(storage, paths.tar) != tar:
        raise InputError(
            f"{storage}/{paths.tar}: made again, it differs, so the media have changed; give the same media, "
            "or name a new directory"
        )


def tick_often(tick: Tick, times: int) -> None:
    """Tick several times."""
    for _ in range(times):
        tick()
