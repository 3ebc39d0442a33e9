"""Small sounds, pictures and folder datasets to build from."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

STAMPS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "stamps"
needs_stamps = pytest.mark.skipif(
    not STAMPS.is_dir(), reason="needs ../shared/data/stamps beside this checkout"
)


def sound_bytes(
    samples: np.ndarray | None = None,
    *,
    rate: int = 8000,
    kind: str = "WAV",
    subtype: str | None = None,
    seed: int = 0,
) -> bytes:
    """A sound file; without samples, a second of noise."""
    if samples is None:
        samples = 0.1 * np.random.default_rng(seed).standard_normal(rate)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def picture_bytes(
    *, mode: str = "RGB", colour: Any = (200, 30, 30), side: int = 8, kind: str = "PNG"
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), colour).save(file, kind)
    return file.getvalue()


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A row with a picture, a sound, and a question about each."""
    name = f"clip-{number:03d}"
    questions = [
        {
            "id": f"{name}-{what}",
            "task": "vqa",
            "prompt": "?",
            "references": ["yes"],
            "needs_audio": what == "hear",
        }
        for what in ("see", "hear")
    ]
    media = {"image_file_name": f"images/{name}.png", "audio_file_name": f"sounds/{name}.wav"}
    return {
        "id": name,
        "split": "train",
        "group": f"g{number // 2}",
        **media,
        "examples": questions,
        **fields,
    }


def write_rows(root: Path, rows: list[dict[str, Any]]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return root


def write_media(root: Path, rows: list[dict[str, Any]]) -> None:
    """Write the media of each row where the row says."""
    for number, fields in enumerate(rows):
        for key, data in (
            ("image_file_name", picture_bytes(colour=(number * 7 % 256, 30, 30))),
            ("audio_file_name", sound_bytes(seed=number)),
        ):
            if fields.get(key):
                path = root / fields[key]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def write_folder(root: Path, clips: int = 6) -> Path:
    """A folder dataset: two clips per group, the last third for testing, one clip without sound."""
    rows = [row(number, split="test" if number >= clips * 2 // 3 else "train") for number in range(clips)]
    del rows[1]["audio_file_name"]
    write_media(root, rows)
    return write_rows(root, rows)


def files_of(root: Path) -> dict[str, bytes]:
    """Every file below a directory, hidden ones too, with its bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def without_silence(root: Path) -> Path:
    """Make a dataset what older versions built: without the embeddings of silence, and their facts."""
    facts = json.loads((root / "dataset.json").read_bytes())
    del facts["encoder_facts"]
    (root / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    for path in root.glob("silence.*.npy"):
        path.unlink()
    return root
