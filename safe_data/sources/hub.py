"""Anything that `datasets.load_dataset` reads: a dataset of the Hugging Face hub, or local files.

ROOT/hub.yaml says what to load, and which of its columns is which field of ours:

    path: parquet           # a hub id, a format (with data_files or data_dir), or ./a-folder
    data_files: {train: data/*.parquet}         # from ROOT; also data_dir, name, revision
    splits: {train: train, validation: val}     # theirs: ours; all of them where left out, validation as val
    columns: {id: qid, audio: sound, prompt: question, references: answers.answer, group: video}
    constants: {task: vqa, needs_audio: true}
    metadata: [licence]                         # columns to keep as they are

A row is a record, with an example where there are `references`; `a.b` is the field b of column a, or of
each in a list. `audio` and `image` may be Audio, Image or Video features, bytes, or paths from ROOT; none is
decoded here. What lies elsewhere is copied to ROOT/media/ under the hash of its bytes, so that a picture of
many rows lies there once. What a row leaves out:

- `id`: the split and the number of the row.
- `group`: the file of its sound (else of its picture), so that rows of one sound stay together.
- `dataset`: ROOT's name.

Licence, size and faults are those of what is loaded. A hub id is downloaded to HF_HOME; nothing else uses the
network. An audiofolder needs torchcodec even undecoded; the `folder` source reads such folders without it.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safe_data.core.errors import InputError, MediaError, raise_row_errors, unknown_field
from safe_data.records import UNKNOWN_FIELD_HINT, Record, Records, Rejected, explain_record
from safe_data.sources.hub_load import (
    FILE,
    MediaFolder,
    Row,
    Specification,
    load,
    read_specification,
    trusted_folders,
)
from safe_data.sources.ids import as_id, id_of

MEDIA = ("audio", "image")
CLIP = ("start_seconds", "duration_seconds")
ASKED = ("task", "prompt", "references", "choices", "question_type", "needs_audio")
FIELDS = ("id", "dataset", "group", "label", "difficulty", "transcript", *MEDIA, *CLIP, *ASKED)


def read(root: Path) -> Records:
    """Yield the rows of each split as records, in their order.

    Raises:
        InputError: no hub.yaml, a mistake in it, nothing to load, or faulty rows (all, after the last one).
    """
    wanted = read_specification(root)
    _check_fields(root / FILE, wanted)
    errors: list[str] = []
    seen: dict[str, str] = {}
    for split, rows in load(root, wanted):
        media = MediaFolder(root, trusted_folders(root, wanted))
        for index, row in enumerate(rows):
            where = f"{split}[{index}]"
            try:
                fields = {"id": f"{split}-{index}", "split": split} | _fields(wanted, row)
                record = _record(fields, media)
            except InputError:  # a copy of a medium cannot be written
                raise
            except ValidationError as error:
                errors += [f"{where}: {sentence}" for sentence in explain_record(error)]
                continue
            except ValueError as error:
                errors.append(f"{where}: {error}")
                continue
            if (first := seen.setdefault(record.id, where)) != where:
                errors.append(f"{where} {record.id!r}: has the id of {first}; ids name one row each")
                continue
            yield record
    raise_row_errors(errors, str(root / FILE))


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
    """What the row and the constants give, without what is null."""
    fields = wanted.constants | {name: _cell(row, path) for name, path in wanted.columns.items()}
    fields["metadata"] = {name: row[name] for name in wanted.metadata}
    return {name: value for name, value in fields.items() if value is not None}


def _cell(value: Any, path: str) -> Any:
    """What lies at the dotted path; of a list, in each of its items."""
    if value is None or not path:
        return value
    if isinstance(value, list):
        return [_cell(item, path) for item in value]
    name, _, rest = path.partition(".")
    if not isinstance(value, dict) or name not in value:
        raise ValueError(f"has no field {name!r} where columns look for it")
    return _cell(value[name], rest)


def _record(fields: dict[str, Any], media: MediaFolder) -> Record | Rejected:
    """The fields as a record, its media found or copied.

    Raises:
        ValidationError: they are none.
    """
    about = {
        "id": id_of(str(fields.pop("id"))),
        "dataset": fields.pop("dataset", as_id(media.root.resolve().name)),
        "split": fields.pop("split"),
        "group": str(fields.pop("group", "")),
    }
    try:
        paths = {name: media.place(fields.pop(name)) for name in MEDIA if name in fields}
    except MediaError as error:
        return Rejected(**about, reason=str(error))
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
