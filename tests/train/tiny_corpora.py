"""Small datasets made from the synthetic world: only pictures, only sounds, or what a test makes of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world

Row = dict[str, Any]


def build_corpus(
    folder: Path,
    name: str,
    edit: Callable[[Row], Row | None] = lambda row: row,
    *,
    clips: int = 24,
    seed: int = 0,
    encoders: Sequence[str] = ("logmel",),
) -> Path:
    """Build a dataset of this name from a world whose rows were edited; None leaves a row out."""
    world = folder / f"{name}-world"
    write_world(world, clips=clips, seed=seed)
    lines = (world / "metadata.jsonl").read_text("utf-8").splitlines()
    rows = [row for line in lines if (row := edit(json.loads(line)))]
    (world / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    build_dataset(world, folder / name, name=name, encoders=encoders)
    return folder / name


def asking(needs_audio: bool | None, row: Row) -> Row:
    """The row with only those questions that need the sound, or that do not."""
    return row | {"examples": [one for one in row["examples"] if one["needs_audio"] is needs_audio]}


def only_seen(row: Row) -> Row:
    """A picture and questions about it, as in VQAv2."""
    del row["audio_file_name"], row["events"]
    return asking(False, row)


def only_heard(row: Row) -> Row:
    """A sound and questions about it, as in Clotho."""
    del row["image_file_name"]
    return asking(True, row)
