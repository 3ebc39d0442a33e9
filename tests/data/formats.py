"""One small file of every kind that is read, and which differences its own checks cannot tell, with why.

A difference has a name: see `damage.differences`. Of a kind that is not named here, everything is told.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from broken_sounds import encoded, mp3_frames, replaced, tone
from pictures import pictures
from videos import FORMATS, sample

SLACK_SECONDS = 0.5  # of containers, whose time stamps leave open where exactly the sound ends


@dataclass(frozen=True)
class Medium:
    """A file of a format; `untold` has the differences that its checks cannot tell, each with the reason.

    Lengths within `slack_seconds` of each other are one difference, `length`, for files of any size.
    """

    kind: str  # sound, video or picture
    data: bytes = field(repr=False)
    untold: dict[str, str]
    slack_seconds: float = 0.0


def media() -> dict[str, Medium]:
    """Every kind of file, by name."""
    return sounds() | containers() | all_pictures()


_SAMPLES = {"values": "no checksum"}
_SAMPLES_AND_RATE = _SAMPLES | {"rate": "the rate is said once"}
_AU = _SAMPLES_AND_RATE | dict.fromkeys(("lost", "gained", "channels"), "the encoding is said once")
_ALAC = _SAMPLES_AND_RATE | {"moved": "the byte that fills it up may be missing"}
_WHOLE_FRAMES = {
    **_SAMPLES,
    **dict.fromkeys(
        ("end", "shorter", "lost", "longer", "gained", "moved"), "no length: whole frames lost or new"
    ),
}
_CUT_OFF = {"end": "no length: whole frames cut off"}
_LAME = {"gained": "its first frame, which has the checksum, is read as sound"}


def _from_a_pipe(data: bytes) -> bytes:
    return replaced(replaced(data, 4, b"\xff" * 4), 40, b"\xff" * 4)


def _flac_from_a_pipe() -> bytes:
    data = encoded("FLAC", samples=tone(1.5, channels=2))
    return replaced(data, 21, bytes([data[21] & 0xF0]) + bytes(20))


_SOUNDS: dict[str, tuple[Callable[[], bytes], dict[str, str]]] = {
    "Vorbis": (lambda: encoded("OGG", samples=tone(3)), {}),
    "Opus": (lambda: encoded("OGG", "OPUS"), {}),
    "Ogg of two parts": (lambda: encoded("OGG") * 2, {}),
    "FLAC": (lambda: encoded("FLAC", samples=tone(1.5, channels=2)), {}),
    "FLAC of 24 bits": (lambda: encoded("FLAC", "PCM_24"), {}),
    "FLAC without MD5": (lambda: replaced(encoded("FLAC", samples=tone(1.5)), 26, bytes(16)), {}),
    "FLAC from a pipe": (_flac_from_a_pipe, _CUT_OFF),
    "MP3 by LAME": (lambda: encoded("MP3", samples=tone(1.5)), _LAME),
    "MP3 without a tag": (lambda: b"".join(mp3_frames(encoded("MP3"))[1:]), _WHOLE_FRAMES),
    "WAV": (lambda: encoded("WAV"), _SAMPLES),
    "WAV of floats": (lambda: encoded("WAV", "FLOAT"), _SAMPLES),
    "WAV from a pipe": (lambda: _from_a_pipe(encoded("WAV", samples=tone(channels=3))), _WHOLE_FRAMES),
    "WAVEX": (lambda: encoded("WAVEX", "PCM_24"), _SAMPLES),
    "µ-law": (lambda: encoded("WAV", "ULAW"), _SAMPLES),
    "ADPCM": (lambda: encoded("WAV", "IMA_ADPCM"), _SAMPLES),
    "RF64": (lambda: encoded("RF64"), _SAMPLES),
    "W64": (lambda: encoded("W64"), _SAMPLES),
    "AIFF": (lambda: encoded("AIFF"), _SAMPLES_AND_RATE),
    "AU": (lambda: encoded("AU"), _AU),
    "CAF": (lambda: encoded("CAF"), _SAMPLES_AND_RATE),
    "ALAC": (lambda: encoded("CAF", "ALAC_24"), _ALAC),
}


def sounds() -> dict[str, Medium]:
    """What libsndfile reads."""
    return {name: Medium("sound", make(), untold) for name, (make, untold) in _SOUNDS.items()}


_CHECKSUMS = ("mkv", "mkv-flac", "mkv-pcm", "mp4-flac", "ac3", "eac3")  # over every sample of the sound
_ENDLESS = ("ac3", "eac3", "aac", "ts", "ts-mp2", "m2ts", "mpg", "vob", "webm-live")
_FRAMES_LOST = dict.fromkeys(("end", "shorter"), "no length: whole frames lost")
_EDITS = {"lost": "no checksum over its edit list"}
_ADPCM = {"rate": "the rate is said once, beside bytes a second, which encoders estimate"}
_CODEC = dict.fromkeys(("rate", "channels"), "no checksum over the header of the codec")
_PAYLOAD = {
    **dict.fromkeys(("values", "moved"), "no checksum over the sound"),
    "length": "no checksum over its last time stamps",
    "late": "no checksum over its first time stamp",
}


def containers() -> dict[str, Medium]:
    """What PyAV reads: sounds, and videos, whose pictures have no checksum but in Matroska."""
    found = {}
    for name, (kind, picture, _, _) in FORMATS.items():
        untold = {} if name in _CHECKSUMS else _PAYLOAD
        untold = untold | (_FRAMES_LOST if name in _ENDLESS else {})
        untold = untold | (_EDITS if kind in ("mp4", "mov", "ipod", "3gp") else {})
        untold = untold | (_CODEC if kind == "webm" else {})
        untold = untold | (_ADPCM if name == "avi-adpcm" else {})
        if picture and kind != "matroska":
            untold = untold | {"frames": "no checksum over the pictures"}
        slack = 0.0 if name in _CHECKSUMS else SLACK_SECONDS
        found[name] = Medium("video" if picture else "sound", sample(name), untold, slack)
    return found


_PIXELS = {"pixels": "no checksum"}
_PIXELS_AND_SIZE = _PIXELS | {"size": "the size is said once"}
_UNTOLD_PIXELS = {
    "png": {},
    "jpeg": _PIXELS | {"size": "sizes with as many blocks of pixels are coded alike"},
    "bmp": _PIXELS | {"size": "rows are filled up, so that widths share a length"},
    "bmp-32": _PIXELS,
    "tiff-deflate": {},
    **dict.fromkeys(("webp", "gif", "tiff"), _PIXELS_AND_SIZE),
}


def all_pictures() -> dict[str, Medium]:
    """What Pillow reads; the name begins with the format."""
    found = {}
    for name, data in pictures().items():
        untold = _UNTOLD_PIXELS.get(name, _UNTOLD_PIXELS.get(name.partition("-")[0]))
        assert untold is not None, name
        found[name] = Medium("picture", data, untold)
    return found
