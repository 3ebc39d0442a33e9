"""A folder of media with a metadata.jsonl, .csv or .parquet beside it: the Hugging Face folder convention.

A row names media relative to the metadata file: `image_file_name`, `audio_file_name` or both; or `file_name`
and any `*_file_name`, where the suffix says whether it is a sound, a picture, or a video, which gives what no
other column names. It also has `start_seconds` and `duration_seconds` of the clip within its sound, and the
fields of a Record. Where cells are text, `examples`, `events` and `metadata` hold JSON. Subfolders may hold
metadata too; their names are then the splits. Where a row leaves out

- `id`, and has `file_name`, it is made of that name and of `start_seconds`.
- `dataset`, it is the name of the folder.
- `group`, it is the file name of the sound, or else of the picture, so that clips of one file stay together.
- `split`, the SHA-256 of the group decides: 80 % train, 10 % val, 10 % test; the same on every machine.

A faulty row is rejected with its place and its faults (`checked_rows`). Links are followed where media are
opened.

Source: https://huggingface.co/docs/datasets/image_dataset and audio_dataset (`*_file_name` columns).
Differs: a record has one sound and one picture, so there is no `file_names`; a column that is no field is
refused; class folders without metadata are not read, as they ask no question about a sound.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from safe_data.core.errors import InputError, unknown_field
from safe_data.records import ID_PATTERN, UNKNOWN_FIELD_HINT, Record, Records, explain_record
from safe_data.sources.checked_rows import Checked, checked_rows
from safe_data.sources.faulty_row import Fault, shown_faults
from safe_data.sources.ids import as_id, id_of
from safe_data.sources.media_files import kind_by_suffix
from safe_data.sources.metadata_rows import METADATA, Row, read_rows

FILE_NAME, IMAGE, AUDIO = "file_name", "image_file_name", "audio_file_name"
CLIP = ("start_seconds", "duration_seconds")
FIELDS = (
    FILE_NAME,
    IMAGE,
    AUDIO,
    *CLIP,
    *(name for name in Record.model_fields if name not in ("image", "audio")),
)
SAVED = ("dataset_dict.json", "dataset_info.json")  # of a dataset that `save_to_disk` wrote


def read(root: Path) -> Records:
    """Yield the records of a folder in the order of their rows, and a rejected row for each that is faulty.

    Raises:
        InputError: the folder or its metadata is missing, a metadata file has wrong columns, or no row is
            good.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds {METADATA[0]}")
    return checked_rows(_rows(root), str(root))


def split_of(group: str) -> str:
    """The split for a group without one: 80 % train, 10 % val, 10 % test, by its hash alone."""
    position = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64
    return "train" if position < 0.8 else "val" if position < 0.9 else "test"


def _metadata_files(root: Path) -> list[Path]:
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    files = [folder / name for folder in folders for name in METADATA if (folder / name).is_file()]
    if not files and any((root / name).is_file() for name in SAVED):
        raise InputError(
            f"{root}: was saved by `save_to_disk`; write a hub.yaml, and read it with --source hub"
        )
    if not files:
        raise InputError(
            f"{root}: holds no {', '.join(METADATA[:-1])} or {METADATA[-1]}; write one, with one row per clip"
        )
    return files


def _rows(root: Path) -> Iterator[Checked]:
    dataset = as_id(root.resolve().name)
    for file in _metadata_files(root):
        columns, rows = read_rows(file)
        if columns:
            _check_columns(file, columns)
        about = _About(root, file.parent, dataset)
        for place, row in rows:
            where = f"{file.relative_to(root)}{place}"
            if isinstance(row, str):
                yield Fault(where, shown_faults([row]), splits=about.splits, dataset=dataset)
            else:
                yield _checked(where, row, about)


def _is_file_name(column: str) -> bool:
    return column == FILE_NAME or column.endswith(f"_{FILE_NAME}")


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    """Refuse columns that make every row faulty.

    Raises:
        InputError: a column has no name, the name of another, or one that is no field; or none names media.
    """
    faults = [
        f"column {number} has no name; write the file without an index"
        for number, name in enumerate(columns, 1)
        if not name.strip()
    ]
    faults += [
        f"column {name!r} is there twice" for name in dict.fromkeys(columns) if columns.count(name) > 1
    ]
    faults += [
        unknown_field(name, FIELDS, UNKNOWN_FIELD_HINT)
        for name in columns
        if name.strip() and name not in FIELDS and not _is_file_name(name)
    ]
    if not faults and not any(map(_is_file_name, columns)):
        faults = [f"has no column {FILE_NAME}, {IMAGE} or {AUDIO}; name the medium of each row"]
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
        faults = [f"has one column, {columns[0]!r}; put commas between the columns"]
    if faults:
        raise InputError(f"{file}: {'; '.join(faults[:5])}")


