"""Annotations: what a person heard and saw of pairs of sound and picture, as a spot check saves it.

    {"format_version": 1,
     "datasets": {"stamps": "9c45d187…"},
     "annotations": [
       {"dataset": "stamps", "split": "train", "id": "cow", "verdict": "aligned", "chosen": "random"}]}

Pairs that were chosen because they are suspicious say nothing about the whole: rates are over those drawn at
random, if there are any.
"""

from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.corpus import Corpus
from safe_data.core.byte_order import without_mark
from safe_data.core.errors import InputError, did_you_mean, raise_row_errors
from safe_data.core.json_document import json_fault

FORMAT_VERSION = 1
MAX_BYTES = 2**26

Verdict = Literal["aligned", "mismatched", "unsure"]


class Annotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record, what a person says of it, and why it was chosen."""

    dataset: str
    split: str
    id: str
    verdict: Verdict
    chosen: Literal["random", "suspicious"] = "random"


class AnnotationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The annotations, and the fingerprint of each dataset that they are about."""

    format_version: int
    datasets: dict[str, str]
    annotations: tuple[Annotation, ...]


class Annotated(msgspec.Struct, frozen=True):
    """Annotations with the rows of their records."""

    rows: tuple[int, ...]
    annotations: tuple[Annotation, ...]

    @property
    def judged(self) -> list[tuple[int, Annotation]]:
        """Those that rates are over: drawn at random, or all if none was."""
        pairs = list(zip(self.rows, self.annotations, strict=True))
        return [pair for pair in pairs if pair[1].chosen == "random"] or pairs


def read_annotations(path: Path, corpus: Corpus) -> Annotated:
    """Read the annotations of a corpus.

    Raises:
        InputError: the file cannot be read, is about other datasets, or has faults, all of which are named.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: larger than annotations can be ({MAX_BYTES} bytes)")
    try:
        found = msgspec.json.decode(text := without_mark(data), type=AnnotationFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: no annotations of a spot check: {json_fault(text, error)}") from None
    if found.format_version != FORMAT_VERSION:
        raise InputError(f"{path}: format {found.format_version}, this version reads {FORMAT_VERSION}")
    _check_datasets(path, found, corpus)
    rows = _rows_by_record(corpus)
    faults = _faults(found, rows)
    raise_row_errors(faults, str(path))
    return Annotated(
        tuple(rows[one.dataset, one.split, one.id] for one in found.annotations), found.annotations
    )


def _check_datasets(path: Path, found: AnnotationFile, corpus: Corpus) -> None:
    """Refuse annotations of other datasets: ids may be the same while what is heard is not."""
    known = dict(zip(corpus.names, (dataset.fingerprint for dataset in corpus.datasets), strict=True))
    for name, fingerprint in found.datasets.items():
        if name not in known:
            hint = did_you_mean(name, known, f"the datasets are {', '.join(known)}")
            raise InputError(f"{path}: is about {name!r}; {hint}")
        if fingerprint != known[name]:
            raise InputError(
                f"{path}: is about {name!r} with the fingerprint {fingerprint[:12]}, and the dataset has "
                f"{known[name][:12]}: its records or media are others; make a spot check of it"
            )


def _faults(found: AnnotationFile, rows: dict[tuple[str, str, str], int]) -> list[str]:
    times = Counter((one.dataset, one.split, one.id) for one in found.annotations)
    faults = []
    for number, one in enumerate(found.annotations):
        key = (one.dataset, one.split, one.id)
        if one.dataset not in found.datasets:
            faults.append(f"annotation {number}: `datasets` does not name {one.dataset!r}")
        elif key not in rows:
            faults.append(f"annotation {number}: no loaded record {one.split}/{one.id} in {one.dataset!r}")
        elif times[key] > 1:
            faults.append(f"annotation {number}: {one.split}/{one.id} is annotated {times[key]} times")
    return faults


def _rows_by_record(corpus: Corpus) -> dict[tuple[str, str, str], int]:
    """The row of each loaded record by dataset, split and id."""
    columns = [corpus.manifest[name].to_pylist() for name in ("status", "split", "id")]
    names = [corpus.names[number] for number in corpus.dataset_of]
    return {
        (name, split, record): row
        for row, (name, status, split, record) in enumerate(zip(names, *columns, strict=True))
        if status == "ok"
    }


def rows_with(annotated: Annotated, verdict: Verdict) -> Int[ndarray, " records"]:
    """The rows of the judged annotations with a verdict."""
    return np.array([row for row, one in annotated.judged if one.verdict == verdict], np.int64)
