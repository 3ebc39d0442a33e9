"""Pack records into a tar and manifest rows: read their media, check, measure and store them.

`pack` does all of it. A build that also encodes the sounds loads the next records meanwhile, `store`s them in
order, and hands each clip to the encoders; a None asks it to pass on what it has (see `prefetch`):

    loaded = load_ahead(entries, root, frames=1, rates_hz=[8_000], room=room)
    for packed in store(loaded, shard, tar):
        if packed is not None:
            packed.row, packed.heard  # packed.heard[8_000]
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from safe_data.build.clip_file import ClipFile
from safe_data.build.contents import HELD_BYTES, Contents, contents_of, file_contents, read_contents
from safe_data.build.engines.piece import Tick
from safe_data.build.room import Held
from safe_data.core.errors import MediaError
from safe_data.media.containers import container_of
from safe_data.media.decode import opened_sound
from safe_data.media.intake import Heard, Intake
from safe_data.media.measure import measure_image
from safe_data.media.paths import MediaRoot, open_file, read_open
from safe_data.media.picture import decode_image, picture_suffix
from safe_data.media.sound_stream import SoundStream
from safe_data.records import Audio, Event, Record, Rejected
from safe_data.shards.manifest import Row
from safe_data.shards.plan import Entry, record_json
from safe_data.shards.tar import TarWriter

JPEG_QUALITY = 95
PNG_LEVEL = 6


@dataclass(frozen=True)
class Member:
    """A media file for the tar, and the manifest columns that describe it."""

    suffix: str
    contents: Contents
    facts: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A record as it will be stored, with its media; or the reason for its rejection, and the path at fault.

    `heard` is the clip at each rate that an encoder needs; it equals `decode_audio` of `audio` bit for bit.
    """

    entry: Record | Rejected
    reason: str | None = None
    audio: Member | None = None
    pictures: tuple[Member, ...] = ()
    heard: Heard | None = None
    held: Held | None = None
    path: str | None = None

    @property
    def bytes(self) -> int:
        """What it takes in memory until it is stored."""
        members = self.pictures if self.audio is None else (self.audio, *self.pictures)
        held = sum(len(member.contents.held or b"") for member in members)
        return held + bytes_of(self.heard)


@dataclass(frozen=True)
class Packed:
    """The manifest row of a record, and what encoders hear of it if it is stored with a sound."""

    row: Row
    heard: Heard | None
    held: Held | None


def pack(
    entries: Iterable[Entry], root: MediaRoot, shard: str, tar: TarWriter, tick: Tick, frames: int = 1
) -> list[Row]:
    """Write the samples of a shard; return one row per record, rejected ones too. Ticks once per record."""
    rows = []
    for packed in store(((index, load(entry, root, frames)) for index, entry in entries), shard, tar):
        if packed is not None:
            rows.append(packed.row)
            tick()
    return rows


def load(entry: Record | Rejected, root: MediaRoot, frames: int = 1, rates_hz: Iterable[int] = ()) -> Loaded:
    """Read, decode and measure the media of a record, `frames` pictures per video; write nothing."""
    if isinstance(entry, Rejected):
        return Loaded(entry, entry.reason, path=entry.path)
    audio = heard = None
    pictures: list[Member] = []
    record, path = entry, None
    try:
        if entry.audio is not None:
            path = entry.audio.path
            audio, heard, unchanged = sound_member(root, entry.audio, rates_hz)
            record = entry if unchanged else _of_the_clip(entry, entry.audio)
        if entry.image is not None:
            path = entry.image
            pictures = picture_members(root, entry.image, entry.audio, frames)
    except MediaError as error:
        return Loaded(entry, str(error), path=path)
    return Loaded(record, None, audio, tuple(pictures), heard)


def store(loaded: Iterable[tuple[int, Loaded] | None], shard: str, tar: TarWriter) -> Iterator[Packed | None]:
    """Append records to a tar in the given order, each with its index in the source; pass on each None."""
    samples = 0
    for indexed in loaded:
        if indexed is None:
            yield None
            continue
        packed = _packed(*indexed, samples, shard, tar)
        samples += packed.row.status == "ok"
        del indexed  # the media in it; who waits for the next one must not hold this one
        yield packed
        del packed


def _packed(index: int, one: Loaded, samples: int, shard: str, tar: TarWriter) -> Packed:
    about = {"index": index, "shard": shard, **_about(one.entry)}
    if isinstance(one.entry, Rejected) or one.reason is not None:
        row = Row(status="rejected", error=one.reason, source_path=one.path, **about)
        heard = None
    else:
        row, heard = Row(status="ok", row=samples, **about, **_append(one.entry, one, tar)), one.heard
    if one.held is not None:
        one.held.shrink(bytes_of(heard))
    return Packed(row, heard, one.held)


def bytes_of(heard: Heard | None) -> int:
    """What a clip at its rates takes in memory."""
    return sum(samples.nbytes for samples in (heard or {}).values())


