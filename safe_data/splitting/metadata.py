"""Metadata: the rows of a folder dataset again, each in its new split.

The file belongs into the root of the folder, in place of its metadata files: paths are relative to that.
"""

import json
from collections.abc import Iterable
from typing import Any

METADATA = "metadata.jsonl"


def metadata_jsonl(described: Iterable[bytes], splits: Iterable[str]) -> bytes:
    """The metadata.jsonl of a folder.

    Args:
        described: the JSON of each record; rejected rows are empty, and left out
        splits: the split of each of them
    """
    rows = (row_of(json.loads(data), split) for data, split in zip(described, splits, strict=True) if data)
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode()


def row_of(record: dict[str, Any], split: str) -> dict[str, Any]:
    """A record as a row of the folder layout.

    >>> row_of({"id": "a", "split": "train", "audio": {"path": "a.wav", "start_seconds": 0.0}}, "test")
    {'id': 'a', 'split': 'test', 'audio_file_name': 'a.wav'}
    """
    row = {
        name: value
        for name, value in record.items()
        if name not in ("image", "audio") and value not in ([], {})
    }
    row["split"] = split
    if record.get("image") is not None:
        row["image_file_name"] = record["image"]
    if record.get("audio") is not None:
        audio = dict(record["audio"])
        row["audio_file_name"] = audio.pop("path")
        row |= {name: value for name, value in audio.items() if value}
    return row
