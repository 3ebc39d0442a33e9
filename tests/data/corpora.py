"""Small corpora in their official formats, and the place of the real annotation files, if they exist."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from safe_data.records import Record, Records, Rejected

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_csv(path: Path, *rows: Iterable[Any], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)


def touch(root: Path, *names: str) -> None:
    """Media files; a source looks for their names only."""
    for folder in {(root / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).touch()


def usable(found: Records) -> list[Record]:
    """The records that a source yields; none may be rejected."""
    return [entry for entry in found if isinstance(entry, Record) or pytest.fail(f"rejected: {entry}")]


def rejected(found: Records) -> list[Rejected]:
    return [entry for entry in found if isinstance(entry, Rejected)]


def real(name: str) -> Path:
    """A real annotation file, or skip the test."""
    if not (TRUTH / name).is_file():
        pytest.skip(f"no {name}: the real annotation files are not beside this checkout (../shared/truth)")
    return TRUTH / name
