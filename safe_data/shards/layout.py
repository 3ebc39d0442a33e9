"""The files of a dataset: their names, and the facts in dataset.json and done.json.

ROOT/dataset.json  plan.json  manifest.parquet
ROOT/train/NAME-train-000000.tar            WebDataset: {id}.json {id}.wav|flac|ogg|mp3 {id}.png|jpg
ROOT/train/NAME-train-000000.parquet        its rows of the manifest
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
from safe_data.core.files import Root
from safe_data.core.files import committing as committing
from safe_data.encoders.encoder import AudioEncoder
from safe_data.shards.storage import Folder, Storage, open_storage

FORMAT_VERSION = 1
DATASET, PLAN, MANIFEST = "dataset.json", "plan.json", "manifest.parquet"
SHARD_NAME = r"^[A-Za-z0-9_-]+-[0-9]{6}$"
NAME = r"^[A-Za-z0-9_-]+$"
HEX = r"^[0-9a-f]+$"
FILE_NAME = r"^[A-Za-z0-9_-]+-[0-9]{6}\.[A-Za-z0-9_.-]+$"
Name = Annotated[str, msgspec.Meta(pattern=NAME)]
ShardName = Annotated[str, msgspec.Meta(pattern=SHARD_NAME)]
FileName = Annotated[str, msgspec.Meta(pattern=FILE_NAME)]
Hex = Annotated[str, msgspec.Meta(pattern=HEX, min_length=8)]
Count = Annotated[int, msgspec.Meta(ge=0)]


def fingerprint(plan_sha256: str, tar_sha256s: list[str]) -> str:
    return hashlib.sha256("\n".join([plan_sha256, *tar_sha256s]).encode()).hexdigest()


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder's embeddings: one sidecar a shard, named by `label`."""

    name: Name
    fingerprint: Hex
    shape: tuple[Count, ...]
    dtype: str
    sample_rate_hz: int

    @property
    def label(self) -> str:
        return f"{self.name}-{self.fingerprint[:8]}"

    @staticmethod
    def of(encoder: AudioEncoder) -> "Encoding":
        return Encoding(encoder.name, encoder.fingerprint, encoder.shape, "float16", encoder.sample_rate_hz)


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: Hex
    bytes: Count


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished shard: `rows` of the manifest, of which `samples` are in the tar and the sidecars."""

    format_version: int
    shard: ShardName
    split: Name
    plan_sha256: Hex
    rows: Count
    samples: Count
    encoders: tuple[Encoding, ...]
    files: dict[FileName, FileFacts]


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    shards: tuple[ShardName, ...]
    samples: Count


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished dataset. The fingerprint is of the plan and the tars, not of the encoders."""

    format_version: int
    name: Name
    fingerprint: Hex
    plan_sha256: Hex
    manifest_sha256: Hex
    encoders: tuple[Encoding, ...]
    splits: dict[Name, Split]


@dataclass(frozen=True)
class ShardPaths:
    """The files of one shard of the dataset in a folder; below `Path()`, their names in any storage."""

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


def write_json(storage: Storage, name: str | PurePath, facts: msgspec.Struct) -> None:
    """Write the facts, unless they are what the file says already."""
    data = msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n"
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
        InputError: it is missing, or not what this version writes.
    """
    where = f"{storage}/{name}"
    try:
        with storage.open(name) as file:
            return msgspec.json.decode(file.read(), type=kind)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not a {Path(name).name} of format {FORMAT_VERSION}: {error}") from None


def read_dataset(root: Root | Storage) -> Dataset:
    """The facts of the dataset in a folder or at a URL.

    Raises:
        InputError: there is none, it is not finished, or of another format version.
    """
    storage = open_storage(root) if isinstance(root, str | os.PathLike) else root
    if storage.size(DATASET) is None:
        unfinished = storage.size(PLAN) is not None
        fix = "finish it by the command that began it" if unfinished else "make one by `safe-data build`"
        if re.match(r"[a-z0-9]{2,}:/[^/]", str(root)):  # what pathlib makes of a URL
            fix = "what lies at a URL is read from a copy in a folder"
        raise InputError(
            f"{root}: {'an unfinished' if unfinished else 'no'} dataset ({DATASET} is missing); {fix}"
        )
    dataset = read_json(storage, DATASET, Dataset)
    if dataset.format_version != FORMAT_VERSION:
        raise InputError(f"{root}: format {dataset.format_version}, this version reads {FORMAT_VERSION}")
    return dataset


def file_facts(path: Path) -> FileFacts:
    return stored_facts(Folder(path.parent), path.name)


def stored_facts(storage: Storage, name: str | PurePath) -> FileFacts:
    with storage.open(name) as file:
        return hash_file(file)


def hash_file(file: BinaryIO) -> FileFacts:
    """Read a file, which may be open for writing, from its start."""
    file.seek(0)
    digest = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    return FileFacts(digest, file.seek(0, os.SEEK_END))
