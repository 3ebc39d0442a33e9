"""A finished dataset of as many records as asked for, written at once instead of built.

Every record has a picture of its own, by its hashes; only one picture is stored, and records of a group have
one sound. So a million records take a few hundred MB, and what reads pictures and sounds reads few of them.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from safe_data.shards import manifest
from safe_data.shards.layout import DATASET, FORMAT_VERSION, MANIFEST, Dataset, ShardPaths, write_json
from safe_data.shards.storage import Folder

NAME, SPLITS = "made", ("train", "val", "test")
GROUPS, LABELS, WORDS, A_SHARD = 2_000, 300, 20_000, 20_000
SAMPLE_RATE_HZ, SECONDS, EXAMPLES = 8_000, 1, 2
EVENTS = (
    '[{"label":"bell","start":0.1,"end":0.6,"modality":"audio"},'
    '{"label":"bell","start":0.4,"end":0.9,"modality":"vision"}]'
)


def write_dataset(root: Path, records: int) -> Path:
    """Write manifest, tars and dataset.json: tens of records a group, eight groups of ten in train."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    with (root / MANIFEST).open("wb") as file:
        manifest.write(file, _shards(root, records, rng))
    with (root / MANIFEST).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    write_json(Folder(root), DATASET, Dataset(FORMAT_VERSION, NAME, "ab" * 32, "cd" * 32, sha256, (), {}))
    return root


def _shards(root: Path, records: int, rng: np.random.Generator) -> Iterator[pa.Table]:
    groups = min(GROUPS, records)
    split_of = np.where(np.arange(groups) % 10 < 8, 0, np.arange(groups) % 10 - 7)
    numbers = np.arange(records)
    group_of = numbers % groups
    for place, split in enumerate(SPLITS):
        rows = numbers[split_of[group_of] == place]
        for shard, first in enumerate(range(0, len(rows), A_SHARD)):
            yield _shard(root, split, shard, rows[first : first + A_SHARD], groups, rng)


def _shard(
    root: Path, split: str, shard: int, numbers: np.ndarray, groups: int, rng: np.random.Generator
) -> pa.Table:
    """The rows of one shard, whose tar holds one picture, the sound of each group, and all records."""
    paths = ShardPaths(root, split, f"{NAME}-{split}-{shard:06d}")
    paths.tar.parent.mkdir(exist_ok=True)
    group_of = numbers % groups
    with paths.tar.open("wb") as file:
        image = _append(file, _picture())
        sounds = {group: _append(file, _sound(group)) for group in np.unique(group_of).tolist()}
        records = [_append(file, text) for text in _texts(numbers, group_of, rng)]
    count = len(numbers)
    audio = np.array([sounds[group] for group in group_of.tolist()])
    stored = np.array(records)
    hashes = {name: _hex(rng, count) for name in ("json_sha256", "image_sha256", "pixel_sha256")}
    heard = {name: _hex(np.random.default_rng(1 + which), groups) for which, name in enumerate(_HEARD)}
    columns: dict[str, object] = {
        "index": numbers,
        "id": [f"clip-{number:07d}" for number in numbers.tolist()],
        "group": [f"video-{group:05d}" for group in group_of.tolist()],
        "label": [f"label-{group % LABELS:03d}" for group in group_of.tolist()],
        "row": np.arange(count),
        "json_offset": stored[:, 0],
        "json_size": stored[:, 1],
        "audio_offset": audio[:, 0],
        "audio_size": audio[:, 1],
        **hashes,
        **{name: values.take(pa.array(group_of)) for name, values in heard.items()},
        "image_dhash": pa.array([text[:16] for text in _hex(rng, count).to_pylist()]),
        "rms_db": rng.normal(-25, 4, count),
        "peak": rng.uniform(0.1, 0.9, count),
        "snr_db": rng.normal(20, 5, count),
    }
    same: dict[str, object] = {
        "dataset": NAME,
        "split": split,
        "status": "ok",
        "shard": paths.name,
        "has_audio": True,
        "has_image": True,
        "audio_name": "sound.wav",
        "image_name": "picture.png",
        "image_offset": image[0],
        "image_size": image[1],
        "duration_seconds": float(SECONDS),
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "channels": 1,
        "clipped_fraction": 0.0,
        "silence_fraction": 0.0,
        "image_width": 16,
        "image_height": 16,
        "examples": EXAMPLES,
        "audio_examples": 0,
        "events": EVENTS,
    }
    arrays = []
    for field in manifest.SCHEMA:
        if field.name in columns:
            arrays.append(_column(columns[field.name], field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(same.get(field.name), field.type), count))
    return pa.Table.from_arrays(arrays, schema=manifest.SCHEMA)


_HEARD = ("audio_sha256", "pcm_sha256")


def _column(values: object, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.array(values, kind)


def _append(file: BinaryIO, data: bytes) -> tuple[int, int]:
    """Where the data are from now on, and their size."""
    place = file.tell()
    file.write(data)
    return place, len(data)


def _texts(numbers: np.ndarray, group_of: np.ndarray, rng: np.random.Generator) -> Iterator[bytes]:
    """The JSON of each record: a question about its picture, and a caption of eight to fourteen words."""
    words = [f"{_SYLLABLES[n % 7]}{_SYLLABLES[n // 7 % 7]}{n:x}" for n in range(WORDS)]
    for number, group in zip(numbers.tolist(), group_of.tolist(), strict=True):
        drawn = [words[one] for one in rng.integers(WORDS, size=int(rng.integers(8, 15))).tolist()]
        question = {
            "id": f"{number}-q",
            "task": "vqa",
            "prompt": f"what is beside the {words[number % WORDS]}?",
            "references": [words[number % 40]],
            "question_type": f"type {number % 9}",
            "needs_audio": False,
        }
        caption = {"id": f"{number}-c", "task": "caption", "prompt": "", "references": [" ".join(drawn)]}
        record = {"id": f"clip-{number:07d}", "group": group, "examples": [question, caption]}
        yield json.dumps(record).encode()


_SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne")


def _sound(group: int) -> bytes:
    """Noise that is another for each group."""
    file = io.BytesIO()
    noise = np.random.default_rng(group).normal(0, 0.1, SECONDS * SAMPLE_RATE_HZ)
    soundfile.write(file, noise, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)).save(file, format="PNG")
    return file.getvalue()


def _hex(rng: np.random.Generator, count: int) -> pa.Array:
    """Random SHA-256 hashes, so many."""
    text = rng.bytes(32 * count).hex()
    return pa.array([text[at : at + 64] for at in range(0, 64 * count, 64)])
