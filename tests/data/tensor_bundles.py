"""Write TensorFlow's tensor bundles without TensorFlow, whole or with faults; a YAMNet of random weights."""

import struct
from collections.abc import Mapping
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np
from numpy import ndarray

from safe_data.encoders.crc32c import masked_crc32c

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
PREFIX = "layer-1/layer/_func/_yamnet/layer_with_weights-"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
FLOAT, INT64 = 1, 9
# Channels after the first layer and after each of the 13 blocks.
NARROW = (4, 4, 6, 6, 8, 8, 12, 12, 12, 12, 12, 12, 20, 24)
AS_WIDE = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def varint(value: int) -> bytes:
    """A number as LevelDB and protocol buffers write it."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def block(entries: Mapping[bytes, bytes], kind: int = 0, restart_every: int = 4) -> bytes:
    """A block with its trailer; keys share their beginnings, except where a search may begin."""
    content, restarts, last = b"", [], b""
    for index, (key, value) in enumerate(entries.items()):
        shared = _shared(last, key) if index % restart_every else 0
        if not index % restart_every:
            restarts.append(len(content))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return sealed(content + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts)), kind)


def _shared(last: bytes, key: bytes) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(last, key, strict=False)))


def sealed(content: bytes, kind: int = 0) -> bytes:
    """The content of a block, how it is compressed, and the checksum of both."""
    return content + bytes([kind]) + struct.pack("<I", masked_crc32c(content + bytes([kind])))


def table(*blocks: bytes) -> bytes:
    """A table of blocks; their keys in the index are no more than a hint."""
    content, handles = b"", {}
    for index, one in enumerate(blocks):
        handles[bytes([index])] = varint(len(content)) + varint(len(one) - 5)
        content += one
    nothing, places = block({}), block(handles)
    filters = varint(len(content)) + varint(len(nothing) - 5)
    index = varint(len(content) + len(nothing)) + varint(len(places) - 5)
    return content + nothing + places + (filters + index).ljust(40, b"\0") + MAGIC


def message(**fields: int | bytes) -> bytes:
    """A protocol buffer: f1=5 is a varint, f2=b"…" a message or text, x6=5 four bytes."""
    written = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, bytes):
            written += varint(number << 3 | 2) + varint(len(value)) + value
        elif name[0] == "x":
            written += varint(number << 3 | 5) + struct.pack("<I", value)
        else:
            written += varint(number << 3) + varint(value)
    return written


def bundle_entries(tensors: Mapping[str, ndarray]) -> tuple[dict[bytes, bytes], bytes]:
    """The entries of the index, in order, and the content of the data file."""
    entries = {b"": message(f1=1, f3=message(f1=1))}
    data = b""
    for name in sorted(tensors):
        content = tensors[name].tobytes()
        shape = b"".join(message(f2=message(f1=size)) for size in tensors[name].shape)
        entries[name.encode()] = message(
            f1=FLOAT if tensors[name].dtype == np.float32 else INT64,
            f2=shape,
            f4=len(data),
            f5=len(content),
            x6=masked_crc32c(content),
        )
        data += content
    return entries, data


def write_bundle(directory: Path, tensors: Mapping[str, ndarray]) -> Path:
    """Write `variables.index`, in blocks of 12 entries, and its data file; return the directory."""
    entries, data = bundle_entries(tensors)
    pairs = list(entries.items())
    index = table(*(block(dict(pairs[first : first + 12])) for first in range(0, len(pairs), 12)))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "variables.index").write_bytes(index)
    (directory / "variables.data-00000-of-00001").write_bytes(data)
    return directory


def yamnet_tensors(widths: tuple[int, ...] = NARROW, seed: int = 0) -> dict[str, ndarray]:
    """The variables of a YAMNet of random weights, whose output varies with its input."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, ndarray] = {}

    def add(name: str, shape: tuple[int, ...], deviation: float, mean: float = 0.0) -> None:
        drawn = rng.standard_normal(shape, np.float32) * deviation + mean
        tensors[PREFIX + name + SUFFIX] = drawn.astype(np.float32)

    def add_normalisation(layer: int, width: int) -> None:
        add(f"{layer}/beta", (width,), 0.3)
        add(f"{layer}/moving_mean", (width,), 0.1)
        add(f"{layer}/moving_variance", (width,), 0.05, 1.0)

    add("0/kernel", (3, 3, 1, widths[0]), 0.3)
    add_normalisation(1, widths[0])
    for index, (before, after) in enumerate(pairwise(widths)):
        add(f"{4 * index + 2}/depthwise_kernel", (3, 3, before, 1), 0.45)
        add_normalisation(4 * index + 3, before)
        add(f"{4 * index + 4}/kernel", (1, 1, before, after), (2 / before) ** 0.5)
        add_normalisation(4 * index + 5, after)
    add("54/kernel", (widths[-1], 5), 0.1)
    add("54/bias", (5,), 0.1)
    tensors["save_counter" + SUFFIX] = np.array(1, np.int64)
    return tensors


def save_yamnet(directory: Path, widths: tuple[int, ...] = NARROW, seed: int = 0) -> Path:
    """Write a YAMNet as a SavedModel has it, and return its folder."""
    write_bundle(directory / "variables", yamnet_tensors(widths, seed))
    return directory