def sound_member(root: MediaRoot, audio: Audio, rates_hz: Iterable[int] = ()) -> tuple[Member, Heard, bool]:
    """The sound of a record as a tar member, the clip in it, and whether the source file is stored unchanged.

    The clip at each rate equals what `decode_audio` makes of the member, bit for bit.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, audio.path) as file:
        whole = audio.start_seconds == 0 and audio.duration_seconds is None
        small = whole and file.seek(0, io.SEEK_END) <= HELD_BYTES
        data = read_open(file, audio.path) if small else None  # read once, to decode and to store
        source = file if data is None else io.BytesIO(data)
        with opened_sound(source, audio.start_seconds, audio.duration_seconds) as sound:
            intake = Intake(sound, rates_hz)
            if sound.suffix is None:
                suffix, contents = _encoded(sound, intake)
            else:
                for block in sound.blocks():
                    intake.add(block)
        if sound.suffix is not None:
            suffix = sound.suffix
            contents = file_contents(file, root, audio.path) if data is None else contents_of(data)
    return Member(suffix, contents, asdict(intake.facts())), intake.heard(), sound.suffix is not None


def _encoded(sound: SoundStream, intake: Intake) -> tuple[str, Contents]:
    """Encode a clip that is no whole file, and take it in as it is stored."""
    with ClipFile(sound.sample_rate_hz, sound.channels, sound.bits) as clip:
        for block in sound.blocks():
            intake.add(clip.add(block))
        return clip.suffix, clip.close()


def picture_members(root: MediaRoot, path: str, clip: Audio | None, frames: int) -> list[Member]:
    """The picture of a record as a tar member; of a video, `frames` pictures spread over the clip.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, path) as file:
        if container_of(file) is None:
            data = read_open(file, path)
            picture = decode_image(data)
            facts = asdict(measure_image(picture))
            if suffix := picture_suffix(data):
                return [Member(suffix, read_contents(data, root, path), facts)]
            return [Member("png", contents_of(encode_png(picture)), facts)]
        from safe_data.media.video_frames import video_frames

        start, duration = (clip.start_seconds, clip.duration_seconds) if clip else (0.0, None)
        pictures = [encode_picture(picture) for picture in video_frames(file, frames, start, duration)]
    suffixes = ["jpg"] if frames == 1 else [f"frame{number}.jpg" for number in range(frames)]
    return [
        Member(suffix, contents_of(data), asdict(measure_image(decode_image(data))))
        for suffix, data in zip(suffixes, pictures, strict=True)
    ]


def encode_picture(picture: Image.Image) -> bytes:
    """Encode a picture as JPEG, quality 95, without chroma subsampling."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def encode_png(picture: Image.Image) -> bytes:
    """Encode the pixels of a picture as PNG, and nothing else about it."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=PNG_LEVEL, icc_profile=None, transparency=None)
    return file.getvalue()


def _about(entry: Record | Rejected) -> dict[str, Any]:
    """The columns that every row has, rejected or not."""
    about = {name: getattr(entry, name) for name in ("id", "dataset", "split", "group")}
    if isinstance(entry, Record):
        about |= {"label": entry.label, "difficulty": entry.difficulty, "examples": len(entry.examples)}
        about["audio_examples"] = sum(example.needs_audio is True for example in entry.examples)
        about |= {"events": _events_json(entry.events), "transcript": entry.transcript}
    return about


def _events_json(events: Sequence[Event]) -> str | None:
    if not events:
        return None
    return json.dumps([event.model_dump() for event in events], ensure_ascii=False, separators=(",", ":"))


def _of_the_clip(record: Record, audio: Audio) -> Record:
    """The record as stored with only its clip: it starts at 0, and metadata says where in the source."""
    if audio.start_seconds == 0 and audio.duration_seconds is None:
        return record
    source = audio.model_dump(include={"start_seconds", "duration_seconds"})
    return record.model_copy(
        update={"audio": Audio(path=audio.path), "metadata": {**record.metadata, "clip_of": source}}
    )


def _append(record: Record, loaded: Loaded, tar: TarWriter) -> dict[str, Any]:
    """Append the files of a record next to each other; return the columns that describe them."""
    text = record_json(record)
    facts: dict[str, Any] = {"json_offset": tar.add(f"{record.id}.json", text), "json_size": len(text)}
    facts["json_sha256"] = hashlib.sha256(text).hexdigest()
    if loaded.audio is not None:
        facts |= _add("audio", record.id, loaded.audio, tar)
    added = [_add("image", record.id, picture, tar) for picture in loaded.pictures]
    return facts | (added[len(added) // 2] if added else {})  # of several pictures, the middle one


def _add(kind: str, record_id: str, member: Member, tar: TarWriter) -> dict[str, Any]:
    name = f"{record_id}.{member.suffix}"
    return member.facts | {
        f"has_{kind}": True,
        f"{kind}_name": name,
        f"{kind}_offset": member.contents.add_to(tar, name),
        f"{kind}_size": member.contents.size,
        f"{kind}_sha256": member.contents.sha256,
    }
