"""Small manifests, datasets that consist of only a manifest, and suites that judge them."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from safe_data import cli
from safe_data.audit.corpus import Corpus, Given
from safe_data.core.command import run
from safe_data.records import Example
from safe_data.shards import manifest
from safe_data.shards.layout import DATASET, FORMAT_VERSION, MANIFEST, Dataset, write_json
from safe_data.shards.storage import Folder


def row(index: int, split: str = "train", **changes: object) -> manifest.Row:
    """A loaded record with its own sound and picture."""
    fields: dict[str, object] = {
        "index": index,
        "id": f"clip-{index}",
        "dataset": "world",
        "split": split,
        "group": f"group-{index}",
        "status": "ok",
        "shard": f"world-{split}-000000",
        "row": index,
        "has_audio": True,
        "has_image": True,
        "audio_sha256": hashlib.sha256(b"a%d" % index).hexdigest(),
        "pcm_sha256": hashlib.sha256(b"p%d" % index).hexdigest(),
        "image_sha256": hashlib.sha256(b"i%d" % index).hexdigest(),
        "pixel_sha256": hashlib.sha256(b"x%d" % index).hexdigest(),
        "rms_db": -20.0,
        "peak": 0.5,
        "duration_seconds": 0.2,
        "clipped_fraction": 0.0,
        "image_dhash": hashlib.sha256(b"d%d" % index).hexdigest()[:16],
        "examples": 4,
        "audio_examples": 2,
    }
    return manifest.Row(**{**fields, **changes})  # type: ignore[arg-type]


def rejected(
    index: int, split: str = "train", error: str = "undecodable sound: no such format"
) -> manifest.Row:
    return manifest.Row(
        index=index,
        id=f"clip-{index}",
        dataset="world",
        split=split,
        group="",
        status="rejected",
        error=error,
        shard=f"world-{split}-000000",
    )


def rows(count: int, **changes: object) -> list[manifest.Row]:
    """Loaded records, every other one in the test split."""
    return [row(index, "test" if index % 2 else "train", **changes) for index in range(count)]


def corpus_of(table: pa.Table, given: Given = Given()) -> Corpus:  # noqa: B008 - it is frozen
    """A corpus of one dataset that consists of only its manifest."""
    dataset = Dataset(FORMAT_VERSION, "world", "ab" * 32, "cd" * 32, "ef" * 32, (), {})
    return Corpus(("world",), (Path("nowhere"),), (dataset,), table, np.zeros(table.num_rows, int), given)


def write_dataset(
    root: Path, rows: list[manifest.Row] | pa.Table, asked: Mapping[str, Sequence[Example]] | None = None
) -> Path:
    """A dataset of a manifest and dataset.json, and, if rows are given, of what stands for the shards.

    Records with the same hash have the same noise as their sound, or the same random picture. `asked` has the
    examples of a record by its id; without it, each has as many questions as its row says.
    """
    root.mkdir(parents=True, exist_ok=True)
    table = (
        rows if isinstance(rows, pa.Table) else manifest.table([_stored(root, row, asked) for row in rows])
    )
    pq.write_table(table, root / MANIFEST)
    finish(root)
    return root


def _stored(root: Path, row: manifest.Row, asked: Mapping[str, Sequence[Example]] | None) -> manifest.Row:
    """The row with the places of its members, which are appended to its tar."""
    if row.status != "ok" or row.json_offset is not None:
        return row
    if asked is None:
        members = {"json": _record_json(row)}
    else:
        examples = [one.model_dump(mode="json") for one in asked.get(row.id, ())]
        members = {"json": json.dumps({"examples": examples}).encode()}
        row = replace(row, examples=len(examples))
    members |= {"audio": _noise(row.pcm_sha256)} if row.has_audio else {}
    members |= {"image": _picture(row.pixel_sha256)} if row.has_image else {}
    tar = root / row.split / f"{row.shard}.tar"
    tar.parent.mkdir(exist_ok=True)
    places: dict[str, int] = {}
    with tar.open("ab") as file:
        for kind, data in members.items():
            places |= {f"{kind}_offset": file.tell(), f"{kind}_size": len(data)}
            file.write(data)
    return replace(row, **places)  # type: ignore[arg-type]


def _record_json(row: manifest.Row) -> bytes:
    asked = {"task": "vqa", "question_type": "which", "needs_audio": True}
    examples = [
        {
            "id": f"{row.id}-{number}",
            "prompt": f"which, {number}?",
            "references": [f"answer {number}"],
            **asked,
        }
        for number in range(row.examples)
    ]
    return json.dumps({"id": row.id, "label": row.label, "examples": examples}).encode()


@lru_cache
def _noise(name: str | None) -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(list((name or "").encode()))
    soundfile.write(file, rng.normal(0, 0.1, 1600), 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()


@lru_cache
def _picture(name: str | None) -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(list((name or "").encode()))
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(file, format="PNG")
    return file.getvalue()


def finish(root: Path) -> None:
    """Write the dataset.json that belongs to the existing manifest."""
    sha256 = hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()
    write_json(Folder(root), DATASET, Dataset(FORMAT_VERSION, "world", "ab" * 32, "cd" * 32, sha256, (), {}))


def check(root: Path, *suites: str | Path, force: bool = False) -> int:
    """`safe-data check`, as the command line runs it: bad input is exit code 3."""
    words = [word for suite in suites for word in ("--suite", str(suite))] + ["--force"] * force
    return run("safe-data", "", {"check": cli.check}, ["check", str(root), *words])


def results(root: Path) -> dict[str, dict[str, Any]]:
    """The written findings, by the column they are about."""
    found = json.loads((root / "check" / "results.json").read_text())
    return {"+".join(result["columns"]): result for result in found["results"]}


def rule(kind: str, data: str = "manifest", severity: str = "critical", **kwargs: object) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "description": kind, "meta": {"data": data}}


def fact_rule(column: str, severity: str = "critical", **bounds: object) -> dict[str, Any]:
    kind = f"expect_column_{'min' if 'min_value' in bounds else 'max'}_to_be_between"
    kwargs = {"min_value": None, "max_value": None, "strict_min": False, "strict_max": False, **bounds}
    return rule(kind, "facts", severity, column=column, **kwargs)


def write_suite(path: Path, *expectations: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"name": "mine", "expectations": expectations}))
    return path
