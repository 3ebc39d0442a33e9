"""Add an encoder to a finished dataset: embed the sounds in its tars, and silence, without a source."""

from dataclasses import dataclass

import msgspec

from safe_data.build.build import address_of, check_reach, progress
from safe_data.build.cost import heard_bytes
from safe_data.build.encoder_piece import encodings_of, store_silences
from safe_data.build.engines.piece import Load, Tick
from safe_data.build.engines.start import start
from safe_data.build.memory import Needs, Share, locking, share_of
from safe_data.build.resume import only_build, whole_files
from safe_data.build.shard_piece import add_sidecars
from safe_data.core.errors import InputError
from safe_data.core.files import Root
from safe_data.media.sound import MAX_CLIP_SECONDS
from safe_data.shards.layout import (
    DATASET,
    Dataset,
    Done,
    Encoding,
    ShardPaths,
    read_dataset,
    read_json,
    shards_of,
    write_json,
)
from safe_data.shards.storage import open_storage


@dataclass(frozen=True)
class SidecarPiece:
    """The arguments of `embed_shard`, which can be sent to another process or machine."""

    root: str
    plan_sha256: str
    paths: ShardPaths
    rows: int
    encoder: str
    share: Share

    @property
    def name(self) -> str:
        return f"{self.root}: {self.paths.name}"

    @property
    def steps(self) -> int:
        return self.rows


def add_encoder(
    root: Root,
    encoder: str,
    *,
    workers: int = 1,
    memory: str | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    quiet: bool = False,
) -> tuple[Encoding, Dataset]:
    """Write the sidecars and the silence of one more encoder; name it in each done.json and in dataset.json.

    Tars, rows, manifest and fingerprint do not change. After an interruption the same call continues. For an
    encoder that the dataset has, it writes what is missing, such as the silence that an older dataset lacks.

    Args:
        root: folder or URL of a finished dataset
        encoder: `logmel`, or a pretrained one such as `clap:DIRECTORY`; see `load_encoder`
        workers: shards to process at the same time
        memory: limit on the memory of all processes together, such as 800MB; see `share_of`
        engine: `local` (processes on this machine) or `ray`
        ray_address: address of a Ray cluster (default: start Ray on this machine)
        quiet: show no progress

    Raises:
        InputError: there is no finished dataset, it is damaged, the memory is too little, or the encoder
            cannot be loaded.
    """
    storage = open_storage(root)
    check_reach(storage, workers, engine)
    dataset = read_dataset(storage)
    shards = shards_of(dataset)
    workers = min(workers, len(shards)) if workers > 1 else workers
    with start(engine, workers, ray_address) as run:
        (encoding,) = encodings_of([encoder], run)
        longest = heard_bytes(MAX_CLIP_SECONDS, [encoding.sample_rate_hz])
        share = share_of(
            memory,
            Needs(longest, longest),
            workers=workers,
            here=workers == 1 and engine == "local",
            plan_bytes=0,
        )
        with only_build(storage), locking(share) as shared:
            where, plan = address_of(storage), dataset.plan_sha256
            pieces = [
                SidecarPiece(where, plan, paths, read_json(storage, paths.done, Done).rows, encoder, shared)
                for paths in shards
            ]
            with progress(pieces, f"embedding {dataset.name}", quiet=quiet) as shown:
                done = run(embed_shard, pieces, shown.update)
            if not all(encoding in shard.encoders for shard in done):
                raise InputError(
                    f"{root}: workers have different models for {encoder!r}; give all of them the same one"
                )
            by_label = {one.label: one for one in (*dataset.encoders, encoding)}
            encoders = tuple(one for _, one in sorted(by_label.items()))
            facts = store_silences(storage, {encoder: encoding}, dataset.encoder_facts, run)
            dataset = msgspec.structs.replace(dataset, encoders=encoders, encoder_facts=facts)
            write_json(storage, DATASET, dataset)
    return encoding, dataset


def embed_shard(piece: SidecarPiece, tick: Tick, load: Load) -> Done:
    """Write the embeddings of a shard, and done.json last.

    Raises:
        InputError: the shard is damaged or incomplete.
    """
    storage, paths = open_storage(piece.root), piece.paths
    done = read_json(storage, paths.done, Done)
    if done.plan_sha256 != piece.plan_sha256 or whole_files(storage, paths, done) != done.files:
        raise InputError(f"{storage}/{paths.tar}: damaged or incomplete; `safe-data verify` says what is")
    done = add_sidecars(storage, paths, done, [load(piece.encoder)], tick, piece.share)
    write_json(storage, paths.done, done)
    return done
