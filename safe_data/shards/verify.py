"""Verify a dataset: compare every hash and count on disk with done.json and dataset.json."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import yaml
from tqdm import tqdm

from safe_data.core.errors import InputError
from safe_data.core.files import PART, Root
from safe_data.core.options_file import OPTIONS
from safe_data.core.terminal import printable
from safe_data.core.yaml_file import load_yaml
from safe_data.shards import manifest
from safe_data.shards.damage import damaged_places, silence_places
from safe_data.shards.layout import (
    CHANGED,
    DATASET,
    MANIFEST,
    MISSING,
    PLAN,
    REJECTED,
    Dataset,
    Done,
    FileFacts,
    ShardPaths,
    fingerprint,
    hash_fault,
    read_dataset,
    read_json,
    shards_of,
    silence_name,
    stored_facts,
)
from safe_data.shards.plan import FORMAT_VERSION as PLAN_VERSION
from safe_data.shards.plan import plan_sha256
from safe_data.shards.silence import extra_silences
from safe_data.shards.storage import Storage, open_storage

SHARD_SUFFIXES = (".tar", ".parquet", ".npy", ".done.json", PART)


@dataclass(frozen=True)
class Verified:
    """How much was read, and one sentence per fault."""

    samples: int
    files: int
    bytes: int
    findings: tuple[str, ...]


def verify_dataset(root: Root) -> Verified:
    """Read every file of a dataset, in a folder or at a URL; compare it with its recorded hash and counts.

    Raises:
        InputError: there is no dataset.
    """
    storage = open_storage(root)
    dataset = read_dataset(storage)
    findings: list[str] = []
    shards = shards_of(dataset)
    # Other folders, such as that of an audit, are not the dataset's.
    in_splits = [name for name in storage.names() if name.partition("/")[0] in dataset.splits]
    found = [name for name in in_splits if name.endswith(SHARD_SUFFIXES)]
    done: list[Done] = []
    known: set[str] = set()
    for paths in tqdm(
        shards, unit="shard", disable=None, leave=False, desc=printable(f"verifying {dataset.name}")
    ):
        try:
            facts = read_json(storage, paths.done, Done)
        except InputError as error:
            lost = storage.size(paths.done) is None
            said = f"{MISSING}; run the build again" if lost else _short(error, f"{storage}/{paths.done}")
            findings.append(f"{paths.done}: {said}")
            known |= {name for name in found if name.startswith(f"{paths.folder / paths.name}.")}
            continue
        done.append(facts)
        known |= {str(paths.done), *(str(paths.folder / name) for name in facts.files)}
        findings += _shard_findings(storage, paths, facts, dataset)
    findings += _plan_findings(storage, dataset, done)
    findings += _options_findings(storage)
    findings += _total_findings(storage, dataset, done, complete=len(done) == len(shards))
    findings += [f"{name}: extra, in no done.json; remove it" for name in found if name not in known]
    findings += _silence_findings(storage, dataset)
    files = [facts for shard in done for facts in shard.files.values()]
    files += [facts.silence for facts in dataset.encoder_facts.values()]
    samples = sum(shard.samples for shard in done)
    return Verified(samples, len(files), sum(facts.bytes for facts in files), tuple(findings))


def _shard_findings(storage: Storage, paths: ShardPaths, done: Done, dataset: Dataset) -> Iterator[str]:
    own = (dataset.format_version, paths.name, paths.split, dataset.plan_sha256)
    if (done.format_version, done.shard, done.split, done.plan_sha256) != own:
        yield f"{paths.done}: of another shard, plan or format; build the dataset again"
    for encoding in dataset.encoders:
        if encoding not in done.encoders and paths.sidecar(encoding).name in done.files:
            yield f"{paths.done}: not the {encoding.label} of {DATASET}; run the build again"
        if paths.sidecar(encoding).name not in done.files:
            yield f"{paths.done}: has no {encoding.label} embeddings; build with --encoder {encoding.name}"
    whole = True
    for name, facts in done.files.items():
        fault = _fault(storage, paths.folder / name, facts)
        if fault:
            whole = False
            places = "" if fault == MISSING else damaged_places(storage, paths, done, dataset, name)
            yield f"{paths.folder / name}: {fault}{places and f': {places}'}; run the build again"
    if whole:
        yield from (f"{paths.done}: {finding}" for finding in _count_findings(storage, paths, done))


def _fault(storage: Storage, name: Path, expected: FileFacts) -> str | None:
    size = storage.size(name)
    if size is None:
        return MISSING
    if size != expected.bytes:
        return f"damaged, {size} bytes instead of {expected.bytes}"
    return None if stored_facts(storage, name) == expected else CHANGED


def _silence_findings(storage: Storage, dataset: Dataset) -> Iterator[str]:
    """The faults of the embeddings of silence; an older dataset has none, and is not at fault."""
    encodings = {encoding.label: encoding for encoding in dataset.encoders}
    for label, facts in dataset.encoder_facts.items():
        name = Path(silence_name(label))
        if label not in encodings:
            yield f"{DATASET}: has encoder_facts of {label}, which is not among its encoders"
        elif fault := _fault(storage, name, facts.silence):
            places = "" if fault == MISSING else silence_places(storage, name, encodings[label])
            fix = f"run `safe-data add-encoder {storage} {facts.source}`"
            yield f"{name}: {fault}{places and f': {places}'}; {fix}"
        elif (shape := _npy_shape(storage, name)) != encodings[label].shape:
            yield f"{name}: is {shape or 'no .npy'}, the embeddings of {label} are {encodings[label].shape}"
    for extra in extra_silences(storage, dataset):
        yield f"{extra}: extra, not in {DATASET}; remove it"


def _count_findings(storage: Storage, paths: ShardPaths, done: Done) -> Iterator[str]:
    rows = manifest.read_stored(storage, paths.rows)
    samples = pc.sum(pc.equal(rows["status"], "ok")).as_py() or 0
    if (len(rows), samples) != (done.rows, done.samples):
        yield f"counts {done.rows} rows, {done.samples} ok; {paths.rows.name} has {len(rows)}, {samples} ok"
    for encoding in done.encoders:
        sidecar = paths.sidecar(encoding)
        if sidecar.name not in done.files:
            yield f"names {encoding.label} among its encoders and no file of it"
            continue
        shape = _npy_shape(storage, sidecar)
        if shape != (done.samples, *encoding.shape):
            yield f"counts {done.samples} samples, {sidecar.name} is {shape or 'no .npy'}"


def _npy_shape(storage: Storage, name: Path) -> tuple[int, ...] | None:
    with storage.open(name) as file:
        try:
            np.lib.format.read_magic(file)
            shape: tuple[int, ...] = np.lib.format.read_array_header_1_0(file)[0]
        except ValueError:
            return None
        return shape


def _plan_findings(storage: Storage, dataset: Dataset, done: Sequence[Done]) -> Iterator[str]:
    try:
        with storage.open(PLAN) as file:
            plan = json.loads(file.read())
        known = {shard.shard: shard.rows for shard in done}
        records = {name: known.get(name, facts["records"]) for name, facts in plan["shards"].items()}
        shards = [(name, facts["sha256"]) for name, facts in plan["shards"].items()]
        found = plan_sha256(plan["name"], plan["shard_size"], plan["frames"], shards)
        same = (found, plan["name"], plan["format_version"]) == (plan["sha256"], dataset.name, PLAN_VERSION)
        same = same and found == dataset.plan_sha256
        same = same and {name: facts["records"] for name, facts in plan["shards"].items()} == records
    except OSError:
        yield f"{PLAN}: missing; run the build again"
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        yield f"{PLAN}: damaged, not the plan that dataset.json names; run the build again"


def _options_findings(storage: Storage) -> Iterator[str]:
    """Whether options.yaml can be read, if it is there; it has no hash, since a user may edit it."""
    if storage.size(OPTIONS) is None:
        return
    try:
        with storage.open(OPTIONS) as file:
            options = load_yaml(file.read().decode("utf-8"))
        fault = None if isinstance(options, dict) else "holds no options"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fault = " ".join(str(error).split())
    if fault:
        yield f"{OPTIONS}: damaged, {fault}; the next build writes it again"


def _total_findings(storage: Storage, dataset: Dataset, done: list[Done], *, complete: bool) -> Iterator[str]:
    if fault := hash_fault(storage, MANIFEST, dataset.manifest_sha256):
        yield f"{MANIFEST}: {fault}; run the build again"
    elif complete and len(manifest.read_stored(storage, MANIFEST)) != sum(shard.rows for shard in done):
        yield f"{MANIFEST}: not the rows of the shards; run the build again"
    rejected = dataset.rejected_sha256  # an older dataset has no such file
    if rejected is not None and (fault := hash_fault(storage, REJECTED, rejected)):
        yield f"{REJECTED}: {fault}; run the build again"
    if not complete:
        return
    tars = [shard.files[f"{shard.shard}.tar"].sha256 for shard in done if f"{shard.shard}.tar" in shard.files]
    counts = {split: sum(shard.samples for shard in done if shard.split == split) for split in dataset.splits}
    if fingerprint(dataset.plan_sha256, tars) != dataset.fingerprint:
        yield "dataset.json: its fingerprint does not match the plan and the tars"
    for split, facts in dataset.splits.items():
        if counts[split] != facts.samples:
            yield f"dataset.json: counts {facts.samples} {split} samples, the shards have {counts[split]}"


def _short(error: InputError, where: str) -> str:
    return str(error).removeprefix(f"{where}: ")
