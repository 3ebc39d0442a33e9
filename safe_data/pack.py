"""Records into a tar and its manifest rows: media read, checked, measured, and stored as they came."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safe_data.errors import MediaError
from safe_data.manifest import Row
from safe_data.measure import measure_image, measure_sound
from safe_data.media import decode_image, decode_pcm, picture_suffix
from safe_data.paths import read_file
from safe_data.plan import record_json
from safe_data.records import Record, Rejected
from safe_data.tar import TarWriter

Tick = Callable[[], object]  # called once a record, for a progress bar


@dataclass(frozen=True)
class _Member:
    """A media file and what the manifest says of it."""

    suffix: str
    data: bytes
    facts: dict[str, Any]


def pack(
    entries: Iterable[tuple[int, Record | Rejected]],
    root: Path,
    shard: str,
    tar: TarWriter,
    tick: Tick,
) -> list[Row]:
    """Write the samples of a shard; one row each, and one for each record that cannot be used."""
    rows: list[Row] = []
    samples = 0
    for index, entry in entries:
        tick()
        if isinstance(entry, Rejected):
            rows.append(_rejected(index, shard, entry, entry.reason))
            continue
        try:
            audio, image = _load(root, entry)
        except MediaError as error:
            rows.append(_rejected(index, shard, entry, str(error)))
            continue
        rows.append(_store(index, shard, entry, samples, audio, image, tar))
        samples += 1
    return rows


def _load(root: Path, record: Record) -> tuple[_Member | None, _Member | None]:
    """The sound and the picture of a record, whole and measured.

    Raises:
        MediaError: one of them cannot be used.
    """
    audio = image = None
    if record.audio is not None:
        data = read_file(root, record.audio.path)
        pcm = decode_pcm(data, record.audio.start_seconds, record.audio.duration_seconds)
        audio = _Member(pcm.suffix, data, asdict(measure_sound(pcm)))
    if record.image is not None:
        data = read_file(root, record.image)
        image = _Member(picture_suffix(data), data, asdict(measure_image(decode_image(data))))
    return audio, image


def _store(
    index: int,
    shard: str,
    record: Record,
    row: int,
    audio: _Member | None,
    image: _Member | None,
    tar: TarWriter,
) -> Row:
    """Append a record's members to the tar, next to each other, and say where they are."""
    text = record_json(record)
    facts: dict[str, Any] = {"json_offset": tar.add(f"{record.id}.json", text), "json_size": len(text)}
    for kind, member in (("audio", audio), ("image", image)):
        if member is None:
            continue
        name = f"{record.id}.{member.suffix}"
        facts |= member.facts | {
            f"has_{kind}": True,
            f"{kind}_name": name,
            f"{kind}_offset": tar.add(name, member.data),
            f"{kind}_size": len(member.data),
            f"{kind}_sha256": hashlib.sha256(member.data).hexdigest(),
        }
    return Row(status="ok", row=row, **_about(index, shard, record), **facts)


def _rejected(index: int, shard: str, entry: Record | Rejected, reason: str) -> Row:
    return Row(status="rejected", error=reason, **_about(index, shard, entry))


def _about(index: int, shard: str, entry: Record | Rejected) -> dict[str, Any]:
    """The columns that every row has, rejected or not."""
    about = {"index": index, "shard": shard} | {
        name: getattr(entry, name) for name in ("id", "dataset", "split", "group")
    }
    if isinstance(entry, Record):
        about |= {"label": entry.label, "difficulty": entry.difficulty, "examples": len(entry.examples)}
        about["audio_examples"] = sum(example.needs_audio is True for example in entry.examples)
    return about
