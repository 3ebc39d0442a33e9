"""Build a dataset: records to a plan, its shards one by one, then the manifest and dataset.json.

A shard is the unit of work and of commit: `build_shard` is the same function here, in a process pool and on
Ray. A build that was stopped goes on with the shards that are missing and ends with the same bytes.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from safe_data import manifest
from safe_data.encoders import load_encoder
from safe_data.errors import InputError
from safe_data.plan import Plan, make_plan
from safe_data.records import Records
from safe_data.resume import adopt, discard, only_build
from safe_data.shards import (
    DATASET,
    FORMAT_VERSION,
    MANIFEST,
    Dataset,
    Done,
    ShardPaths,
    Split,
    committing,
    file_facts,
    fingerprint,
    write_json,
)
from safe_data.sources import SOURCES
from safe_data.sources.folder import as_id
from safe_data.task import ShardTask, build_shard

REASONS_SHOWN = 3


@dataclass(frozen=True)
class Rejection:
    """A kind of reason, how many records it rejected, and the first of them."""

    kind: str
    count: int
    first: str


@dataclass(frozen=True)
class Summary:
    """What a build made."""

    dataset: Dataset
    rows: int
    rejections: tuple[Rejection, ...]

    @property
    def rejected(self) -> int:
        return sum(rejection.count for rejection in self.rejections)


def build_dataset(
    source_root: Path,
    out: Path,
    *,
    source: str = "folder",
    encoders: Sequence[str] = ("logmel",),
    name: str | None = None,
    shard_size: int = 1000,
) -> Summary:
    """Build, go on building, or add encoders to the dataset in `out`.

    Raises:
        InputError: a bad source, an `out` that holds something else, or no record that can be used.
    """
    records = list(_source(source)(source_root))
    plan = make_plan(
        records, source_root, name=as_id(name or source_root.resolve().name), shard_size=shard_size
    )
    specs = tuple(sorted(set(encoders)))
    for spec in specs:
        load_encoder(spec)  # a misspelt one is refused before any work
    with only_build(out):
        adopt(plan, out)
        tasks = [ShardTask(str(source_root), str(out), plan.sha256, shard, specs) for shard in plan.shards]
        steps = len(records) * (1 + len(specs))
        with tqdm(total=steps, unit="step", disable=None, leave=False, desc=f"building {plan.name}") as bar:
            done = [build_shard(task, bar.update) for task in tasks]
        if not any(shard.samples for shard in done):
            _refuse_empty(plan, out)
        return _finish(plan, out, done)


def _source(name: str) -> Callable[[Path], Records]:
    if name in SOURCES:
        return SOURCES[name]
    near = difflib.get_close_matches(name, SOURCES, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(SOURCES)}"
    raise InputError(f"source {name!r} is unknown; {hint}")


def _tables(plan: Plan, out: Path) -> Iterator[pa.Table]:
    for shard in plan.shards:
        yield manifest.read(ShardPaths(out, shard.split, shard.name).rows)


def _finish(plan: Plan, out: Path, done: Sequence[Done]) -> Summary:
    """Write the manifest of all shards, then dataset.json: with it the dataset exists."""
    with committing(out / MANIFEST) as file:
        manifest.write(file, _tables(plan, out))
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
        manifest_sha256=file_facts(out / MANIFEST).sha256,
        encoders=tuple(everywhere),
        splits={
            split: Split(tuple(shard.shard for shard in group), sum(shard.samples for shard in group))
            for split, group in shards.items()
        },
    )
    write_json(out / DATASET, dataset)
    return Summary(dataset, sum(shard.rows for shard in done), _rejections(_tables(plan, out)))


def _rejections(tables: Iterator[pa.Table]) -> tuple[Rejection, ...]:
    """The rejected records by kind of reason: what stands before the colon. The most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for rows in tables:
        rejected = rows.filter(pc.equal(rows["status"], "rejected")).select(["id", "error"])
        for row in rejected.to_pylist():
            kind = row["error"].partition(":")[0]
            counts[kind] += 1
            first.setdefault(kind, f"{row['id']!r}: {row['error']}")
    return tuple(Rejection(kind, count, first[kind]) for kind, count in counts.most_common())


def _refuse_empty(plan: Plan, out: Path) -> NoReturn:
    """Nothing could be read: that is no dataset, and nothing of it stays."""
    rejections = _rejections(_tables(plan, out))
    count = sum(rejection.count for rejection in rejections)
    discard(plan, out)
    reasons = "; ".join(rejection.first for rejection in rejections[:REASONS_SHOWN])
    raise InputError(f"no record could be read, of {count} ({reasons}); nothing was built")
