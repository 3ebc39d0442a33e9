"""Rows that ask what is heard and seen, and a folder dataset of given sounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from folders import picture_bytes, sound_bytes, write_rows

CLIPS, TRAIN, RATE_HZ = 160, 100, 8000
ANSWERS = ("loud", "soft")


def planted_row(number: int, answer: str, **fields: Any) -> dict[str, Any]:
    """A row that asks what is heard, and what is seen, with references that disagree now and then."""
    name = f"clip-{number:03d}"
    heard = {"id": f"{name}-hear", "question_type": "hear", "needs_audio": True, "references": [answer]}
    seen = {"id": f"{name}-see", "question_type": "see", "needs_audio": False}
    seen["references"] = ["red", "red", "blue"] if number % 3 else ["blue"]
    return {
        "id": name,
        "split": "train" if number < TRAIN else "test",
        "group": f"g{number // 2}",
        "image_file_name": "picture.png",
        "audio_file_name": f"{name}.wav",
        "examples": [{"task": "vqa", "prompt": "?", **asked} for asked in (heard, seen)],
    } | fields


def write_planted(root: Path, rows: Sequence[dict[str, Any]], sounds: Sequence[np.ndarray]) -> Path:
    root.mkdir()
    (root / "picture.png").write_bytes(picture_bytes())
    for row, samples in zip(rows, sounds, strict=True):
        (root / row["audio_file_name"]).write_bytes(sound_bytes(samples, rate=RATE_HZ))
    return write_rows(root, list(rows))
