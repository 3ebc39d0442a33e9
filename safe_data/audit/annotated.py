"""Annotated: a corpus of annotations alone, so that official splits can be audited before media are there.

Each row of a source is a record here, whether its media are there or not; no media are opened. What is known
of a medium is the path under which the annotations name it, in the column `source_path`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus, Given
from safe_data.core.errors import InputError, did_you_mean
from safe_data.records import Record, Rejected
from safe_data.shards import manifest
from safe_data.shards.layout import FORMAT_VERSION, Dataset, Split
from safe_data.shards.plan import record_json
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.ids import id_of

NO_FILE = "no such file"  # how the reason of a row begins that lacks nothing but its medium


def annotated_corpus(root: Path, source: str, given: Given) -> Corpus:
    """Read the annotations of a corpus as its source does.

    Raises:
        InputError: the source is unknown, finds no annotations, or none of their rows names a medium.
    """
    if source not in SOURCES:
        hint = did_you_mean(source, SOURCES, f"choose from {', '.join(SOURCES)}")
        raise InputError(f"source {source!r} is unknown; {hint}")
    rows, described = [], []
    for index, entry in enumerate(SOURCES[source](root)):
        row, record = _row(index, entry)
        rows.append(row)
        described.append(record)
    if not any(row.status == "ok" for row in rows):
        raise InputError(f"{root}: none of its {len(rows)} rows names a medium, so there is nothing to audit")
    table = manifest.table(rows)
    dataset = _dataset(rows, described, source)
    names = (dataset.name,)
    return Corpus(names, (root,), (dataset,), table, np.zeros(len(rows), np.int64), given, tuple(described))


def missing_media(corpus: Corpus) -> int:
    """How many records of such a corpus lack their medium."""
    rows = corpus.manifest
    missing = pc.and_(pc.equal(rows["status"], "ok"), pc.is_valid(rows["error"]))
    return int(pc.sum(missing).as_py() or 0)


def _row(index: int, entry: Record | Rejected) -> tuple[manifest.Row, bytes]:
    """The row of a record, or of one whose medium is missing; other rejected rows stay rejected."""
    path = entry.path if isinstance(entry, Rejected) else _medium(entry)
    is_record = isinstance(entry, Record) or bool(entry.examples) or _is_missing(entry)
    row = manifest.Row(
        index=index,
        id=entry.id,
        dataset=entry.dataset,
        split=entry.split,
        group=entry.group,
        label=entry.label if isinstance(entry, Record) else None,
        difficulty=entry.difficulty if isinstance(entry, Record) else None,
        status="ok" if is_record else "rejected",
        error=entry.reason if isinstance(entry, Rejected) else None,
        source_path=path,
        shard="",
        examples=len(entry.examples),
        audio_examples=sum(bool(example.needs_audio) for example in entry.examples),
    )
    if isinstance(entry, Record):
        return row, record_json(entry)
    if not is_record:
        return row, b""
    about = entry.model_dump(exclude={"reason", "path"})
    return row, record_json(Record(**about, examples=entry.examples, image=path or entry.id))


def _is_missing(entry: Rejected) -> bool:
    """Whether all that a row lacks is its medium."""
    return entry.path is not None and manifest.reason_kind(entry.reason) == NO_FILE


def _medium(record: Record) -> str | None:
    """Which medium a record names: its picture or video, or else its sound and where the clip begins."""
    if record.image is not None or record.audio is None:
        return record.image
    start = f"@{record.audio.start_seconds:.15g}s" if record.audio.start_seconds else ""
    return f"{record.audio.path}{start}"


def _dataset(rows: list[manifest.Row], described: list[bytes], source: str) -> Dataset:
    """What dataset.json would say; the fingerprint is that of what the annotations say."""
    counts = Counter(row.split for row in rows if row.status == "ok")
    sha256 = hashlib.sha256(b"\n".join(_said(rows, described))).hexdigest()
    splits = {split: Split((), count) for split, count in sorted(counts.items())}
    named = [row.dataset for row in rows if row.status == "ok" and row.dataset]
    name = id_of(named[0]) if named else source
    return Dataset(FORMAT_VERSION, name, sha256, sha256, sha256, (), splits)


def _said(rows: list[manifest.Row], described: list[bytes]) -> Iterator[bytes]:
    for row, record in zip(rows, described, strict=True):
        yield record or f"{row.split}/{row.id}: {row.error}".encode("utf-8", "replace")
