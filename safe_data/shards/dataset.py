"""ShardDataset: random access to the samples of one split of a built dataset.

Embeddings are read from memory-mapped sidecars and media by their offset in the tar, so that a shuffle can be
global and a position is one integer.
"""

import copy
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float16, Int, Int64
from numpy import ndarray
from PIL import Image
from pydantic import ValidationError

from safe_data.core.errors import InputError
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_data.shards import manifest
from safe_data.shards.layout import MANIFEST, Encoding, ShardPaths, read_dataset
from safe_data.shards.sidecar import Embeddings
from safe_data.shards.silence import read_silence


class ShardDataset:
    """The samples of a split that were not rejected, in the order of the shards.

    `encoder` is a name (`logmel`) or a name and fingerprint (`logmel-1a2b3c4d`); None takes the only one. No
    encoder is loaded: embeddings, the one of silence included, are read from files.

    Raises:
        InputError: no such dataset, split or encoder, or files that do not match the manifest.
    """

    def __init__(self, root: str | os.PathLike[str], split: str, encoder: str | None = None) -> None:
        self.root, self.split = Path(root), split
        facts = read_dataset(self.root)
        if split not in facts.splits:
            raise InputError(f"{root}: no split {split!r}; it has {', '.join(facts.splits)}")
        self.name, self.fingerprint = facts.name, facts.fingerprint
        self._encodings, self._encoder_facts = facts.encoders, facts.encoder_facts
        self._shards = facts.splits[split].shards
        self.manifest = self._read_manifest(facts.splits[split].samples)
        self.has_audio: Bool[ndarray, " n"] = self._column("has_audio")
        self._shard: Int64[ndarray, " n"] = self._shard_numbers()
        self._row: Int[ndarray, " n"] = self._column("row")
        self._check_extents()
        self._silence: Float16[ndarray, "*shape"] | None = None
        self._use(_choose(self.root, facts.encoders, encoder))

    def __len__(self) -> int:
        return len(self.manifest)

    @property
    def encoder(self) -> dict[str, Any] | None:
        """The entry of the chosen encoder in dataset.json."""
        if self._encoding is None:
            return None
        return {name: getattr(self._encoding, name) for name in self._encoding.__struct_fields__}

    @property
    def encoder_source(self) -> str | None:
        """How the chosen encoder was loaded, as `load_encoder` takes it; None if the dataset does not say."""
        facts = self._encoder_facts.get(self._encoding.label) if self._encoding else None
        return facts.source if facts else None

    @property
    def silence(self) -> Float16[ndarray, "*shape"]:
        """The chosen encoder's embedding of one second of digital silence; read-only.

        Raises:
            InputError: no encoder was chosen, or the file is missing or not what was stored.
        """
        if self._encoding is None:
            raise self._no_encoder()
        if self._silence is None:
            facts = self._encoder_facts.get(self._encoding.label)
            self._silence = read_silence(self.root, self._encoding, facts)
        return self._silence

    def with_encoder(self, encoder: str) -> "ShardDataset":
        """The same samples with the embeddings of another encoder; the manifest is shared, not read again.

        Raises:
            InputError: the dataset has no such encoder.
        """
        other = copy.copy(self)
        other._use(_choose(self.root, self._encodings, encoder))
        return other

    def embeddings(self, indices: Sequence[int] | Int[ndarray, " n"]) -> Float16[ndarray, "n *shape"]:
        """The embeddings of these samples, in any order; zeros for a sample without sound.

        Raises:
            InputError: no encoder was chosen, or a sidecar is missing or damaged.
        """
        if self._embeddings is None:
            raise self._no_encoder()
        wanted = self._checked(indices)
        return self._embeddings.read(self._shard[wanted], self._row[wanted])

    def record(self, index: int) -> Record:
        """The record of a sample; its `audio` says which part of the stored sound is the clip."""
        data, stored = self._member(index, "json"), self.value(index, "json_sha256")
        if stored is not None and hashlib.sha256(data).hexdigest() != stored:  # None in an older dataset
            raise self._damaged(index, "json")
        try:
            record = Record.model_validate_json(data)
        except ValidationError:
            raise self._damaged(index, "json") from None
        if record.id != self.value(index, "id"):
            raise self._damaged(index, "json")
        return record

    def audio(self, index: int, sample_rate_hz: int | None = None) -> Sound | None:
        """The decoded clip, resampled if a rate is given; None for a sample without sound."""
        data = self.audio_bytes(index)
        clip = self.record(index).audio
        if data is None or clip is None:
            return None
        return decode_audio(data, sample_rate_hz, clip.start_seconds, clip.duration_seconds)

    def image(self, index: int) -> Image.Image | None:
        """The decoded RGB picture; None for a sample without picture."""
        data = self.image_bytes(index)
        return None if data is None else decode_image(data)

    def audio_bytes(self, index: int) -> bytes | None:
        """The stored sound: the original file, or the clip cut out of a longer sound or a video."""
        return self._media(index, "audio")

    def image_bytes(self, index: int) -> bytes | None:
        """The stored picture: the original file, or a frame of a video."""
        return self._media(index, "image")

    def value(self, index: int, column: str) -> Any:
        """The value of a sample in a column of the manifest, such as `image_sha256`."""
        self._check(index)
        return self.manifest[column][int(index)].as_py()

    def _media(self, index: int, kind: str) -> bytes | None:
        if not self.value(index, f"has_{kind}"):
            return None
        data = self._member(index, kind)
        if hashlib.sha256(data).hexdigest() != self.value(index, f"{kind}_sha256"):
            raise self._damaged(index, kind)
        return data

    def _damaged(self, index: int, kind: str) -> InputError:
        what = f"the {kind} of {self.value(index, 'id')!r} is not what was stored"
        return InputError(f"{self._tar(index)}: {what}; `safe-data verify` says what else is damaged")

    def _member(self, index: int, kind: str) -> bytes:
        offset, size = self.value(index, f"{kind}_offset"), self.value(index, f"{kind}_size")
        with self._tar(index).open("rb") as file:
            return os.pread(file.fileno(), size, offset)

    def _checked(self, indices: Sequence[int] | Int[ndarray, " n"]) -> Int64[ndarray, " n"]:
        wanted: Int64[ndarray, " n"] = np.asarray(indices, dtype=np.int64)
        if wanted.size:
            self._check(int(wanted.min()))
            self._check(int(wanted.max()))
        return wanted

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.split} has samples 0 to {len(self) - 1}, not {index}")

    def _tar(self, index: int) -> Path:
        return ShardPaths(self.root, self.split, self._shards[self._shard[index]]).tar

    def _use(self, encoding: Encoding | None) -> None:
        """Take the embeddings of an encoder from now on."""
        self._encoding = encoding
        self._embeddings: Embeddings | None = None
        self._silence = None
        if encoding is not None:
            paths = [ShardPaths(self.root, self.split, name).sidecar(encoding) for name in self._shards]
            rows = np.bincount(self._shard, minlength=len(paths)).tolist()
            self._embeddings = Embeddings(paths, rows, encoding.shape)

    def _no_encoder(self) -> InputError:
        names = ", ".join(encoding.label for encoding in self._encodings) or "none"
        return InputError(f"{self.root}: no encoder chosen for the embeddings; it has {names}")

    def _read_manifest(self, samples: int) -> pa.Table:
        rows = manifest.read(self.root / MANIFEST)
        rows = rows.filter(pc.and_(pc.equal(rows["split"], self.split), pc.equal(rows["status"], "ok")))
        if len(rows) != samples:
            raise InputError(f"{self.root}: {len(rows)} of {samples} {self.split} samples are in {MANIFEST}")
        return rows.combine_chunks()

    def _shard_numbers(self) -> Int64[ndarray, " n"]:
        numbers = pc.index_in(self.manifest["shard"], value_set=pa.array(self._shards, pa.string()))
        if numbers.null_count:
            raise InputError(f"{self.root}: {MANIFEST} names shards that dataset.json does not")
        found: Int64[ndarray, " n"] = numbers.to_numpy().astype(np.int64)
        return found

    def _column(self, name: str, missing: int | None = None) -> Any:
        column = self.manifest[name]
        return (column if missing is None else pc.fill_null(column, missing)).to_numpy()

    def _check_extents(self) -> None:
        """Refuse a member that lies outside its tar, so that no read is larger than a file."""
        ends = np.array(
            [_size(ShardPaths(self.root, self.split, name).tar) for name in self._shards], np.int64
        )
        for kind in ("json", "audio", "image"):
            offset, size = self._column(f"{kind}_offset", 0), self._column(f"{kind}_size", 0)
            end = ends[self._shard]
            outside = (offset < 0) | (size < 0) | (size > end) | (offset > end - size)
            if outside.any():
                first = int(outside.argmax())
                raise InputError(f"{self._tar(first)}: shorter than {MANIFEST} says; run `safe-data verify`")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run `safe-data verify`") from None


def _choose(root: Path, encodings: Sequence[Encoding], wanted: str | None) -> Encoding | None:
    """The encoding with this name or label; if none is wanted, the only one."""
    fitting = [e for e in encodings if wanted in (None, e.name, e.label)]
    if len(fitting) == 1:
        return fitting[0]
    if wanted is None:
        return None
    names = ", ".join(encoding.label for encoding in encodings) or "none"
    fix = "give the fingerprint too" if fitting else "add it by `safe-data build … --encoder`"
    raise InputError(f"{root}: {len(fitting) or 'no'} embeddings are named {wanted!r}; it has {names}; {fix}")
