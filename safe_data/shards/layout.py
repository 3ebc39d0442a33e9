"""Layout: the names of a dataset's files, and the contents of dataset.json and done.json.

ROOT/dataset.json  plan.json  manifest.parquet  rejected.parquet
ROOT/silence.ENCODER.npy                    float16, the embedding of one second of digital silence
ROOT/train/NAME-train-000000.tar            WebDataset: {id}.json {id}.wav|flac|ogg|mp3 {id}.png|jpg
ROOT/train/NAME-train-000000.parquet        the manifest rows of this shard
ROOT/train/NAME-train-000000.ENCODER.npy    float16, row i = i-th sample of the tar
ROOT/train/NAME-train-000000.done.json      counts and hashes of the files above; written last
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, BinaryIO, TypeVar, cast

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import Root, json_bytes
from safe_data.encoders.encoder import AudioEncoder
from safe_data.records import ID_PATTERN
from safe_data.shards.storage import Storage, open_storage

FORMAT_VERSION = 1
DECLARABLE = ("imbalance",)  # what a dataset may declare to be on purpose
MISSING, CHANGED = "missing", "damaged, its bytes have changed"  # what is wrong with a file
DATASET, PLAN, MANIFEST, REJECTED = "dataset.json", "plan.json", "manifest.parquet", "rejected.parquet"

_SHARD = f"^{ID_PATTERN.pattern}-[0-9]{{6}}"
Name = Annotated[str, msgspec.Meta(pattern=f"^{ID_PATTERN.pattern}$")]
ShardName = Annotated[str, msgspec.Meta(pattern=f"{_SHARD}$")]
FileName = Annotated[str, msgspec.Meta(pattern=rf"{_SHARD}\.[A-Za-z0-9_.-]+$")]
Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]+$", min_length=8)]
Count = Annotated[int, msgspec.Meta(ge=0)]


def label_of(name: str, fingerprint: str) -> str:
    """How the embeddings of an encoder are named.

    >>> label_of("clap", "1a2b3c4d5e")
    'clap-1a2b3c4d'
    """
    return f"{name}-{fingerprint[:8]}"


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embeddings of one encoder: one sidecar per shard, named by `label`."""

    name: Name
    fingerprint: Hex
    shape: tuple[Count, ...]
    dtype: str
    sample_rate_hz: int

    @property
    def label(self) -> str:
        return label_of(self.name, self.fingerprint)

    @staticmethod
    def of(encoder: AudioEncoder) -> "Encoding":
        return Encoding(encoder.name, encoder.fingerprint, encoder.shape, "float16", encoder.sample_rate_hz)


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What identifies the contents of a file."""

    sha256: Hex
    bytes: Count


class EncoderFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to load an encoder, as `load_encoder` takes it, and the file of its embedding of silence."""

    source: str
    silence: FileFacts


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished shard: it has `rows` in the manifest, and `samples` of them in the tar and the sidecars."""

    format_version: int
    shard: ShardName
    split: Name
    plan_sha256: Hex
    rows: Count
    samples: Count
    encoders: tuple[Encoding, ...]
    files: dict[FileName, FileFacts]


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shards of a split in order, and how many samples they hold."""

    shards: tuple[ShardName, ...]
    samples: Count


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished dataset. The fingerprint covers the plan and the tars, not the embeddings.

    `encoder_facts` has the label of each encoder; older datasets lack it, and have no `rejected_sha256`.
    `declared` says why something is on purpose that an audit would otherwise call a fault.
    """

    format_version: int
    name: Name
    fingerprint: Hex
    plan_sha256: Hex
    manifest_sha256: Hex
    encoders: tuple[Encoding, ...]
    splits: dict[Name, Split]
    encoder_facts: dict[Name, EncoderFacts] = {}
    rejected_sha256: Hex | None = None
    declared: dict[str, str] = {}


@dataclass(frozen=True)
class ShardPaths:
    """The paths of one shard's files below `root`; with `Path()` as root, their names in any storage."""

    root: Path
    split: str
    name: str

    @property
    def folder(self) -> Path:
        return self.root / self.split

    @property
    def tar(self) -> Path:
        return self.folder / f"{self.name}.tar"

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.name}.parquet"

    @property
    def done(self) -> Path:
        return self.folder / f"{self.name}.done.json"

    def sidecar(self, encoding: Encoding) -> Path:
        return self.folder / f"{self.name}.{encoding.label}.npy"