@dataclass(frozen=True)
class _About:
    """Where a metadata file is, and the name of the dataset."""

    root: Path
    folder: Path
    dataset: str

    @property
    def splits(self) -> tuple[str, ...]:
        """The split that the folder names."""
        return () if self.folder == self.root else (self.folder.name,)

    def dataset_of(self, given: object) -> str:
        """The dataset that a row names, if it may be one."""
        return given if isinstance(given, str) and ID_PATTERN.fullmatch(given) else self.dataset

    def from_root(self, path: object) -> str:
        """Make a media path that is relative to the metadata file relative to the root.

        Raises:
            ValueError: it is not a path, or leads out of the root.
        """
        if not isinstance(path, str) or not path:
            raise ValueError(f"is {path!r}; write a path relative to the metadata file")
        relative = str(self.folder.relative_to(self.root) / path)
        fix = "put media below the folder, and name them relative to it"
        if Path(path).is_absolute():
            raise ValueError(f"{path!r} is an absolute path; {fix}")
        if Path(os.path.normpath(relative)).parts[0] == os.pardir:
            raise ValueError(f"{path!r} leads out of the root; {fix}")
        return relative


def _checked(where: str, row: Row, about: _About) -> Checked:
    """The row as a Record with paths relative to the root, or what is faulty in it."""
    given = {name: value for name, value in row.items() if value is not None}
    names = [name for name in given if _is_file_name(name)]
    faults = [
        unknown_field(name, FIELDS, UNKNOWN_FIELD_HINT)
        for name in given
        if name not in FIELDS and name not in names
    ]
    media = _media({name: given[name] for name in names}, about)
    faults += media.faults
    fields = {name: value for name, value in given.items() if name in Record.model_fields}
    clip = {name: given[name] for name in CLIP if name in given}
    path = media.audio or media.image
    if path and FILE_NAME in given:
        fields.setdefault("id", id_of(f"{path} {clip[CLIP[0]]}" if CLIP[0] in clip else path))
    if not names:
        faults.append("a record needs an image, an audio, or both")
    own_id = fields.get("id")
    if not path and (FILE_NAME in given or not names):
        fields.setdefault("id", "-")  # a medium would give one, and its lack is said already
    fields.setdefault("dataset", about.dataset)
    fields.setdefault("group", path or "")
    fields.setdefault("split", *(about.splits or [split_of(str(fields["group"]))]))
    unnamed = "?" if media.faults or not names else None  # one fault, said once
    fields |= {"image": media.image or unnamed}
    if media.audio:
        fields["audio"] = {"path": media.audio, **clip}
    elif clip and unnamed is None:
        faults.append(f"{' and '.join(clip)} without {AUDIO}; name the sound or leave them out")
    try:
        record = Record.model_validate(fields)
    except ValidationError as error:
        faults += explain_record(error)
    if not faults:
        return where, record
    return Fault(
        where,
        shown_faults(faults),
        row_id=own_id,
        splits=(fields["split"], *about.splits),
        dataset=about.dataset_of(fields["dataset"]),
        group=fields["group"],
        path=path or next((given[name] for name in names if isinstance(given[name], str)), None),
    )


@dataclass(frozen=True)
class _Media:
    """The sound and the picture of a row, and what is wrong with the columns that name them."""

    audio: str | None
    image: str | None
    faults: list[str]


def _media(given: Row, about: _About) -> _Media:
    """Find the sound and the picture among the columns that name media; a video gives what no other does."""
    found: dict[str, dict[str, str]] = {"sound": {}, "picture": {}, "video": {}}
    faults = []
    for name, value in given.items():
        try:
            path = about.from_root(value)
        except ValueError as error:
            faults.append(f"{name} {error}")
            continue
        kind = {IMAGE: "picture", AUDIO: "sound"}.get(name) or kind_by_suffix(path)
        if kind is None:
            fix = f"call the column {IMAGE} or {AUDIO}"
            faults.append(f"{name} {value!r} has no suffix of a sound, picture or video; {fix}")
        else:
            found[kind].setdefault(path, name)
    for kind, paths in found.items():
        if len(paths) > 1:
            faults.append(f"{' and '.join(paths.values())} each name a {kind}; a record has one")
    sound, picture, video = (next(iter(paths), None) for paths in found.values())
    if sound and picture and video:
        faults.append(f"{found['video'][video]} names a video beside a sound and a picture; leave one out")
    return _Media(sound or video, picture or video, faults)
