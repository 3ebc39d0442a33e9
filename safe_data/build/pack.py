"""Pack records into a tar and manifest rows: read their media, check, measure and store them.

`pack` does all of it. A build that also encodes the sounds does it in two steps: `load` records in threads,
then `store` them in order and hand each clip to the encoders:

    loaded = executor.map(lambda entry: (entry[0], load(entry[1], root)), entries)
    for packed in store(loaded, shard, tar):
        packed.row, packed.sound  # packed.sound.resampled(encoder.sample_rate_hz).samples
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from safe_data.build.engines.piece import Tick
from safe_data.core.errors import MediaError
from safe_data.media.containers import container_of
from safe_data.media.decode import decode_pcm
from safe_data.media.measure import measure_image, measure_sound
from safe_data.media.paths import open_file, read_open
from safe_data.media.picture import decode_image, picture_suffix
from safe_data.media.sound import Pcm, Sound
from safe_data.records import Audio, Record, Rejected
from safe_data.shards.manifest import Row
from safe_data.shards.plan import Entry, record_json
from safe_data.shards.tar import TarWriter

FLAC_LEVEL = 0.25  # level 2 of 8
FLAC_CHANNELS = 8
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Member:
    """A media file for the tar, and the manifest columns that describe it."""

    suffix: str
    data: bytes
    facts: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A record as it will be stored, with its media; or the reason for its rejection, and the path at fault.

    `sound` is the clip at its original rate; resampled, it equals `decode_audio` of `audio` bit for bit.
    """

    entry: Record | Rejected
    reason: str | None = None
    audio: Member | None = None
    pictures: tuple[Member, ...] = ()
    sound: Sound | None = None
    path: str | None = None


@dataclass(frozen=True)
class Packed:
    """The manifest row of a record, and its sound if it is stored with one."""

    row: Row
    sound: Sound | None


def pack(
    entries: Iterable[Entry], root: Path, shard: str, tar: TarWriter, tick: Tick, frames: int = 1
) -> list[Row]:
    """Write the samples of a shard; return one row per record, rejected ones too. Ticks once per record."""
    rows = []
    for packed in store(((index, load(entry, root, frames)) for index, entry in entries), shard, tar):
        rows.append(packed.row)
        tick()
    return rows


def load(entry: Record | Rejected, root: Path, frames: int = 1) -> Loaded:
    """Read, decode and measure the media of a record, `frames` pictures per video; write nothing."""
    if isinstance(entry, Rejected):
        return Loaded(entry, entry.reason, path=entry.path)
    audio = sound = None
    pictures: list[Member] = []
    record, path = entry, None
    try:
        if entry.audio is not None:
            path = entry.audio.path
            audio, sound, unchanged = sound_member(root, entry.audio)
            record = entry if unchanged else _of_the_clip(entry, entry.audio)
        if entry.image is not None:
            path = entry.image
            pictures = picture_members(root, entry.image, entry.audio, frames)
    except MediaError as error:
        return Loaded(entry, str(error), path=path)
    return Loaded(record, None, audio, tuple(pictures), sound)


def store(loaded: Iterable[tuple[int, Loaded]], shard: str, tar: TarWriter) -> Iterator[Packed]:
    """Append records to a tar in the given order, each with its index in the source."""
    samples = 0
    for index, one in loaded:
        about = {"index": index, "shard": shard, **_about(one.entry)}
        if isinstance(one.entry, Rejected) or one.reason is not None:
            yield Packed(Row(status="rejected", error=one.reason, source_path=one.path, **about), None)
            continue
        yield Packed(Row(status="ok", row=samples, **about, **_append(one.entry, one, tar)), one.sound)
        samples += 1


def sound_member(root: Path, audio: Audio) -> tuple[Member, Sound, bool]:
    """The sound of a record as a tar member, the clip in it, and whether the source file is stored unchanged.

    The clip equals what `decode_audio` makes of the member, bit for bit.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, audio.path) as file:
        pcm = decode_pcm(file, audio.start_seconds, audio.duration_seconds)
        if pcm.suffix is not None:
            member = Member(pcm.suffix, read_open(file, audio.path), asdict(measure_sound(pcm)))
            return member, pcm.mono, True
    pcm, suffix, data = encode_sound(pcm)
    return Member(suffix, data, asdict(measure_sound(pcm))), pcm.mono, False


def picture_members(root: Path, path: str, clip: Audio | None, frames: int) -> list[Member]:
    """The picture of a record as a tar member; of a video, `frames` pictures spread over the clip.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, path) as file:
        if container_of(file) is None:
            data = read_open(file, path)
            picture = decode_image(data)
            return [Member(picture_suffix(data) or "jpg", data, asdict(measure_image(picture)))]
        from safe_data.media.video_frames import video_frames

        start, duration = (clip.start_seconds, clip.duration_seconds) if clip else (0.0, None)
        pictures = [encode_picture(picture) for picture in video_frames(file, frames, start, duration)]
    suffixes = ["jpg"] if frames == 1 else [f"frame{number}.jpg" for number in range(frames)]
    return [
        Member(suffix, data, asdict(measure_image(decode_image(data))))
        for suffix, data in zip(suffixes, pictures, strict=True)
    ]


def encode_sound(pcm: Pcm) -> tuple[Pcm, str, bytes]:
    """Encode a clip as FLAC, or as WAV where FLAC cannot hold it: samples as stored, suffix, bytes."""
    file = io.BytesIO()
    if pcm.bits is None or pcm.channels > FLAC_CHANNELS:
        from scipy.io import wavfile  # libsndfile would write the date into the file

        wavfile.write(file, pcm.sample_rate_hz, pcm.samples.astype("<f4"))
        return replace(pcm, suffix="wav"), "wav", file.getvalue()
    full_scale = 2 ** (pcm.bits - 1)
    scaled = np.rint(pcm.samples.astype(np.float64) * full_scale)
    whole = np.clip(scaled, -full_scale, full_scale - 1).astype(np.int32)
    soundfile.write(
        file,
        whole << (32 - pcm.bits),
        pcm.sample_rate_hz,
        format="FLAC",
        subtype=f"PCM_{pcm.bits}",
        compression_level=FLAC_LEVEL,
    )
    samples = (whole / full_scale).astype(np.float32)
    return replace(pcm, stored=samples, suffix="flac"), "flac", file.getvalue()


def encode_picture(picture: Image.Image) -> bytes:
    """Encode a picture as JPEG, quality 95, without chroma subsampling."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def _about(entry: Record | Rejected) -> dict[str, Any]:
    """The columns that every row has, rejected or not."""
    about = {name: getattr(entry, name) for name in ("id", "dataset", "split", "group")}
    if isinstance(entry, Record):
        about |= {"label": entry.label, "difficulty": entry.difficulty, "examples": len(entry.examples)}
        about["audio_examples"] = sum(example.needs_audio is True for example in entry.examples)
    return about


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
        f"{kind}_offset": tar.add(name, member.data),
        f"{kind}_size": len(member.data),
        f"{kind}_sha256": hashlib.sha256(member.data).hexdigest(),
    }
