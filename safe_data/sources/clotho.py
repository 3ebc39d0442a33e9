"""Clotho: 15 to 30 s sounds of Freesound, with five captions each.

- Paper: Drossos, Lipping, Virtanen, "Clotho: an Audio Captioning Dataset", ICASSP 2020.
- Get: https://zenodo.org/record/4783391 (version 2.1; earlier ones have corrupt files). Licence: captions
  under Tampere University's own licence; each sound under its uploader's, named in the metadata.
  Size: 3,839 + 1,045 + 1,045 sounds, 37 h, 12 GB.

Expected under ROOT, as the archives unpack (one split is enough; the CSV files may also be in
clotho_csv_files/ or csv/, the folders in clotho_audio_files/, audio/ or clotho_audio_{part}/, or named so):

    clotho_captions_{development,validation,evaluation}.csv     file_name,caption_1,...,caption_5
    clotho_metadata_{development,validation,evaluation}.csv     optional; file_name, sound_id and others
    {development,validation,evaluation}/{file_name}             or the same name with another suffix

The official splits become `train` (development), `val` (validation) and `test` (evaluation). `group` is
`freesound-{sound_id}`, or the file name if the metadata has no sound id. The id of a record begins with its
split, as a file name may occur in two splits. If these are one sound, they are one group, and `safe-data
check` reports it. A sound whose row of the metadata is faulty is rejected, as its group is not known.

Faults: `sound_id` is "Not found" for some files; the metadata is not UTF-8; file names contain spaces,
commas, dots and other signs, so an id has the legible part of the file name and a hash; 89 % of the sounds
are also in WavCaps.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, csv_rows, find_annotations
from safe_data.sources.faulty_row import Fault
from safe_data.sources.ids import id_of
from safe_data.sources.media_files import SOUNDS, MediaFiles, list_media

DATASET = "clotho"
GET = "https://zenodo.org/record/4783391"
SPLITS = {"development": "train", "validation": "val", "evaluation": "test"}
FOLDERS = ("", "clotho_csv_files/", "csv/")
SOUND_FOLDERS = ("{0}", "clotho_audio_files/{0}", "audio/{0}", "clotho_audio_{0}/{0}", "clotho_audio_{0}")
PROMPT = "Describe the sound."


Text = Annotated[str, TEXT]


class Captions(msgspec.Struct):
    file_name: Text
    caption_1: Text
    caption_2: Text
    caption_3: Text
    caption_4: Text
    caption_5: Text


class Source(msgspec.Struct):
    file_name: str
    sound_id: str = ""
    manufacturer: str = ""
    license: str = ""


def read(root: Path) -> Records:
    """Yield the sounds of each split in the order of their rows, and the faulty rows.

    Raises:
        InputError: all caption files are missing, or one is not of Clotho.
    """
    files = {part: tuple(f"{folder}clotho_captions_{part}.csv" for folder in FOLDERS) for part in SPLITS}
    for part, file in find_annotations(root, files, GET).items():
        yield from _sounds(root, part, file)


def _sounds(root: Path, part: str, file: Path) -> Records:
    about = {"dataset": DATASET, "split": SPLITS[part]}
    sources, faults = _sources(file, part)
    folders = [folder.format(part) for folder in SOUND_FOLDERS]
    named_in_reasons = tuple(folders[:2])
    sounds = replace(list_media(root, folders, SOUNDS), folders=named_in_reasons)
    for found in csv_rows(file, Captions, "file_name", unique=True):
        if isinstance(found, Fault):
            yield found.rejected(**about)
            continue
        _, row = found
        if row.file_name in faults and row.file_name not in sources:
            yield faults.pop(row.file_name).rejected(**about)
        else:
            yield _record(row, sources.get(row.file_name, Source(row.file_name)), SPLITS[part], sounds)
    for fault in faults.values():
        yield fault.rejected(**about)


def _sources(captions: Path, part: str) -> tuple[dict[str, Source], dict[object, Fault]]:
    """The metadata of each file, and the faulty rows by file name where that is legible; or nothing."""
    file = captions.with_name(f"clotho_metadata_{part}.csv")
    if not file.is_file():
        file = file.with_name(f"{file.name}.gz")
    if not file.is_file():
        return {}, {}
    sources: dict[str, Source] = {}
    faults: dict[object, Fault] = {}
    for found in csv_rows(file, Source, "file_name", encoding="iso-8859-1"):
        if isinstance(found, Fault):
            faults[found.row_id or found] = found
        else:
            sources[found[1].file_name] = found[1]
    return sources, faults


def _record(row: Captions, source: Source, split: str, sounds: MediaFiles) -> Record | Rejected:
    name = Path(row.file_name).stem
    group = f"freesound-{source.sound_id}" if source.sound_id.isdigit() else row.file_name
    record_id = f"{split}-{id_of(name)}"
    about: dict[str, Any] = {"id": record_id, "dataset": DATASET, "split": split, "group": group}
    path = sounds.find(name)
    if path is None:
        return Rejected(**about, reason=sounds.missing(name), path=sounds.looked_for(name))
    example = Example(
        id=record_id,
        task="caption",
        prompt=PROMPT,
        references=(row.caption_1, row.caption_2, row.caption_3, row.caption_4, row.caption_5),
        question_type="caption",
        needs_audio=True,
    )
    facts = {"file_name": row.file_name, "manufacturer": source.manufacturer, "license": source.license}
    known = {key: value for key, value in facts.items() if value}
    return Record(**about, audio=Audio(path=path), examples=(example,), metadata=known)
