"""Croissant: what a dataset holds, as JSON-LD that dataset search engines and other loaders read.

The files are named relative to the dataset, so the document belongs beside its dataset.json. It has no date,
and the same dataset gives the same bytes. What a dataset does not know of itself is left out, not invented:
licence, creators, URL, date of publication and citation.

Source: Croissant Format Specification, version 1.1, http://mlcommons.org/croissant/1.1.
Differs: the specification requires licence, creator, url and datePublished; whoever publishes the dataset
adds them.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.core.errors import InputError
from safe_data.core.files import Root
from safe_data.core.numerals import counted
from safe_data.core.table import render
from safe_data.records import Difficulty
from safe_data.shards import manifest
from safe_data.shards.layout import (
    MANIFEST,
    Dataset,
    Done,
    Encoding,
    FileFacts,
    read_dataset,
    read_json,
    shards_of,
    silence_name,
)
from safe_data.shards.storage import Storage, open_storage

VERSION = "http://mlcommons.org/croissant/1.1"
Json = dict[str, Any]
Kind = str | list[str]

_TERMS = """
arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty
fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex
repeated replace samplingRate separator source subField transform
"""
CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
FORMATS = {
    "json": "application/json",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "png": "image/png",
    "jpg": "image/jpeg",
    "tar": "application/x-tar",
    "parquet": "application/x-parquet",
    "npy": "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html",  # no media type
}
SPLITS = {
    "train": "cr:TrainingSplit",
    "val": "cr:ValidationSplit",
    "valid": "cr:ValidationSplit",
    "validation": "cr:ValidationSplit",
    "dev": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
ENUMERATIONS = {"status": ("ok", "rejected"), "difficulty": get_args(Difficulty)}
COLUMNS = {
    "index": "place of the record in the corpus, from 0",
    "id": "name of the record, and of its files in the tar up to their first dot",
    "dataset": "corpus that the record is from",
    "split": "part of the dataset that the record belongs to",
    "group": "what must not be in two splits, such as a video or a speaker",
    "label": "class of the record; null without one",
    "difficulty": "how hard the record is: easy, medium, hard, harder or hardest; null if unknown",
    "status": "ok, or rejected for a record that is in no tar",
    "error": "why the record was rejected; null if it was not",
    "source_path": "medium for which the record was rejected, relative to the corpus",
    "shard": "name of the tar and of the sidecars, without suffix",
    "row": "row of the record in the sidecars of its shard, from 0; null if it was rejected",
    "has_audio": "whether the record has a sound",
    "has_image": "whether the record has a picture",
    "json_offset": "first byte of the record's JSON in the tar",
    "json_size": "size of the record's JSON, in bytes",
    "json_sha256": "SHA-256 of the record's JSON",
    "audio_name": "name of the sound in the tar",
    "audio_offset": "first byte of the sound in the tar",
    "audio_size": "size of the sound's file, in bytes",
    "image_name": "name of the picture in the tar",
    "image_offset": "first byte of the picture in the tar",
    "image_size": "size of the picture's file, in bytes",
    "audio_sha256": "SHA-256 of the sound's file",
    "pcm_sha256": "SHA-256 of the sound's decoded samples",
    "image_sha256": "SHA-256 of the picture's file",
    "pixel_sha256": "SHA-256 of the picture's decoded pixels",
    "image_dhash": "difference hash of the picture: 64 bits, as hexadecimal digits",
    "duration_seconds": "length of the sound, in seconds",
    "sample_rate_hz": "sample rate of the sound, in Hz",
    "channels": "number of channels of the sound",
    "rms_db": "root mean square of the samples, in dB below full scale",
    "peak": "largest absolute sample, where 1 is full scale",
    "clipped_fraction": "share of samples at full scale, from 0 to 1",
    "snr_db": "estimated ratio of signal to noise, in dB",
    "silence_fraction": "share of the sound that is silent, from 0 to 1",
    "image_width": "width of the picture, in pixels",
    "image_height": "height of the picture, in pixels",
    "examples": "number of questions and caption tasks of the record",
    "audio_examples": "number of them that need the sound",
    "events": "what happens when, as JSON: label, start and end in seconds, modality",
    "transcript": "what is said in the sound",
}


def croissant_lines(root: Root) -> list[str]:
    """The Croissant metadata of a dataset in a folder or at a URL, as lines of JSON.

    Raises:
        InputError: there is no finished dataset.
    """
    return render((), "json", croissant(root))


def croissant(root: Root) -> Json:
    """The Croissant metadata of a dataset: its files, its records and its splits.

    Raises:
        InputError: there is no finished dataset, or a done.json does not name a file of its shard.
    """
    storage = open_storage(root)
    dataset = read_dataset(storage)
    rows = manifest.read_stored(storage, MANIFEST)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": dataset.name,
        "description": _description(dataset, rows),
        "conformsTo": VERSION,
        "identifier": f"sha256:{dataset.fingerprint}",
        "distribution": [
            _manifest(storage, dataset),
            *_shard_files(storage, dataset),
            *_members(rows, [str(paths.tar) for paths in shards_of(dataset)]),
            *_silences(dataset),
        ],
        "recordSet": [_records(rows.schema), _splits(dataset), *map(_enumeration, ENUMERATIONS)],
    }


def _description(dataset: Dataset, rows: pa.Table) -> str:
    clips = sum(split.samples for split in dataset.splits.values())
    splits = ", ".join(f"{name} {split.samples}" for name, split in dataset.splits.items())
    encoders = ", ".join(encoding.label for encoding in dataset.encoders) or "none"
    sounds, pictures, examples = (
        pc.sum(rows[name]).as_py() or 0 for name in ("has_audio", "has_image", "examples")
    )
    held = f"{counted(sounds, 'sound')}, {counted(pictures, 'picture')} and {counted(examples, 'prompt')}"
    unused = f" {counted(len(rows) - clips, 'record')} more could not be used; `error` says why."
    return (
        f"{counted(clips, 'clip')} ({splits}) with {held}, as WebDataset shards. Embeddings of the sounds: "
        f"{encoders}.{unused if len(rows) > clips else ''}"
    )


def _file(name: str, facts: FileFacts, about: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": PurePath(name).name,
        "description": about,
        "contentUrl": name,  # of letters that a URL may have: A-Z a-z 0-9 _ - . and /
        "contentSize": f"{facts.bytes} B",
        "encodingFormat": FORMATS[name.rpartition(".")[2]],
        "sha256": facts.sha256,
    }


def _manifest(storage: Storage, dataset: Dataset) -> Json:
    facts = FileFacts(dataset.manifest_sha256, storage.size(MANIFEST) or 0)
    return _file(MANIFEST, facts, "A row for each record of the corpus, the rejected ones too.")


def _shard_files(storage: Storage, dataset: Dataset) -> Iterator[Json]:
    """The tar of each shard, and its sidecars."""
    for paths in shards_of(dataset):
        about = {paths.tar: f"A WebDataset of {paths.split}: the files of one sample after the other."}
        for encoding in dataset.encoders:
            rows = f"row i is the i-th sample of {paths.tar.name}, zeros if it has no sound."
            about[paths.sidecar(encoding)] = f"{_embeddings(encoding)}; {rows}"
        files = read_json(storage, paths.done, Done).files
        for path, what in about.items():
            if path.name not in files:
                raise InputError(f"{storage}/{paths.done}: lacks {path.name}; run the build again")
            yield _file(str(path), files[path.name], what)


def _embeddings(encoding: Encoding) -> str:
    shape = " × ".join(map(str, encoding.shape))
    heard = f"sounds at {encoding.sample_rate_hz} Hz"
    return f"Embeddings of {heard} by {encoding.name} {encoding.fingerprint}: {encoding.dtype}, {shape} each"


def _silences(dataset: Dataset) -> Iterator[Json]:
    for label, facts in dataset.encoder_facts.items():
        about = f"What {label} makes of one second of digital silence."
        yield _file(silence_name(label), facts.silence, about)


def _members(rows: pa.Table, tars: Sequence[str]) -> Iterator[Json]:
    """The files in the tars, a set for each suffix."""
    names = pa.chunked_array([*rows["audio_name"].chunks, *rows["image_name"].chunks], pa.string())
    found = pc.unique(pc.replace_substring_regex(names, r"^.*\.", "")).drop_null().to_pylist()
    for suffix in ("json", *sorted(found)):
        what = "records with all that is asked about them" if suffix == "json" else f"{suffix} files of clips"
        yield {
            "@type": "cr:FileSet",
            "@id": f"{suffix}-files",
            "name": f"{suffix}-files",
            "description": f"The {what}, named ID.{suffix} after the id of the record.",
            "containedIn": [{"@id": tar} for tar in tars],
            "encodingFormat": FORMATS.get(suffix, "application/octet-stream"),
            "includes": f"*.{suffix}",
        }


def _records(schema: pa.Schema) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": "records",
        "name": "records",
        "description": "The records, shard by shard, with what was measured of their media.",
        "key": {"@id": "records/id"},
        "field": [_column(column) for column in schema],
    }


def _column(column: pa.Field) -> Json:
    kind = next(
        kind
        for of_kind, kind in (
            (pa.types.is_boolean, "sc:Boolean"),
            (pa.types.is_integer, "sc:Integer"),
            (pa.types.is_floating, "sc:Float"),
            (pa.types.is_string, "sc:Text"),
        )
        if of_kind(column.type)
    )
    references = {"split": "splits", **{name: _set_name(name) for name in ENUMERATIONS}}
    field = {
        "@type": "cr:Field",
        "@id": f"records/{column.name}",
        "name": column.name,
        "description": COLUMNS.get(column.name, column.name),
        "dataType": [kind, "cr:Label"] if column.name == "label" else kind,
        "source": {"fileObject": {"@id": MANIFEST}, "extract": {"column": column.name}},
    }
    if column.name in references:
        field["references"] = {"field": {"@id": f"{references[column.name]}/name"}}
    return field


def _splits(dataset: Dataset) -> Json:
    """The splits, each with the use that its name means; `cr:Split` for another name."""
    uses = {name: SPLITS.get(name, "cr:Split") for name in dataset.splits}
    fields: tuple[tuple[str, Kind], ...] = (("name", "sc:Text"), ("url", ["sc:URL", "cr:Split"]))
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits of the dataset, and what each is for where its name says so.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_own_field("splits", name, kind) for name, kind in fields],
        "data": [{"splits/name": name, "splits/url": use} for name, use in uses.items()],
    }


def _enumeration(column: str) -> Json:
    own = _set_name(column)
    return {
        "@type": "cr:RecordSet",
        "@id": own,
        "name": own,
        "description": f"What `{column}` of a record may be.",
        "dataType": "sc:Enumeration",
        "key": {"@id": f"{own}/name"},
        "field": [_own_field(own, "name", "sc:Text")],
        "data": [{f"{own}/name": value} for value in ENUMERATIONS[column]],
    }


def _set_name(column: str) -> str:
    return {"status": "statuses", "difficulty": "difficulties"}[column]


def _own_field(record_set: str, name: str, kind: Kind) -> Json:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "dataType": kind}
