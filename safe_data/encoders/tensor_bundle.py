"""TensorBundle: the variables of a TensorFlow checkpoint or SavedModel, read without TensorFlow."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.crc32c import masked_crc32c
from safe_data.encoders.sstable import ByteReader, DamagedError, read_sstable

INDEX, DATA = "variables.index", "variables.data-00000-of-00001"
FLOAT32 = 1  # of TensorFlow's DataType
MOST_AXES = 8

# How a field of a protocol buffer is written, the lowest three bits of its key.
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
Fields = Mapping[int, list[int | bytes]]


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies in the data file, and what it is."""

    dtype: int
    shape: tuple[int, ...]
    offset: int
    size: int
    crc32c: int
    is_sliced: bool


@dataclass(frozen=True)
class TensorBundle:
    """The tensors of a bundle by their names; their numbers are read when they are asked for."""

    index: Path
    data: Path
    tensors: Mapping[str, StoredTensor]

    def read(self, name: str) -> Float32[ndarray, "..."]:
        """The numbers of a float32 tensor; their checksum is verified.

        Raises:
            InputError: there is no such tensor, it is of another type, or its numbers are damaged.
        """
        tensor = self.tensors.get(name)
        if tensor is None:
            raise InputError(f"{self.index}: has no variable {name!r}; give the model that it belongs to")
        if tensor.dtype != FLOAT32 or tensor.is_sliced:
            what = "is stored in slices" if tensor.is_sliced else f"has the data type {tensor.dtype}"
            raise InputError(f"{self.index}: {name!r} {what}; only whole tensors of float32 are read")
        if tensor.size != 4 * math.prod(tensor.shape):
            raise InputError(
                f"{self.index}: {name!r} has {tensor.size} bytes, and its shape {tensor.shape} takes "
                f"{4 * math.prod(tensor.shape)}; fetch the file again"
            )
        with self.data.open("rb") as file:
            file.seek(tensor.offset)
            content = file.read(tensor.size)
        if len(content) < tensor.size or masked_crc32c(content) != tensor.crc32c:
            raise InputError(f"{self.data}: is damaged in {name!r}; fetch the file again")
        return np.frombuffer(content, "<f4").reshape(tensor.shape).astype(np.float32)


def open_tensor_bundle(directory: Path) -> TensorBundle:
    """Read the index of the bundle `variables.*` in a directory; tensors of every type are listed.

    Only a bundle of one shard, its numbers in little-endian order, is read.

    **Source:** TensorFlow, core/protobuf/tensor_bundle.proto and core/framework/tensor_shape.proto.

    Raises:
        InputError: the index or the data file is missing, cut off, damaged, or of a bundle that is not read.
    """
    path, data = directory / INDEX, directory / DATA
    entries = read_sstable(path)
    try:
        header = _fields(entries.pop(b"", b""))
        if _number(header, 1) != 1 or _number(header, 2) != 0:
            raise DamagedError("has several data files, big-endian numbers, or no header of a tensor bundle")
        tensors = {key.decode(): _tensor(_fields(value)) for key, value in entries.items()}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the name of a variable is not UTF-8; fetch the file again") from error
    except DamagedError as error:
        raise InputError(f"{path}: {error}; fetch the file again, or save the model anew") from error
    end = max((tensor.offset + tensor.size for tensor in tensors.values()), default=0)
    if not data.is_file():
        raise InputError(f"{directory}: has no {DATA}; give a folder that holds it")
    if data.stat().st_size < end:
        raise InputError(f"{data}: is cut off: it has {data.stat().st_size} of {end} bytes; fetch it again")
    return TensorBundle(path, data, tensors)


def _tensor(entry: Fields) -> StoredTensor:
    """A BundleEntryProto."""
    axes = [_fields(axis) for axis in _all_bytes(_fields(b"".join(_all_bytes(entry, 2))), 2)]
    shape = tuple(_number(axis, 1) for axis in axes)
    if len(shape) > MOST_AXES or any(size >= 2**31 for size in shape):
        raise DamagedError("is damaged: the shape of a tensor is impossible")
    if _number(entry, 3) != 0:
        raise DamagedError("is damaged: a tensor is in a data file of which there is none")
    return StoredTensor(
        dtype=_number(entry, 1),
        shape=shape,
        offset=_number(entry, 4),
        size=_number(entry, 5),
        crc32c=_number(entry, 6),
        is_sliced=bool(entry.get(7)),
    )


def _number(fields: Fields, field: int) -> int:
    """The last value of a field, as protocol buffers have it; a field that is left out is 0."""
    value = fields[field][-1] if field in fields else 0
    if not isinstance(value, int):
        raise DamagedError(f"is damaged: field {field} is no number")
    return value


def _all_bytes(fields: Fields, field: int) -> list[bytes]:
    values = fields.get(field, [])
    if not all(isinstance(value, bytes) for value in values):
        raise DamagedError(f"is damaged: field {field} is no message")
    return [value for value in values if isinstance(value, bytes)]


def _fields(message: bytes) -> Fields:
    """The fields of a protocol buffer by their numbers, each as a number or as bytes.

    **Source:** Protocol Buffers, "Encoding".
    """
    fields: dict[int, list[int | bytes]] = defaultdict(list)
    reader = ByteReader(message)
    while not reader.is_at_end:
        field, kind = divmod(reader.varint(), 8)
        if kind == _VARINT:
            fields[field].append(reader.varint())
        elif kind == _SIZED:
            fields[field].append(reader.take(reader.varint()))
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            fields[field].append(int.from_bytes(reader.take(8 if kind == _EIGHT_BYTES else 4), "little"))
        else:
            raise DamagedError(f"is damaged: a field is of the unknown kind {kind}")
    return fields
