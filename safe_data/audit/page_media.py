"""Page media: the sounds and pictures of the records that break a rule, as data URIs within a budget."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import Offender
from safe_data.core.errors import InputError, MediaError

OFFENDERS_SHOWN = 5  # per rule
RECORDS_SHOWN = 2  # per offender: a pair is what a reader compares
MAX_SOUND_BYTES = 200_000
MAX_PAGE_BYTES = 8_000_000  # of all media, as base64
MAX_READ_BYTES = 2**26  # a larger file is not even read
SHORTENED_SECONDS, SHORTENED_RATE_HZ = 10.0, 16_000
THUMBNAIL_PIXELS, FEW_PIXELS = 240, 128

# What browsers play, by its first bytes; SVG is left out, as it can hold scripts.
_PLAYED = (
    (b"RIFF....WAVE", "audio/wav"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
)
_UNREADABLE = (InputError, MediaError, KeyError, OSError, pa.ArrowException, ValueError, RuntimeError)


@dataclass(frozen=True)
class ShownRecord:
    """A record that breaks a rule: its media, or what is said in their place."""

    name: str
    sound: str | None = None
    picture: str | None = None
    note: str = ""
    anchor: str = ""  # of the page, where its media are; empty if it has none
    is_again: bool = False  # its media are shown above


@dataclass(frozen=True)
class ShownOffender:
    """What is wrong, the records that the page shows, and how many more there are."""

    what: str
    records: tuple[ShownRecord, ...]
    more: int


class Broken(Protocol):
    """What has records to show: the result of a rule, or a finding."""

    @property
    def success(self) -> bool | None: ...

    @property
    def offenders(self) -> tuple[Offender, ...]: ...


class PageMedia:
    """Reads the media of offenders in the order in which they are shown, until the page is full."""

    def __init__(self, corpus: Corpus, results: Iterable[Broken]) -> None:
        self._corpus = corpus
        self._left = MAX_PAGE_BYTES
        self._anchors: dict[str, str] = {}
        self._rows = _rows_of(corpus, [result for result in results if not result.success])
        self.left_out = 0  # media for which there was no room

    def of(self, result: Broken) -> list[ShownOffender]:
        """The first offenders of a rule with their media."""
        return [self._offender(offender) for offender in result.offenders[:OFFENDERS_SHOWN]]

    def _offender(self, offender: Offender) -> ShownOffender:
        shown = offender.records[:RECORDS_SHOWN]
        records = tuple(self._record(name) for name in shown)
        return ShownOffender(offender.what, records, len(offender.records) - len(shown))

    def _record(self, name: str) -> ShownRecord:
        row = self._rows.get(name)
        if row is None:
            return ShownRecord(name)
        if name in self._anchors:
            return ShownRecord(name, anchor=self._anchors[name], is_again=True)
        anchor = self._anchors.setdefault(name, f"record-{len(self._anchors) + 1}")
        notes: list[str] = []
        picture = self._embedded(thumbnail_uri(self._corpus, row, notes), "picture", notes)
        sound = self._embedded(clip_uri(self._corpus, row, notes), "sound", notes)
        return ShownRecord(name, sound, picture, "; ".join(notes), anchor)

    def _embedded(self, uri: str | None, noun: str, notes: list[str]) -> str | None:
        if uri is not None and len(uri) > self._left:
            self.left_out += 1
            notes.append(f"its {noun} is left out, as the page is full")
            return None
        self._left -= len(uri or "")
        return uri


def thumbnail_uri(corpus: Corpus, row: int, notes: list[str]) -> str | None:
    """A small copy of the picture of a record; None, and a note, where there is none to show."""
    from PIL.Image import Resampling

    from safe_data.media.picture import decode_image

    try:
        data = _member(corpus, row, "image")
        if data is None:
            return None
        picture = decode_image(data)
        picture.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        if (times := FEW_PIXELS // max(picture.size)) > 1:  # so small that its pixels are looked at
            picture = picture.resize((picture.width * times, picture.height * times), Resampling.NEAREST)
        smaller = io.BytesIO()
        picture.save(smaller, "JPEG", quality=80)
    except _UNREADABLE as error:
        notes.append(f"its picture cannot be shown ({error})")
        return None
    return _uri("image/jpeg", smaller.getvalue())


def clip_uri(corpus: Corpus, row: int, notes: list[str]) -> str | None:
    """The sound of a record, shortened if it is large; None, and a note, where there is none to play."""
    try:
        data = _member(corpus, row, "audio")
        if data is None:
            return None
        kind = next((kind for head, kind in _PLAYED if re.match(head, data[:16], re.DOTALL)), None)
        if kind is not None and len(data) <= MAX_SOUND_BYTES:
            return _uri(kind, data)
        shorter = _shortened(data, corpus.manifest["duration_seconds"][row].as_py())
    except _UNREADABLE as error:
        notes.append(f"its sound cannot be played ({error})")
        return None
    notes.append(f"its sound is shown as {SHORTENED_SECONDS:g} s of Ogg at most")
    return _uri("audio/ogg", shorter)


def _member(corpus: Corpus, row: int, kind: str) -> bytes | None:
    size = corpus.manifest[f"{kind}_size"][row].as_py()
    if size is not None and size > MAX_READ_BYTES:
        raise InputError(f"{size / 1e6:.0f} MB are too many")
    return corpus.member(row, "audio" if kind == "audio" else "image")


def _rows_of(corpus: Corpus, results: Sequence[Broken]) -> dict[str, int]:
    """The rows of the records that are shown, by their names."""
    names = {
        name
        for result in results
        for offender in result.offenders[:OFFENDERS_SHOWN]
        for name in offender.records[:RECORDS_SHOWN]
    }
    if not names or not {"id", "split", "status"} <= {*corpus.manifest.schema.names}:
        return {}
    ids = corpus.manifest["id"]
    wanted = pa.array({name.rpartition("/")[2] for name in names}, ids.type)
    loaded = pc.and_(pc.is_in(ids, wanted), pc.equal(corpus.manifest["status"], "ok"))
    rows = pc.indices_nonzero(pc.fill_null(loaded, False)).to_pylist()
    found: dict[str, int] = {}
    for row in rows:
        found.setdefault(corpus.label(row), row)
    return {name: row for name, row in found.items() if name in names}


def _shortened(data: bytes, duration_seconds: float | None) -> bytes:
    """The first seconds of a sound as one channel of Ogg Vorbis."""
    import soundfile

    from safe_data.media.decode import decode_audio  # here, as no page needs it that shows no sound

    is_longer = duration_seconds is not None and duration_seconds > SHORTENED_SECONDS
    sound = decode_audio(data, SHORTENED_RATE_HZ, duration_seconds=SHORTENED_SECONDS if is_longer else None)
    shorter = io.BytesIO()
    samples = sound.samples[: int(SHORTENED_SECONDS * SHORTENED_RATE_HZ)]
    soundfile.write(shorter, samples, SHORTENED_RATE_HZ, format="OGG", subtype="VORBIS")
    return shorter.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
