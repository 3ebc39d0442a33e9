"""The files of a dataset: their names, the facts in dataset.json and done.json, and how a file is committed.

ROOT/dataset.json  plan.json  manifest.parquet
ROOT/train/NAME-train-000000.tar            WebDataset: {id}.json {id}.wav|flac|ogg|mp3 {id}.png|jpg
ROOT/train/NAME-train-000000.parquet        its rows of the manifest
ROOT/train/NAME-train-000000.ENCODER.npy    float16, row i = i-th sample of the tar
ROOT/train/NAME-train-000000.done.json      counts and hashes of the files above; written last
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import msgspec

from safe_data.encoders import AudioEncoder
from safe_data.errors import InputError

FORMAT_VERSION = 1
DATASET, PLAN, MANIFEST, CONFIG = "dataset.json", "plan.json", "manifest.parquet", "config.yaml"
SHARD_NAME = r"^[A-Za-z0-9_-]+-[0-9]{6}$"
NAME = r"^[A-Za-z0-9_-]+$"
HEX = r"^[0-9a-f]+$"
FILE_NAME = r"^[A-Za-z0-9_-]+-[0-9]{6}\.[A-Za-z0-9_.-]+$"

Name = Annotated[str, msgspec.Meta(pattern=NAME)]
ShardName = Annotated[str, msgspec.Meta(pattern=SHARD_NAME)]
FileName = Annotated[str, msgspec.Meta(pattern=FILE_NAME)]
Hex = Annotated[str, msgspec.Meta(pattern=HEX, min_length=8)]
Count = Annotated[int, msgspec.Meta(ge=0)]


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
    """The files of one shard."""

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

    def sidecars(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.name}.*.npy"))


@contextmanager
def committing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears whole, safely on disk, or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with part.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, facts: msgspec.Struct) -> None:
    """Write the facts, unless they are what the file says already."""
    data = msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n"
    if path.is_file() and path.read_bytes() == data:
        return
    with committing(path) as file:
        file.write(data)


Facts = TypeVar("Facts", bound=msgspec.Struct)


def read_json(path: Path, kind: type[Facts]) -> Facts:
    """Read dataset.json or done.json.

    Raises:
        InputError: it is missing, or not what this version writes.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a {path.name} of format {FORMAT_VERSION}: {error}") from None


def read_dataset(root: Path) -> Dataset:
    """The facts of the dataset in a directory.

    Raises:
        InputError: there is none, it is not finished, or of another format version.
    """
    if not (root / DATASET).is_file():
        unfinished = (root / PLAN).is_file()
        fix = "finish it by the command that began it" if unfinished else "make one by `safe-data build`"
        raise InputError(
            f"{root}: {'an unfinished' if unfinished else 'no'} dataset ({DATASET} is missing); {fix}"
        )
    dataset = read_json(root / DATASET, Dataset)
    if dataset.format_version != FORMAT_VERSION:
        raise InputError(f"{root}: format {dataset.format_version}, this version reads {FORMAT_VERSION}")
    return dataset


def file_facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        return FileFacts(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def fingerprint(plan_sha256: str, tar_sha256s: list[str]) -> str:
    return hashlib.sha256("\n".join([plan_sha256, *tar_sha256s]).encode()).hexdigest()
