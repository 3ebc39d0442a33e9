"""Build a dataset: plan which record goes where, make the shards, then write the manifest and dataset.json.

A shard is the unit of work, of retry and of commit: `build_shard` is the same function in this process, in
other processes and on Ray. A build that was stopped continues with the missing shards and ends with the same
bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pyarrow as pa

from safe_data.build.encoder_piece import encodings_of, store_silences
from safe_data.build.engines.piece import Piece
from safe_data.build.engines.start import start
from safe_data.build.memory import Share, bytes_in, exact_needs, locking, needs_of, resident_bytes, share_of
from safe_data.build.resume import adopt, damaged_files, discard, only_build, whole_files
from safe_data.build.shard_piece import ShardPiece, build_shard
from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import Root
from safe_data.core.progress import Progress
from safe_data.media.paths import LinkedRoot, MediaRoot, media_root
from safe_data.records import Records
from safe_data.shards import manifest
from safe_data.shards.layout import (
    DATASET,
    FORMAT_VERSION,
    MANIFEST,
    REJECTED,
    Dataset,
    Done,
    EncoderFacts,
    Encoding,
    ShardPaths,
    Split,
    fingerprint,
    read_json,
    stored_facts,
    write_json,
)
from safe_data.shards.manifest import Rejection, count_rejections
from safe_data.shards.plan import Plan, make_plan, with_own_ids
from safe_data.shards.rejected import write_rejected
from safe_data.shards.silence import extra_silences
from safe_data.shards.splits_file import read_splits, with_splits
from safe_data.shards.storage import Folder, Remote, Storage, open_storage
from safe_data.sources.all_sources import OPENING, SOURCES
from safe_data.sources.ids import as_id

REASONS_SHOWN = 3


@dataclass(frozen=True)
class Summary:
    """The dataset that a build made, which records it rejected, and which damaged files it made again."""

    dataset: Dataset
    rows: int
    rejections: tuple[Rejection, ...]
    repaired: tuple[str, ...] = ()

    @property
    def rejected(self) -> int:
        return sum(rejection.count for rejection in self.rejections)


def build_dataset(
    source_root: Path,
    out: Root,
    *,
    source: str = "folder",
    encoders: Sequence[str] = ("logmel",),
    name: str | None = None,
    shard_size: int = 1000,
    frames: int = 1,
    trust_links: Path | str | None = None,
    splits: Path | None = None,
    workers: int = 1,
    memory: str | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    declared: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> Summary:
    """Build the dataset in `out`, or continue a build that was stopped.

    Args:
        source_root: folder of the corpus
        out: folder, or any URL that fsspec knows
        source: how the corpus is laid out: a key of `SOURCES`, such as folder, clotho or hub
        encoders: encoders of the embeddings, such as `logmel` or `clap:DIRECTORY`; see `load_encoder`
        name: name of the dataset (default: the name of the folder)
        shard_size: largest number of records per shard
        frames: pictures to store per video
        trust_links: folder into which links below the source may lead (default: none leads out of it)
        splits: CSV or Parquet with the split of each id, in place of those of the source (default: none)
        workers: shards to process at the same time
        memory: limit on the memory of all processes together, such as 800MB; see `share_of`
        engine: `local` (processes on this machine) or `ray`
        ray_address: address of a Ray cluster (default: start Ray on this machine)
        declared: what is on purpose, and why, such as the imbalance of labels
        quiet: show no progress

    Raises:
        InputError: the source is faulty or does not fit `splits`, `out` holds something else, the memory
            is too little, or no record can be used.
    """
    if memory is not None:
        bytes_in(memory)  # refused before the source is read
    media = media_root(source_root, trust_links)
    before = resident_bytes()
    split_of = read_splits(splits) if splits is not None else {}
    records = list(_source(source, media)(source_root))
    if splits is not None:
        records = list(with_splits(with_own_ids(records), split_of, splits))
    plan = make_plan(
        records,
        media,
        name=as_id(name or source_root.resolve().name),
        shard_size=shard_size,
        frames=frames,
    )
    planned = max(0, resident_bytes() - before)
    storage = open_storage(out)
    check_reach(storage, workers, engine)
    specs = tuple(sorted(set(encoders)))
    workers = min(workers, len(plan.shards)) if workers > 1 else workers
    with start(engine, workers, ray_address) as run:
        encodings = encodings_of(specs, run)  # refuses a misspelt encoder before any work
        rates = {encoding.sample_rate_hz for encoding in encodings}
        share = share_of(
            memory,
            needs_of(records, rates),
            lambda: exact_needs(records, media, frames, rates),
            workers=workers,
            here=workers == 1 and engine == "local",
            plan_bytes=planned,
        )
        del records
        with only_build(storage), locking(share) as shared:
            adopt(plan, storage)
            damaged = damaged_files(storage, plan, encodings, workers, quiet=quiet)
            pieces = _pieces(plan, media, storage, specs, damaged, shared)
            with progress(pieces, f"building {plan.name}", quiet=quiet) as shown:
                done = run(build_shard, pieces, shown.update)
            if not any(shard.samples for shard in done):
                _refuse_empty(plan, storage)
            _check_shards(storage, done, encodings)
            facts = store_silences(
                storage, dict(zip(specs, encodings, strict=True)), _known_facts(storage), run
            )
            repaired = tuple(name for names in damaged.values() for name in names)
            return replace(_finish(plan, storage, done, facts, declared or {}), repaired=repaired)


def _pieces(
    plan: Plan,
    media: MediaRoot,
    storage: Storage,
    encoders: tuple[str, ...],
    damaged: Mapping[str, tuple[str, ...]],
    share: Share,
) -> list[ShardPiece]:
    """A piece per shard, as plain data."""
    root, links = (media.path, str(media.links)) if isinstance(media, LinkedRoot) else (media, None)
    return [
        ShardPiece(
            source_root=str(root.absolute()),
            out=address_of(storage),
            plan_sha256=plan.sha256,
            shard=shard,
            encoders=encoders,
            frames=plan.frames,
            damaged=damaged.get(shard.name, ()),
            share=share,
            trust_links=links,
        )
        for shard in plan.shards
    ]


def progress(pieces: Sequence[Piece], what: str, *, quiet: bool) -> Progress:
    """The progress over the steps of all pieces."""
    return Progress(what, sum(piece.steps for piece in pieces), quiet=quiet)


def check_reach(storage: Storage, workers: int, engine: str) -> None:
    """Refuse other processes for a dataset in the memory of this one.

    Raises:
        InputError: the work would go to processes that cannot see the dataset.
    """
    if isinstance(storage, Remote) and storage.one_process and (workers > 1 or engine != "local"):
        raise InputError(f"{storage}: lies in this process's memory; build it with one worker, locally")


def address_of(storage: Storage) -> str:
    """The path or URL of a storage, for a process with another working directory."""
    return str(storage.path.absolute() if isinstance(storage, Folder) else storage)


def _source(name: str, media: MediaRoot) -> Callable[[Path], Records]:
    if name in OPENING and isinstance(media, LinkedRoot):
        read, links = OPENING[name], media.links
        return lambda root: read(root, links)
    if name in SOURCES:
        return SOURCES[name]
    hint = did_you_mean(name, SOURCES, f"choose from {', '.join(SOURCES)}")
    raise InputError(f"source {name!r} is unknown; {hint}")


def _tables(plan: Plan, storage: Storage) -> Iterator[pa.Table]:
    for shard in plan.shards:
        yield manifest.read_stored(storage, ShardPaths(Path(), shard.split, shard.name).rows)


def _known_facts(storage: Storage) -> dict[str, EncoderFacts]:
    """What dataset.json says about encoders; nothing if the dataset was never finished, or it is damaged."""
    try:
        return read_json(storage, DATASET, Dataset).encoder_facts
    except InputError:
        return {}


def _finish(
    plan: Plan,
    storage: Storage,
    done: Sequence[Done],
    encoder_facts: Mapping[str, EncoderFacts],
    declared: Mapping[str, str],
) -> Summary:
    """Write the manifest of all shards, then dataset.json, which makes the dataset complete."""
    with storage.committing(MANIFEST) as file:
        manifest.write(file, _tables(plan, storage))
    with storage.committing(REJECTED) as file:
        write_rejected(file, _tables(plan, storage))
    shards: dict[str, list[Done]] = {}
    for shard in done:
        shards.setdefault(shard.split, []).append(shard)
    everywhere = [
        encoding for encoding in done[0].encoders if all(encoding in shard.encoders for shard in done)
    ]
    dataset = Dataset(
        format_version=FORMAT_VERSION,
        name=plan.name,
        fingerprint=fingerprint(plan.sha256, [shard.files[f"{shard.shard}.tar"].sha256 for shard in done]),
        plan_sha256=plan.sha256,
        manifest_sha256=stored_facts(storage, MANIFEST).sha256,
        encoders=tuple(everywhere),
        splits={
            split: Split(tuple(shard.shard for shard in group), sum(shard.samples for shard in group))
            for split, group in shards.items()
        },
        encoder_facts={
            encoding.label: encoder_facts[encoding.label]
            for encoding in everywhere
            if encoding.label in encoder_facts
        },
        rejected_sha256=stored_facts(storage, REJECTED).sha256,
        declared=dict(declared),
    )
    write_json(storage, DATASET, dataset)
    for name in extra_silences(storage, dataset):
        storage.remove(name)  # of an encoder whose sidecars are gone, or left by a killed build
    rejections = count_rejections(_tables(plan, storage))
    return Summary(dataset, sum(shard.rows for shard in done), rejections)


def _check_shards(storage: Storage, done: Sequence[Done], encodings: Sequence[Encoding]) -> None:
    """Refuse shards that changed or lack embeddings; remove sidecars that belong to no shard."""
    for shard in done:
        paths = ShardPaths(Path(), shard.split, shard.shard)
        lacking = [encoding.label for encoding in encodings if encoding not in shard.encoders]
        if lacking:
            raise InputError(
                f"{storage}/{paths.tar}: was embedded by another model than {', '.join(lacking)}; "
                "let all workers have the same checkpoints and the same kind of processor"
            )
        if whole_files(storage, paths, shard) != shard.files:
            raise InputError(f"{storage}/{paths.tar}: changed while it was built; run the same command again")
    own = {f"{shard.split}/{name}" for shard in done for name in shard.files}
    shards = {f"{shard.split}/{shard.shard}" for shard in done}
    for name in storage.names():
        if name.endswith(".npy") and name.partition(".")[0] in shards and name not in own:
            storage.remove(name)  # left by a killed build, or made from a tar that is gone


def _refuse_empty(plan: Plan, storage: Storage) -> NoReturn:
    """Remove what was built from no usable record, and say why the first ones were rejected."""
    rejections = count_rejections(_tables(plan, storage))
    count = sum(rejection.count for rejection in rejections)
    discard(plan, storage)
    reasons = "; ".join(rejection.first for rejection in rejections[:REASONS_SHOWN])
    raise InputError(f"0 of {count} records could be read ({reasons}); nothing was built")
