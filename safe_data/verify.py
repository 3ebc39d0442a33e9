"""Verify a dataset: every hash and count on disk against done.json and dataset.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from tqdm import tqdm

from safe_data import manifest
from safe_data.errors import InputError
from safe_data.plan import plan_sha256
from safe_data.shards import (
    MANIFEST,
    PLAN,
    Dataset,
    Done,
    FileFacts,
    ShardPaths,
    file_facts,
    fingerprint,
    read_dataset,
    read_json,
)

SHARD_SUFFIXES = (".tar", ".parquet", ".npy", ".done.json", ".tmp")


@dataclass(frozen=True)
class Verified:
    """What was looked at, and one sentence for each thing that is not as it was written."""

    samples: int
    files: int
    bytes: int
    findings: tuple[str, ...]


def verify_dataset(root: Path) -> Verified:
    """Read every file of a dataset and compare it with what was written.

    Raises:
        InputError: the directory holds no dataset.
    """
    dataset = read_dataset(root)
    findings = list(_plan_findings(root, dataset))
    shards = [
        ShardPaths(root, split, name) for split, facts in dataset.splits.items() for name in facts.shards
    ]
    done: list[Done] = []
    known: set[Path] = set()
    for paths in tqdm(shards, unit="shard", disable=None, leave=False, desc=f"verifying {dataset.name}"):
        try:
            facts = read_json(paths.done, Done)
        except InputError as error:
            findings.append(f"{paths.done.relative_to(root)}: {_short(error, paths.done)}")
            known |= {path for path in paths.folder.glob(f"{paths.name}.*") if not path.name.startswith(".")}
            continue
        done.append(facts)
        known |= {paths.done, *(paths.folder / name for name in facts.files)}
        findings += _shard_findings(root, paths, facts, dataset)
    findings += _total_findings(root, dataset, done, complete=len(done) == len(shards))
    findings += [
        f"{path.relative_to(root)}: extra, in no done.json; remove it" for path in _extra(root, known)
    ]
    files = [facts for shard in done for facts in shard.files.values()]
    samples = sum(shard.samples for shard in done)
    return Verified(samples, len(files), sum(facts.bytes for facts in files), tuple(findings))


def _shard_findings(root: Path, paths: ShardPaths, done: Done, dataset: Dataset) -> Iterator[str]:
    where = paths.done.relative_to(root)
    if done.plan_sha256 != dataset.plan_sha256 or done.shard != paths.name:
        yield f"{where}: of another plan; build the dataset again"
    for encoding in dataset.encoders:
        if paths.sidecar(encoding).name not in done.files:
            yield f"{where}: has no {encoding.label} embeddings; build with --encoder {encoding.name}"
    whole = True
    for name, facts in done.files.items():
        finding = _file_finding(paths.folder / name, facts)
        if finding:
            whole = False
            yield f"{(paths.folder / name).relative_to(root)}: {finding}"
    if whole:
        yield from (f"{where}: {finding}" for finding in _count_findings(paths, done))


def _file_finding(path: Path, expected: FileFacts) -> str | None:
    fix = "remove it and run the build again"
    if not path.is_file():
        return "missing; run the build again"
    size = path.stat().st_size
    if size != expected.bytes:
        return f"damaged, {size} bytes instead of {expected.bytes}; {fix}"
    return None if file_facts(path) == expected else f"damaged, its bytes have changed; {fix}"


def _count_findings(paths: ShardPaths, done: Done) -> Iterator[str]:
    rows = manifest.read(paths.rows)
    samples = pc.sum(pc.equal(rows["status"], "ok")).as_py() or 0
    if (len(rows), samples) != (done.rows, done.samples):
        yield f"counts {done.rows} rows, {done.samples} ok; {paths.rows.name} has {len(rows)}, {samples} ok"
    for encoding in done.encoders:
        if paths.sidecar(encoding).name not in done.files:
            yield f"names {encoding.label} among its encoders and no file of it"
            continue
        shape = np.load(paths.sidecar(encoding), mmap_mode="r", allow_pickle=False).shape
        if shape != (done.samples, *encoding.shape):
            yield f"counts {done.samples} samples, {paths.sidecar(encoding).name} is {shape}"


def _plan_findings(root: Path, dataset: Dataset) -> Iterator[str]:
    try:
        plan = json.loads((root / PLAN).read_bytes())
        shards = [(name, facts["sha256"]) for name, facts in plan["shards"].items()]
        same = plan_sha256(plan["name"], plan["shard_size"], shards) == dataset.plan_sha256
    except OSError:
        yield f"{PLAN}: missing; without it the build cannot go on"
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        yield f"{PLAN}: damaged, not the plan that dataset.json names"


def _total_findings(root: Path, dataset: Dataset, done: list[Done], *, complete: bool) -> Iterator[str]:
    path = root / MANIFEST
    if not path.is_file():
        yield f"{MANIFEST}: missing; run the build again"
    elif file_facts(path).sha256 != dataset.manifest_sha256:
        yield f"{MANIFEST}: damaged, its bytes have changed; run the build again"
    elif complete and len(manifest.read(path)) != sum(shard.rows for shard in done):
        yield f"{MANIFEST}: not the rows of the shards; run the build again"
    if not complete:
        return
    tars = [shard.files[f"{shard.shard}.tar"].sha256 for shard in done if f"{shard.shard}.tar" in shard.files]
    counts = {split: sum(shard.samples for shard in done if shard.split == split) for split in dataset.splits}
    if fingerprint(dataset.plan_sha256, tars) != dataset.fingerprint:
        yield "dataset.json: its fingerprint is not that of the plan and the tars"
    for split, facts in dataset.splits.items():
        if counts[split] != facts.samples:
            yield f"dataset.json: counts {facts.samples} {split} samples, the shards have {counts[split]}"


def _extra(root: Path, known: set[Path]) -> list[Path]:
    """Files among the shards that no done.json names, such as one that a stopped build left."""
    found = (path for path in root.glob("*/*") if path.is_file() and path.name.endswith(SHARD_SUFFIXES))
    return sorted(path for path in found if path not in known)


def _short(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")
