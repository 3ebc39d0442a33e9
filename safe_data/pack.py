"""Records into a tar and its manifest rows: media read, checked, measured, and stored.

`pack` does it all. A build that has more to do with a clip takes it apart: `load` any number of records at
once, in threads, then `store` what was loaded, in order, and hand each clip to its encoders:

    loaded = executor.map(lambda entry: (entry[0], load(entry[1], root)), entries)
    for packed in store(loaded, shard, tar):
        packed.row, packed.sound  # packed.sound.resampled(encoder.sample_rate_hz).samples
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safe_data.errors import MediaError
from safe_data.manifest import Row
from safe_data.members import Member, picture_members, sound_member
from safe_data.plan import record_json
from safe_data.records import Audio, Record, Rejected
from safe_data.sound import Sound
from safe_data.tar import TarWriter

Tick = Callable[[], object]  # called once a record, for a progress bar
Entry = Record | Rejected


@dataclass(frozen=True)
class Loaded:
    """A record as it will be stored, with its media; or the reason why it will not be.

    `sound` is the clip at its own rate: resampled, it is what `decode_audio` gives for `audio`, bit for bit.
    """

    entry: Entry
    reason: str | None = None
    audio: Member | None = None
    pictures: tuple[Member, ...] = ()
    sound: Sound | None = None


@dataclass(frozen=True)
class Packed:
    """What became of a record: its row of the manifest, and its clip where it is stored with one."""

    row: Row
    sound: Sound | None


def pack(
    entries: Iterable[tuple[int, Entry]],
    root: Path,
    shard: str,
    tar: TarWriter,
    tick: Tick,
    frames: int = 1,
) -> list[Row]:
    """Write the samples of a shard; one row each, and one for each record that cannot be used."""
    rows = []
    for packed in store(((index, load(entry, root, frames)) for index, entry in entries), shard, tar):
        rows.append(packed.row)
        tick()
    return rows


def load(entry: Entry, root: Path, frames: int = 1) -> Loaded:
    """Read, decode and measure a record's media, of a video `frames` pictures; nothing is written."""
    if isinstance(entry, Rejected):
        return Loaded(entry, entry.reason)
    audio = sound = None
    pictures: list[Member] = []
    record = entry
    try:
        if entry.audio is not None:
            audio, sound, as_it_came = sound_member(root, entry.audio)
            record = entry if as_it_came else _of_the_clip(entry, entry.audio)
        if entry.image is not None:
            pictures = picture_members(root, entry.image, entry.audio, frames)
    except MediaError as error:
        return Loaded(entry, str(error))
    return Loaded(record, None, audio, tuple(pictures), sound)


def store(loaded: Iterable[tuple[int, Loaded]], shard: str, tar: TarWriter) -> Iterator[Packed]:
    """Append records to a tar in the order they come in, with the index of each in the source."""
    samples = 0
    for index, one in loaded:
        about = {"index": index, "shard": shard, **_about(one.entry)}
        if isinstance(one.entry, Rejected) or one.reason is not None:
            yield Packed(Row(status="rejected", error=one.reason, **about), None)
            continue
        yield Packed(Row(status="ok", row=samples, **about, **_append(one.entry, one, tar)), one.sound)
        samples += 1


def _of_the_clip(record: Record, audio: Audio) -> Record:
    """The record of a shard that holds the clip alone: it starts at 0; where it did is in the metadata."""
    if audio.start_seconds == 0 and audio.duration_seconds is None:
        return record
    source = audio.model_dump(include={"start_seconds", "duration_seconds"})
    return record.model_copy(
        update={"audio": Audio(path=audio.path), "metadata": {**record.metadata, "clip_of": source}}
    )


def _append(record: Record, loaded: Loaded, tar: TarWriter) -> dict[str, Any]:
    """Append a record's members next to each other, and say what and where they are."""
    text = record_json(record)
    facts: dict[str, Any] = {"json_offset": tar.add(f"{record.id}.json", text), "json_size": len(text)}
    if loaded.audio is not None:
        facts |= _add("audio", record.id, loaded.audio, tar)
    added = [_add("image", record.id, picture, tar) for picture in loaded.pictures]
    return facts | (added[len(added) // 2] if added else {})  # of several pictures, the one in the middle


def _add(kind: str, record_id: str, member: Member, tar: TarWriter) -> dict[str, Any]:
    name = f"{record_id}.{member.suffix}"
    return member.facts | {
        f"has_{kind}": True,
        f"{kind}_name": name,
        f"{kind}_offset": tar.add(name, member.data),
        f"{kind}_size": len(member.data),
        f"{kind}_sha256": hashlib.sha256(member.data).hexdigest(),
    }


def _about(entry: Entry) -> dict[str, Any]:
    """The columns that every row has, rejected or not."""
    about = {name: getattr(entry, name) for name in ("id", "dataset", "split", "group")}
    if isinstance(entry, Record):
        about |= {"label": entry.label, "difficulty": entry.difficulty, "examples": len(entry.examples)}
        about["audio_examples"] = sum(example.needs_audio is True for example in entry.examples)
    return about
