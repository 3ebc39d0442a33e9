"""Clotho: 15 to 30 s sounds of Freesound, with five captions each.

- Paper: Drossos, Lipping, Virtanen, "Clotho: an Audio Captioning Dataset", ICASSP 2020.
- Get: https://zenodo.org/record/4783391 (version 2.1; earlier ones have corrupt files). Licence: captions
  under Tampere University's own licence; each sound under its uploader's, named in the metadata.
  Size: 3,839 + 1,045 + 1,045 sounds, 37 h, 12 GB.

Expected under ROOT, as the archives unpack (one split is enough; the CSV files may also be in
clotho_csv_files/, the folders in clotho_audio_files/):

    clotho_captions_{development,validation,evaluation}.csv     file_name,caption_1,...,caption_5
    clotho_metadata_{development,validation,evaluation}.csv     optional; file_name, sound_id and others
    {development,validation,evaluation}/{file_name}             or the same name with another suffix

The official splits become `train` (development), `val` (validation) and `test` (evaluation). `group` is
`freesound-{sound_id}`, or the file name if the metadata has no sound id.

Faults: `sound_id` is "Not found" for some files; the metadata is not UTF-8; file names contain spaces,
commas, dots and other signs, so the id of a record is the legible part of its file name and a hash; 89 % of
the sounds are also in WavCaps.
"""

from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import raise_row_errors
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import csv_rows, find_annotations
from safe_data.sources.ids import id_of
from safe_data.sources.media_files import SOUNDS, MediaFiles, list_media

DATASET = "clotho"
GET = "https://zenodo.org/record/4783391"
SPLITS = {"development": "train", "validation": "val", "evaluation": "test"}
FOLDERS = ("", "clotho_csv_files/")
PROMPT = "Describe the sound."


class Captions(msgspec.Struct):
    file_name: str
    caption_1: str
    caption_2: str
    caption_3: str
    caption_4: str
    caption_5: str


class Source(msgspec.Struct):
    file_name: str
    sound_id: str = ""
    manufacturer: str = ""
    license: str = ""


def read(root: Path) -> Records:
    """Yield the sounds of each split in the order of their rows.

    Raises:
        InputError: all caption files are missing, or rows are faulty (all of them, after the last row).
    """
    errors: list[str] = []
    files = {part: tuple(f"{folder}clotho_captions_{part}.csv" for folder in FOLDERS) for part in SPLITS}
    for part, file in find_annotations(root, files, GET).items():
        sources = _sources(file.with_name(f"clotho_metadata_{part}.csv"), errors)
        sounds = list_media(root, (part, f"clotho_audio_files/{part}"), SOUNDS)
        for _, row in csv_rows(file, Captions, "file_name", errors, unique=True):
            yield _record(row, sources.get(row.file_name, Source(row.file_name)), SPLITS[part], sounds)
    raise_row_errors(errors, str(root))


def _sources(file: Path, errors: list[str]) -> dict[str, Source]:
    """The metadata of each file; empty if there is none."""
    if not file.is_file():
        return {}
    rows = csv_rows(file, Source, "file_name", errors, encoding="iso-8859-1")
    return {row.file_name: row for _, row in rows}


def _record(row: Captions, source: Source, split: str, sounds: MediaFiles) -> Record | Rejected:
    name = Path(row.file_name).stem
    group = f"freesound-{source.sound_id}" if source.sound_id.isdigit() else row.file_name
    about: dict[str, Any] = {"id": id_of(name), "dataset": DATASET, "split": split, "group": group}
    path = sounds.find(name)
    if path is None:
        return Rejected(**about, reason=sounds.missing(name))
    example = Example(
        id=about["id"],
        task="caption",
        prompt=PROMPT,
        references=(row.caption_1, row.caption_2, row.caption_3, row.caption_4, row.caption_5),
        question_type="caption",
        needs_audio=True,
    )
    facts = {"file_name": row.file_name, "manufacturer": source.manufacturer, "license": source.license}
    known = {key: value for key, value in facts.items() if value}
    return Record(**about, audio=Audio(path=path), examples=(example,), metadata=known)
