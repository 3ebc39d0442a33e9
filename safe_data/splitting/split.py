"""Split: make new splits of a corpus, or clean those that it has, and write them with a report.

A built dataset is split by its manifest, and what its media share can keep records together. Any other
corpus is split by its annotations, before media are there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import PICTURES, SOUNDS, alike
from safe_data.audit.alike.clusters import components
from safe_data.audit.annotated import annotated_corpus
from safe_data.audit.corpus import Corpus, Given, open_corpus
from safe_data.audit.examples import examples
from safe_data.audit.matrix import NotLookedFor
from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import json_bytes
from safe_data.core.numerals import counted
from safe_data.core.overwriting import write_all_new
from safe_data.core.phases import Phase, unseen
from safe_data.shards.layout import DATASET
from safe_data.shards.splits_file import splits_csv
from safe_data.sources.ids import own_ids
from safe_data.splitting.divide import NOWHERE, Divided, Divisible, Wanted, divide
from safe_data.splitting.metadata import METADATA, metadata_jsonl
from safe_data.splitting.report import (
    FORMAT_VERSION,
    Report,
    cleaned_of,
    largest_units,
    missed_parts,
    moves,
    parts_of,
    wanted_shares,
)
from safe_data.splitting.units import NO_CLASSES, Classes, Rows, classes_of, units_of

SPLITS_CSV, SPLIT_JSON = "splits.csv", "split.json"
QUESTION_TYPE = "question_type"
FOLDER = "folder"


@dataclass(frozen=True)
class Together:
    """What keeps records together, and of which classes each split gets its share."""

    group: str = "group"
    stratify: str | None = None
    merge_duplicates: bool = False


def read_corpus(root: Path, source: str | None) -> Corpus:
    """A built dataset, or the annotations of a corpus, in which each row has the id that a build gives it.

    Raises:
        InputError: there is neither.
    """
    if source is None and (root / DATASET).is_file():
        return open_corpus([str(root)])
    corpus = annotated_corpus(root, source or FOLDER, Given())
    ids = pa.array(own_ids(corpus.manifest["id"].to_pylist()))
    place = corpus.manifest.schema.get_field_index("id")
    table = corpus.manifest.set_column(place, corpus.manifest.schema.field("id"), ids)
    return Corpus(
        corpus.names, corpus.roots, corpus.datasets, table, corpus.dataset_of, corpus.given, corpus.described
    )


def split_corpus(
    corpus: Corpus, wanted: Wanted, together: Together, *, tolerance: float = 0.02, at: Phase = unseen
) -> tuple[pa.Table, Report]:
    """The split of each record, as the columns of splits.csv, and the report.

    Raises:
        InputError: a column is missing or empty, media are needed that are not there, or the splits and folds
            that are wanted cannot be made.
    """
    manifest = corpus.manifest
    counts = np.asarray(pc.fill_null(pc.equal(manifest["status"], "ok"), False))
    questions = pc.fill_null(manifest["examples"], 0).to_numpy().astype(np.int64)
    clusters: Rows | None = None
    not_looked_for: list[NotLookedFor] = []
    if together.merge_duplicates:
        at("looking for duplicates")
        clusters, not_looked_for = _clusters(corpus)
    at("dividing")
    units = units_of(_text(manifest, "id"), _column(manifest, together.group, "--group"), counts, clusters)
    classes = _classes(corpus, together.stratify, counts)
    given = Divisible(units, counts, classes, tuple(_text(manifest, "split").to_pylist()))
    divided = divide(given, wanted)
    largest = largest_units(given, divided)
    splits = parts_of(given, divided.split, divided.names, wanted_shares(wanted), questions)
    if not wanted.fractions:
        splits = tuple(part for part in splits if part.records)
    numbers = tuple(map(str, range(wanted.folds or 0)))
    equal = tuple(1 / len(numbers) for _ in numbers)
    folds = parts_of(given, divided.fold, numbers, equal, questions) if numbers else ()
    report = Report(
        format_version=FORMAT_VERSION,
        source=str(corpus.roots[0]).encode("utf-8", "backslashreplace").decode(),
        fingerprint=corpus.datasets[0].fingerprint,
        group=together.group,
        stratify=together.stratify,
        seed=wanted.seed,
        records=int(counts.sum()),
        rejected=int((~counts).sum()),
        units=int((units.sizes > 0).sum()),
        groups=units.group_count,
        joined_units=int((units.groups > 1).sum()),
        clusters=_several(clusters) if clusters is not None else None,
        largest=largest,
        splits=splits,
        folds=folds,
        moved=moves(given, divided),
        cleaned=() if wanted.fractions else cleaned_of(given, divided, questions),
        missed=tuple(line for parts in (splits, folds) for line in missed_parts(parts, largest, tolerance)),
        not_looked_for=tuple(not_looked_for),
    )
    return _table(corpus, given, divided, together), report


def write_split(
    corpus: Corpus, table: pa.Table, report: Report, out: Path, *, metadata: bool, force: bool
) -> list[Path]:
    """Write splits.csv and split.json, the lists of what is clean, and the metadata of a folder if asked.

    Raises:
        InputError: the folder holds other splits, and `force` is not set.
    """
    contents = {out / SPLITS_CSV: splits_csv(table), out / SPLIT_JSON: json_bytes(report)}
    for one in report.cleaned:
        stays = pc.and_(pc.equal(table["split"], one.split), pc.is_null(table["leaks"]))
        clean = table["id"].filter(pc.and_(stays, pc.equal(corpus.manifest["status"], "ok")))
        contents[out / one.file] = "".join(f"{name}\n" for name in clean.to_pylist()).encode()
    if metadata:
        contents[out / METADATA] = metadata_jsonl(corpus.described, table["split"].to_pylist())
    return write_all_new(contents, force=force)


def _table(corpus: Corpus, given: Divisible, divided: Divided, together: Together) -> pa.Table:
    names = np.array([*divided.names, None], dtype=object)  # -1 is None
    unit_names = np.array(given.units.names, dtype=object)
    return pa.table(
        {
            "id": _text(corpus.manifest, "id"),
            "group": _text(corpus.manifest, together.group),
            "unit": pa.array(unit_names[given.units.of_row], pa.string()),
            "before": pa.array(given.now, pa.string()),
            "split": pa.array(names[divided.split], pa.string()),
            "fold": pa.array(divided.fold, pa.int64(), mask=divided.fold == NOWHERE),
            "leaks": pa.array(names[divided.leaks], pa.string()),
        }
    )


def _clusters(corpus: Corpus) -> tuple[Rows, list[NotLookedFor]]:
    """A number of each record that is equal for those which share a sound or a picture, or nearly.

    Raises:
        InputError: there are no media to look at.
    """
    if corpus.described:
        raise InputError(
            f"{corpus.roots[0]}: --merge-duplicates compares media, and only annotations are read; build the "
            "dataset, split what was built, and build again with --splits"
        )
    found = [alike(corpus, kind) for kind in (*SOUNDS, *PICTURES)]
    missed = [NotLookedFor(one.kind, one.why_not) for one in found if one.why_not]
    for one in found:
        if one.unread:
            missed.append(
                NotLookedFor(one.kind, f"media of {counted(len(one.unread), 'record')} cannot be read")
            )
    return components(corpus.manifest.num_rows, found), missed


def _several(clusters: Rows) -> int:
    """How many numbers more than one record has."""
    return int((np.unique(clusters, return_counts=True)[1] > 1).sum())


def _classes(corpus: Corpus, stratify: str | None, counts: ndarray) -> Classes:
    """The classes by which to stratify: of questions, or of records."""
    if stratify is None:
        return NO_CLASSES
    if stratify == QUESTION_TYPE:
        asked, types = _question_types(corpus)
        if types.null_count == len(types):
            raise InputError("--stratify question_type: no question has a type; stratify by another column")
        return classes_of(asked, types)
    rows: Int[ndarray, " some"] = np.flatnonzero(counts)
    return classes_of(rows, _column(corpus.manifest, stratify, "--stratify").take(pa.array(rows)))


def _question_types(corpus: Corpus) -> tuple[Rows, pa.Array]:
    """The record of each question, and its type.

    Raises:
        InputError: the records of a built dataset cannot be read.
    """
    try:
        asked = examples(corpus)
    except ValueError as error:
        raise InputError(f"{corpus.roots[0]}: {error}") from None
    return asked["row"].to_numpy(), asked[QUESTION_TYPE].combine_chunks()


def _column(manifest: pa.Table, name: str, option: str) -> pa.Array:
    """A column of text of which some value says something."""
    known = [field.name for field in manifest.schema if pa.types.is_string(field.type)]
    if name not in known:
        also = [QUESTION_TYPE] if option == "--stratify" else []
        hint = did_you_mean(name, [*known, *also], f"choose from {', '.join([*known, *also])}")
        raise InputError(f"{option} {name}: no column of text of the manifest; {hint}")
    values = _text(manifest, name)
    if not pc.any(pc.not_equal(pc.fill_null(values, ""), "")).as_py():
        raise InputError(f"{option} {name}: no record has one; choose another column, or leave it out")
    return values


def _text(manifest: pa.Table, name: str) -> pa.Array:
    return pc.fill_null(manifest[name], "").combine_chunks()
