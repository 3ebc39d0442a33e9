"""Add an encoder to a finished dataset: its sidecars, made from the sounds in its tars, without a source."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.build.build import check_reach, progress, whereabouts
from safe_data.build.engines.piece import Load, Tick
from safe_data.build.engines.start import start
from safe_data.build.resume import only_build, whole_files
from safe_data.build.shard_task import add_sidecars, encodings_of
from safe_data.core.errors import InputError
from safe_data.core.files import Root
from safe_data.shards.layout import (
    DATASET,
    Dataset,
    Done,
    Encoding,
    ShardPaths,
    read_dataset,
    read_json,
    write_json,
)
from safe_data.shards.storage import open_storage


@dataclass(frozen=True)
class SidecarTask:
    """All that `embed_shard` needs, to be sent to another process or machine."""

    root: str
    plan_sha256: str
    split: str
    shard: str
    samples: int
    encoder: str

    @property
    def name(self) -> str:
        return f"{self.root}: {self.shard}"

    @property
    def steps(self) -> int:
        return self.samples


def add_encoder(
    root: Root, spec: str, *, workers: int = 1, engine: str = "local", ray_address: str | None = None
) -> tuple[Encoding, Dataset]:
    """Write an encoder's sidecars, and its name into each done.json and, at last, into dataset.json.

    Tars, rows, manifest and fingerprint stay as they are. What was stopped goes on by the same call.

    Raises:
        InputError: no finished dataset, a damaged one, or an encoder that cannot be loaded.
    """
    storage = open_storage(root)
    check_reach(storage, workers, engine)
    dataset = read_dataset(storage)
    with start(engine, workers, ray_address) as run:
        (encoding,) = encodings_of([spec], run)
        with only_build(storage):
            tasks = [
                SidecarTask(whereabouts(storage), dataset.plan_sha256, split, shard, done.rows, spec)
                for split, facts in dataset.splits.items()
                for shard in facts.shards
                for done in [read_json(storage, ShardPaths(Path(), split, shard).done, Done)]
            ]
            with progress(tasks, f"embedding {dataset.name}") as bar:
                done = run(embed_shard, tasks, bar.update)
            encoders = {e.label: e for e in (*dataset.encoders, encoding)}
            if not all(encoding in shard.encoders for shard in done):
                raise InputError(f"{root}: workers have different models for {spec!r}; give all the same")
            everywhere = tuple(encoder for _, encoder in sorted(encoders.items()))
            dataset = msgspec.structs.replace(dataset, encoders=everywhere)
            write_json(storage, DATASET, dataset)
    return encoding, dataset


def embed_shard(task: SidecarTask, tick: Tick, load: Load) -> Done:
    """Write a shard's embeddings, done.json last.

    Raises:
        InputError: the shard is not whole.
    """
    storage = open_storage(task.root)
    paths = ShardPaths(Path(), task.split, task.shard)
    done = read_json(storage, paths.done, Done)
    if done.plan_sha256 != task.plan_sha256 or whole_files(storage, paths, done) != done.files:
        raise InputError(f"{storage}/{paths.tar}: damaged or incomplete; `safe-data verify` says what is")
    done = add_sidecars(storage, paths, done, [load(task.encoder)], tick)
    write_json(storage, paths.done, done)
    return done