def silence_name(label: str) -> str:
    """The name of the file with an encoder's embedding of silence."""
    return f"silence.{label}.npy"


def hash_fault(storage: Storage, name: str, sha256: str) -> str | None:
    """What is wrong with a file of which only the hash is recorded; None if nothing is."""
    if storage.size(name) is None:
        return MISSING
    return None if stored_facts(storage, name).sha256 == sha256 else CHANGED


def write_json(storage: Storage, name: str | PurePath, facts: msgspec.Struct) -> None:
    """Write the facts, unless the file already holds them."""
    write_unless_there(storage, name, json_bytes(facts))


def write_unless_there(storage: Storage, name: str | PurePath, data: bytes) -> None:
    """Write a file, unless it already holds these bytes."""
    if storage.size(name) == len(data):
        with storage.open(name) as file:
            if file.read() == data:
                return
    with storage.committing(name) as file:
        file.write(data)


Facts = TypeVar("Facts", bound=msgspec.Struct)


def read_json(storage: Storage, name: str | PurePath, kind: type[Facts]) -> Facts:
    """Read dataset.json or done.json.

    Raises:
        InputError: it is missing, or this version would not write it.
    """
    where = f"{storage}/{name}"
    try:
        with storage.open(name) as file:
            return msgspec.json.decode(file.read(), type=kind)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{where}: not a {Path(name).name} of format {FORMAT_VERSION}: {error}; run the build again"
        ) from None


def read_dataset(root: Root | Storage) -> Dataset:
    """Read dataset.json of a folder or URL.

    Raises:
        InputError: there is no dataset, or it is unfinished or of another format version.
    """
    storage = open_storage(root) if isinstance(root, str | os.PathLike) else root
    if storage.size(DATASET) is None:
        unfinished = storage.size(PLAN) is not None
        fix = "finish it by the command that began it" if unfinished else "make one by `safe-data build`"
        if re.match(r"[a-z0-9]{2,}:/[^/]", str(root)):  # pathlib turns `//` of a URL into `/`
            fix = "what lies at a URL is read from a copy in a folder"
        raise InputError(
            f"{root}: {'an unfinished' if unfinished else 'no'} dataset ({DATASET} is missing); {fix}"
        )
    dataset = read_json(storage, DATASET, Dataset)
    if dataset.format_version != FORMAT_VERSION:
        raise InputError(f"{root}: format {dataset.format_version}, this version reads {FORMAT_VERSION}")
    return dataset


def shards_of(dataset: Dataset) -> list[ShardPaths]:
    """The names of all shards' files, split by split."""
    return [
        ShardPaths(Path(), split, name) for split, facts in dataset.splits.items() for name in facts.shards
    ]


def fingerprint(plan_sha256: str, tar_sha256s: list[str]) -> str:
    """The hash that names the contents of a dataset."""
    return hashlib.sha256("\n".join([plan_sha256, *tar_sha256s]).encode()).hexdigest()


def stored_facts(storage: Storage, name: str | PurePath) -> FileFacts:
    """Hash and size of a file in a storage."""
    with storage.open(name) as file:
        return hash_file(file)


def hash_file(file: BinaryIO) -> FileFacts:
    """Hash and size of an open file, which may be open for writing."""
    file.seek(0)
    digest = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    return FileFacts(digest, file.seek(0, os.SEEK_END))
