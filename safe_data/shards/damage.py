"""Damage: where a file of a shard is not what was written, as far as its parts can be told apart.

Of a tar, each member has its hash in the manifest, each header is known from the name and the size of its
member, and all between the members is zero. Of embeddings, the header is known, and the rows of samples
without sound are zero. Parquet is only whole or not.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.shards import manifest
from safe_data.shards.layout import MANIFEST, Dataset, Done, Encoding, ShardPaths, stored_facts
from safe_data.shards.storage import Storage
from safe_data.shards.tar import header

PLACES_SHOWN = 3
KINDS = {"json": "record", "audio": "sound", "image": "picture"}  # of members, and what a message calls them
_ZEROS_BYTES = 2**20

Member = tuple[int, int, str, str, str | None]  # offset, size, name, what it is, SHA-256


def damaged_places(storage: Storage, paths: ShardPaths, done: Done, dataset: Dataset, name: str) -> str:
    """Where a damaged file of a shard differs from what was written, to follow a colon; empty if unknown."""
    samples = _samples(storage, paths, done, dataset)
    if samples is None:
        return ""
    with storage.local(paths.folder / name) as path, path.open("rb") as file:
        if name == paths.tar.name:
            places = list(_tar_places(file, samples))
            unknown = "what the manifest does not hash: a picture of a video"
            if samples["json_sha256"].null_count:  # of an older version
                unknown = "what the manifest does not hash: the text of a record, or a picture of a video"
            elif _is_all_listed(samples):
                unknown = f"no part of it, so it is its hash in {paths.done.name} that has changed"
        else:
            encoding = next((e for e in done.encoders if paths.sidecar(e).name == name), None)
            if encoding is None:
                return ""
            places = list(_sidecar_places(file, samples, encoding))
            unknown = "the embeddings of a sound; it cannot be told which"
    more = len(places) - PLACES_SHOWN
    shown = [*places[:PLACES_SHOWN], *([f"{more} more"] if more > 0 else [])]
    return ", ".join(shown) or unknown


def silence_places(storage: Storage, name: Path, encoding: Encoding) -> str:
    """Where a damaged embedding of silence differs from what was written; empty if unknown."""
    with storage.local(name) as path, path.open("rb") as file:
        return _npy_header_fault(file, encoding.shape) or ""


def _samples(storage: Storage, paths: ShardPaths, done: Done, dataset: Dataset) -> pa.Table | None:
    """The manifest rows of the samples, of the shard or else of the dataset; None if both are damaged."""
    facts = done.files.get(paths.rows.name)
    known = {paths.rows: facts.sha256 if facts else None, Path(MANIFEST): dataset.manifest_sha256}
    for name, sha256 in known.items():
        if storage.size(name) is not None and stored_facts(storage, name).sha256 == sha256:
            rows = manifest.read_stored(storage, name)
            of_shard = pc.and_(pc.equal(rows["shard"], paths.name), pc.equal(rows["status"], "ok"))
            return rows.filter(of_shard)
    return None


def _members(samples: pa.Table) -> list[Member]:
    columns = [f"{kind}_{fact}" for kind in KINDS for fact in ("offset", "size", "sha256")]
    found = []
    for row in samples.select(["id", "audio_name", "image_name", *columns]).to_pylist():
        for kind, what in KINDS.items():
            if row[f"{kind}_offset"] is not None:
                name = f"{row['id']}.json" if kind == "json" else row[f"{kind}_name"]
                offset, size = row[f"{kind}_offset"], row[f"{kind}_size"]
                found.append((offset, size, name, f"the {what} of {row['id']!r}", row[f"{kind}_sha256"]))
    return sorted(found)


def _is_all_listed(samples: pa.Table) -> bool:
    """Whether the tar holds nothing but the members in the manifest."""
    at = 0
    for offset, length, *_ in _members(samples):
        if offset != at + tarfile.BLOCKSIZE:
            return False
        at = _padded(offset + length)
    return True


def _tar_places(file: BinaryIO, samples: pa.Table) -> Generator[str]:
    """The headers, members and gaps that differ, in the order of the tar."""
    size = file.seek(0, os.SEEK_END)
    at = 0
    for offset, length, name, what, sha256 in _members(samples):
        if offset + length > size:
            yield f"{what} and all after it, which are cut off"
            return
        yield from _unlisted(file, at, offset - tarfile.BLOCKSIZE)
        yield from _header_fault(file, offset - tarfile.BLOCKSIZE, header(name, length), name)
        data = os.pread(file.fileno(), length, offset)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            yield f"{what} ({name}, bytes {offset} to {offset + length - 1})"
        at = _padded(offset + length)
        yield from _zeros_fault(file, offset + length, min(at, size), f"the padding after {name}")
    if not _is_all_listed(samples):
        at = yield from _unlisted(file, at, size)
    yield from _zeros_fault(file, at, size, "the end of the tar")


def _unlisted(file: BinaryIO, at: int, end: int) -> Generator[str, None, int]:
    """Walk over members that the manifest does not list, up to `end` or a block of zeros; return where."""
    while at < end:
        block = os.pread(file.fileno(), tarfile.BLOCKSIZE, at)
        if not any(block):
            break
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            yield f"a tar header (bytes {at} to {at + tarfile.BLOCKSIZE - 1})"
            return end
        yield from _header_fault(file, at, header(member.name, member.size), member.name)
        data = at + tarfile.BLOCKSIZE
        at = _padded(data + member.size)
        yield from _zeros_fault(file, data + member.size, min(at, end), f"the padding after {member.name}")
    return at


def _header_fault(file: BinaryIO, at: int, expected: bytes, name: str) -> Iterator[str]:
    differs = _first_difference(os.pread(file.fileno(), tarfile.BLOCKSIZE, at), expected)
    if differs is not None:
        yield f"the tar header of {name}, from byte {at + differs} on"


def _zeros_fault(file: BinaryIO, start: int, end: int, what: str) -> Iterator[str]:
    for at in range(start, end, _ZEROS_BYTES):
        data = os.pread(file.fileno(), min(_ZEROS_BYTES, end - at), at)
        if rest := data.lstrip(b"\0"):
            yield f"{what}, from byte {at + len(data) - len(rest)} on"
            return


def _sidecar_places(file: BinaryIO, samples: pa.Table, encoding: Encoding) -> Iterator[str]:
    """The header, and rows that are not finite or that should be zero."""
    shape = (len(samples), *encoding.shape)
    if fault := _npy_header_fault(file, shape):
        yield fault
    row_bytes = 2 * int(np.prod(encoding.shape))
    first = file.seek(0, os.SEEK_END) - len(samples) * row_bytes
    if first < 0:
        return
    heard = samples["has_audio"].to_numpy()
    for row, name in enumerate(samples["id"].to_pylist()):
        at = first + row * row_bytes
        values = np.frombuffer(os.pread(file.fileno(), row_bytes, at), "<f2")
        if not np.isfinite(values).all() or (not heard[row] and values.view("<u2").any()):
            yield f"row {row}, of {name!r} (bytes {at} to {at + row_bytes - 1})"


def _npy_header_fault(file: BinaryIO, shape: tuple[int, ...]) -> str | None:
    """The first byte of a .npy file of float16 that is not as its shape demands; None if the header is."""
    expected = io.BytesIO()
    np.lib.format.write_array_header_1_0(expected, {"descr": "<f2", "fortran_order": False, "shape": shape})
    at = _first_difference(os.pread(file.fileno(), expected.tell(), 0), expected.getvalue())
    return None if at is None else f"the header, from byte {at} on"


def _first_difference(found: bytes, expected: bytes) -> int | None:
    """The first byte that differs, the end of the shorter one included; None if both are equal."""
    if found == expected:
        return None
    pairs = zip(found, expected, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(found), len(expected)))


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
