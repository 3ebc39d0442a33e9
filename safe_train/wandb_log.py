"""The log of a W&B session: what was logged offline, which W&B itself reads only to upload it.

A resumed run reads it, so that no step is logged twice.

**Source:** LevelDB's doc/log_format.md, after a header of seven bytes; the records are W&B's own protocol
buffers (wandb.proto).
**Differs:** checksums are not checked, and a log is read up to the first record that is not whole, which is
where a killed process left it.
"""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_HEADER_BYTES, _BLOCK_BYTES = 7, 32768
_CHUNK = struct.Struct("<IHB")  # checksum, length, and which part of a record it is
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class LoggedValue(NamedTuple):
    """One value of one step."""

    name: str
    step: int
    value: float


def read_history(path: Path) -> Iterator[LoggedValue]:
    """The values that a session logged, in order; not those that W&B adds, such as the time."""
    for record in read_records(path):
        if record.WhichOneof("record_type") != "history":
            continue
        for item in record.history.item:
            name = item.key or ".".join(item.nested_key)
            if not name.startswith("_"):
                yield LoggedValue(name, int(record.history.step.num), float(json.loads(item.value_json)))


def wait_for_end(path: Path, seconds: float = 5.0) -> None:
    """Wait until the log of a finished session is whole: W&B writes its end a moment later."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if any(record.WhichOneof("record_type") == "exit" for record in read_records(path)):
            return
        time.sleep(0.05)


def read_records(path: Path) -> Iterator[Any]:
    """The records of a session's log, as messages of W&B."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2  # chosen by the version of protobuf, so its names are not known here
    return map(messages.Record.FromString, _joined(path.read_bytes()))


def _joined(log: bytes) -> Iterator[bytes]:
    """The records of a log, joined from their chunks: a record may go over several blocks."""
    record, place = b"", _HEADER_BYTES
    while place + _CHUNK.size <= len(log):
        left = _BLOCK_BYTES - place % _BLOCK_BYTES
        if left < _CHUNK.size:  # too little for a chunk: padding
            place += left
            continue
        _, length, part = _CHUNK.unpack_from(log, place)
        chunk = log[place + _CHUNK.size : place + _CHUNK.size + length]
        if len(chunk) < length or not _WHOLE <= part <= _LAST:
            return
        record = chunk if part in (_WHOLE, _FIRST) else record + chunk
        if part in (_WHOLE, _LAST):
            yield record
        place += _CHUNK.size + length
