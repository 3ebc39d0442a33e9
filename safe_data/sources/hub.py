"""Read anything that `datasets.load_dataset` reads: a dataset of the Hugging Face hub, or local files.

ROOT/hub.yaml says what to load, and which column gives which of our fields:

    path: parquet           # a hub id, a format (with data_files or data_dir), or ./a-folder
    data_files: {train: data/*.parquet}         # relative to ROOT; also data_dir, name, revision
    splits: {train: train, validation: val}     # theirs: ours; default: all splits, with validation as val
    columns: {id: qid, audio: sound, prompt: question, references: answers.answer, group: video}
    constants: {task: vqa, needs_audio: true}
    metadata: [licence]                         # columns to copy into the record's metadata

A row becomes a record, with one example if it has fields of one; `a.b` is the field b of column a, or of each
item of a list. `audio` and `image` may be Audio, Image or Video features, bytes, or paths relative to ROOT;
none is decoded here. Media from elsewhere are copied to ROOT/media/ and named by the hash of their bytes, so
that a picture of many rows is stored once. Where a row leaves out

- `id`, it is the split and the number of the row.
- `group`, it is the file of the sound, or else of the picture, so that rows of one sound stay together.
- `dataset`, it is the name of ROOT.

Licence, size and faults depend on what is loaded. A hub id is downloaded to HF_HOME; nothing else uses the
network. An audiofolder needs torchcodec even undecoded; the `folder` source reads such folders without it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safe_data.core.errors import InputError, MediaError, raise_row_errors, unknown_field
from safe_data.records import ID_PATTERN, UNKNOWN_FIELD_HINT, Record, Records, Rejected, explain_record
from safe_data.sources.checked_rows import Checked, checked_rows
from safe_data.sources.faulty_row import Fault, shown_faults
from safe_data.sources.hub_load import (
    FILE,
    Row,
    Specification,
    load,
    read_specification,
    trusted_folders,
)
from safe_data.sources.hub_media import MediaFolder, path_of
from safe_data.sources.ids import as_id, id_of

MEDIA = ("audio", "image")
CLIP = ("start_seconds", "duration_seconds")
ASKED = ("task", "prompt", "references", "choices", "question_type", "needs_audio")
FIELDS = ("id", "dataset", "group", "label", "difficulty", "transcript", *MEDIA, *CLIP, *ASKED)


def read(root: Path, trust_links: Path | None = None) -> Records:
    """Yield the rows of each split as records, in order, and a rejected row for each that is faulty.

    Links below the root may lead into the folder `trust_links`.

    Raises:
        InputError: hub.yaml is missing or wrong, nothing can be loaded, or no row is good.
    """
    wanted = read_specification(root)
    _check_fields(root / FILE, wanted)
    return checked_rows(_rows(wanted, root, trust_links), str(root / FILE))


def _rows(wanted: Specification, root: Path, trust_links: Path | None) -> Iterator[Checked]:
    dataset = as_id(root.resolve().name)
    for split, rows in load(root, wanted):
        media = MediaFolder(root, trusted_folders(root, wanted), trust_links)
        for index, row in enumerate(rows):
            where = f"{split}[{index}]"
            fields: dict[str, Any] = {"id": f"{split}-{index}", "split": split, "dataset": dataset}
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                fields |= _fields(wanted, row)
                yield where, _record(dict(fields), media)
            except InputError:  # a copy of a medium cannot be written
                raise
            except ValidationError as error:
                yield _faulty(where, explain_record(error), fields)
            except ValueError as error:
                yield _faulty(where, [str(error)], fields)


def _faulty(where: str, faults: list[str], fields: dict[str, Any]) -> Fault:
    """A faulty row with what is sound in its fields."""
    group, dataset = fields.get("group", ""), str(fields["dataset"])
    return Fault(
        where,
        shown_faults(faults),
        row_id=id_of(str(fields["id"])),
        splits=(fields["split"],),
        dataset=dataset if ID_PATTERN.fullmatch(dataset) else "dataset",
        group=str(group) if isinstance(group, str | int) else "",
        path=next((path for path in map(path_of, map(fields.get, MEDIA)) if path), None),
    )


def _check_fields(file: Path, wanted: Specification) -> None:
    given = [*wanted.columns, *wanted.constants]
    errors = [
        unknown_field(name, FIELDS, UNKNOWN_FIELD_HINT) for name in dict.fromkeys(given) if name not in FIELDS
    ]
    errors += [
        f"{name!r} is a column and a constant; keep one" for name in wanted.columns if given.count(name) > 1
    ]
    if not any(name in wanted.columns for name in MEDIA):
        errors.append("columns name neither audio nor image; a record needs one of them")
    if any(name in given for name in ASKED):
        errors += [
            f"an example needs {name}; name its column or constant" for name in ASKED[:3] if name not in given
        ]
    raise_row_errors([f"{file}: {error}" for error in errors], str(file))


def _fields(wanted: Specification, row: Row) -> dict[str, Any]:
    """The fields from the constants and the columns of a row, without nulls."""
    fields = wanted.constants | {name: _value_at(row, path) for name, path in wanted.columns.items()}
    fields["metadata"] = {name: row[name] for name in wanted.metadata}
    return {name: value for name, value in fields.items() if value is not None}


def _value_at(value: Any, path: str) -> Any:
    """The value at a dotted path; for a list, a list of the values in its items."""
    if value is None or not path:
        return value
    if isinstance(value, list):
        return [_value_at(item, path) for item in value]
    name, _, rest = path.partition(".")
    if not isinstance(value, dict) or name not in value:
        raise ValueError(f"has no field {name!r} where columns look for it")
    return _value_at(value[name], rest)


def _record(fields: dict[str, Any], media: MediaFolder) -> Record | Rejected:
    """Make a record of the fields; find or copy its media, and reject it without them.

    Raises:
        ValidationError: the fields do not make a record.
    """
    about = {
        "id": id_of(str(fields.pop("id"))),
        "dataset": fields.pop("dataset"),
        "split": fields.pop("split"),
        "group": str(fields.pop("group", "")),
    }
    paths: dict[str, str | None] = {}
    for name in [name for name in MEDIA if name in fields]:
        value = fields.pop(name)
        try:
            paths[name] = media.place(value)
        except MediaError as error:
            return Rejected(**about, reason=str(error), path=path_of(value))
    audio, image = paths.get("audio"), paths.get("image")
    if not (audio or image):
        return Rejected(**about, reason="no media: the row has neither sound nor picture")
    about["group"] = about["group"] or audio or image
    clip = {name: fields.pop(name) for name in CLIP if name in fields}
    asked = {name: fields.pop(name) for name in ASKED if name in fields}
    if asked:
        asked |= {name: _texts(asked[name]) for name in ("references", "choices") if name in asked}
        fields["examples"] = [{"id": about["id"], **asked}]
    if "label" in fields:
        fields["label"] = str(fields["label"])
    return Record.model_validate(
        {**fields, **about, "image": image, "audio": audio and {"path": audio, **clip}}
    )


def _texts(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value])]
