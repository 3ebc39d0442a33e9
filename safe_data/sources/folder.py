"""A folder of media with a metadata.jsonl or metadata.csv beside it: the Hugging Face folder convention.

A row has `image_file_name`, `audio_file_name` or both, relative to the metadata file; `start_seconds` and
`duration_seconds` of the clip within its sound; and the fields of a Record. In CSV, `examples`, `events` and
`metadata` hold JSON. Subfolders may hold metadata too; their names are then the splits. Where a row leaves
out

- `dataset`, it is the name of the folder.
- `group`, it is the file name of the sound, or else of the picture, so that clips of one file stay together.
- `split`, the SHA-256 of the group decides: 80 % train, 10 % val, 10 % test; the same on every machine.

Source: https://huggingface.co/docs/datasets/image_dataset and audio_dataset (`*_file_name` columns).
Differs: only the two columns above name media; rows are checked, and all errors are reported at once.
"""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from safe_data.core.byte_order import encoding_fault, without_mark
from safe_data.core.errors import InputError, raise_row_errors, unknown_field
from safe_data.core.json_document import json_fault
from safe_data.media.paths import inside
from safe_data.records import UNKNOWN_FIELD_HINT, Record, Records, explain_record
from safe_data.sources.ids import as_id

METADATA = ("metadata.jsonl", "metadata.csv")
MEDIA_FIELDS = ("image_file_name", "audio_file_name", "start_seconds", "duration_seconds")
FIELDS = (*MEDIA_FIELDS, *(name for name in Record.model_fields if name not in ("image", "audio")))
JSON_FIELDS = ("examples", "events", "metadata")
Numbered = Iterator[tuple[int, dict[str, Any] | str]]


def read(root: Path) -> Records:
    """Yield the records of a folder in the order of their rows.

    Raises:
        InputError: the folder or its metadata is missing, or rows are faulty (all of them, after the last
        row).
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds {METADATA[0]}")
    errors: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    count = 0
    for file in _metadata_files(root):
        rows = _json_rows(file) if file.suffix == ".jsonl" else _csv_rows(file)
        for number, row in rows:
            where = f"{file.relative_to(root)}:{number}"
            count += 1
            record = [row] if isinstance(row, str) else _record(root, file.parent, row)
            if isinstance(record, Record):
                record = _taken_ids(record, where, seen) or record
            if isinstance(record, Record):
                yield record
                continue
            name = f" {row['id']!r}" if isinstance(row, dict) and row.get("id") else ""
            errors += [f"{where}{name}: {sentence}" for sentence in record]
    raise_row_errors(errors, str(root))
    if not count:
        raise InputError(f"{root}: its metadata has no rows; there is nothing to read")


def split_of(group: str) -> str:
    """The split for a group without one: 80 % train, 10 % val, 10 % test, by its hash alone."""
    position = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64
    return "train" if position < 0.8 else "val" if position < 0.9 else "test"


def _metadata_files(root: Path) -> list[Path]:
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    files = [folder / name for folder in folders for name in METADATA if (folder / name).is_file()]
    if not files:
        raise InputError(f"{root}: holds no {' or '.join(METADATA)}; write one, with one row per clip")
    for file in files:
        with file.open("rb") as begins:
            if fault := encoding_fault(begins.read(64)):
                raise InputError(f"{file}: {fault}")
    return files


def _json_rows(file: Path) -> Numbered:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line := without_mark(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                row = json_fault(line, error)
            yield number, row if isinstance(row, dict) else _no_object(row, line)


def _no_object(found: object, line: bytes) -> str:
    cut = " (the file was cut off here?)" if not line.endswith(b"\n") else ""
    reason = found if isinstance(found, str) else f"it is a {type(found).__name__}"
    return f"not a JSON object: {reason}{cut}; write one object per line"


def _csv_rows(file: Path) -> Numbered:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True, restkey="")
        try:
            for row in reader:
                yield reader.line_num, _csv_row(row)
        except (csv.Error, UnicodeDecodeError) as error:
            yield reader.line_num + 1, f"not CSV in UTF-8: {error}"


def _csv_row(row: dict[str, Any]) -> dict[str, Any] | str:
    if "" in row:
        return f"has more cells than the header has columns, from {row[''][0]!r} on; quote cells with commas"
    given = {name: cell for name, cell in row.items() if cell}
    for name in JSON_FIELDS:
        try:
            if name in given:
                given[name] = msgspec.json.decode(given[name])
        except (msgspec.DecodeError, RecursionError) as error:
            return f"{name} is not JSON: {json_fault(given[name].encode(), error)}"
    return given


def _record(root: Path, folder: Path, row: dict[str, Any]) -> Record | list[str]:
    """The row as a Record with paths relative to the root, or its faults."""
    given = {name: value for name, value in row.items() if value is not None}
    errors = [unknown_field(name, FIELDS, UNKNOWN_FIELD_HINT) for name in given if name not in FIELDS]
    media = {name: given.pop(name) for name in MEDIA_FIELDS if name in given}
    for name in [name for name in MEDIA_FIELDS[:2] if name in media]:
        try:
            media[name] = _from_root(root, folder, media[name])
        except ValueError as error:
            errors.append(f"{name} {error}")
            media[name] = "?"  # the error is recorded already
    fields = {name: value for name, value in given.items() if name in FIELDS}
    fields.setdefault("dataset", as_id(root.resolve().name))
    fields.setdefault("group", media.get("audio_file_name") or media.get("image_file_name") or "")
    if folder != root:
        fields.setdefault("split", folder.name)
    fields.setdefault("split", split_of(str(fields["group"])))
    if "image_file_name" in media:
        fields["image"] = media.pop("image_file_name")
    if "audio_file_name" in media:
        fields["audio"] = {"path": media.pop("audio_file_name"), **media}
    elif media:
        errors.append(f"{' and '.join(media)} without audio_file_name; name the sound or leave them out")
    try:
        record = Record.model_validate(fields)
    except ValidationError as error:
        errors += explain_record(error)
    return errors or record


def _from_root(root: Path, folder: Path, path: object) -> str:
    """Make a media path that is relative to the metadata file relative to the root.

    Raises:
        ValueError: it is not a path, or leads out of the root.
    """
    if not isinstance(path, str) or not path:
        raise ValueError(f"is {path!r}; write a path relative to the metadata file")
    try:
        if Path(path).is_absolute():
            raise ValueError(f"{path!r} is an absolute path")
        relative = str(folder.relative_to(root) / path)
        inside(root, relative)
    except (ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"{error}; put media below the folder, and name them relative to it") from None
    return relative


def _taken_ids(record: Record, where: str, seen: dict[tuple[str, str], str]) -> list[str]:
    """Say which ids of the record and its examples an earlier row has already; note the others as seen."""
    names = [("id", record.id), *(("example id", example.id) for example in record.examples)]
    errors = []
    for kind, value in names:
        first = seen.setdefault((kind, value), where)
        if first != where or names.count((kind, value)) > 1:
            errors.append(f"{kind} {value!r} is on {first} already; give each its own")
    return errors
