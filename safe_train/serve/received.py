"""Received: the picture and the sound of a request, decoded from untrusted bytes within limits.

Nothing is fetched: a picture comes as a data: URL, a sound as base64.
"""

import base64
import binascii
import hashlib
import io
import re
from functools import partial
from typing import NamedTuple

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio
from safe_data.media.file_kinds import HEAD_BYTES, kind_of
from safe_data.media.picture import decode_image
from safe_data.media.picture_head import read_head
from safe_data.media.sound import Sound
from safe_eval.models.model import ReadPicture
from safe_train.serve.chat_request import ImageUrl, InputAudio
from safe_train.serve.refusal import Refusal, bad

_URL, _DATA = "image_url", "input_audio"
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+)?;base64,", re.IGNORECASE)
_SOUNDS = ("WAV", "FLAC", "MP3", "Ogg")
_FORMATS = ("wav", "flac", "mp3", "ogg")  # as a request names them; the bytes decide


class ReceivedPicture(NamedTuple):
    """A picture: the hash of its file, which names it, and how to decode it."""

    sha256: str
    read: ReadPicture


def received_picture(part: ImageUrl, most_pixels: int) -> ReceivedPicture:
    """The picture of a data: URL. Only its head is read here; decoding it may still fail.

    Raises:
        Refusal: it is a remote URL, no base64, no picture or too large.
    """
    begin = _DATA_URL.match(part.url)
    if begin is None:
        scheme = part.url.partition(":")[0][:20]
        raise bad(
            f"{_URL} {scheme!r}…: pictures are not fetched; send one as data:image/png;base64,…",
            _URL,
            "remote_url_refused"
            if scheme.lower() in ("http", "https", "ftp", "file")
            else "invalid_data_url",
        )
    data = _decoded(part.url[begin.end() :], _URL)
    try:
        head = read_head(io.BytesIO(data))
    except MediaError as error:
        raise bad(f"{_URL}: {error}", _URL, "invalid_image") from None
    if head is not None and head.width * head.height > most_pixels:
        raise bad(
            f"{_URL}: the picture has {head.width}×{head.height} pixels; at most {most_pixels} are taken "
            "(--picture-pixels)",
            _URL,
            "image_too_large",
        )
    return ReceivedPicture(hashlib.sha256(data).hexdigest(), partial(decode_image, data))


def received_sound(part: InputAudio, longest_seconds: float) -> Sound:
    """The sound of a part, as one channel at its own rate.

    Raises:
        Refusal: it is no base64, no sound, of a format that is not taken, too long or damaged.
    """
    if part.format.lower() not in _FORMATS:
        raise bad(
            f"format {part.format[:20]!r}: sounds are taken as {', '.join(_FORMATS)}", f"{_DATA}.format"
        )
    data = _decoded(part.data, f"{_DATA}.data")
    kind = kind_of(data[:HEAD_BYTES])
    if kind is None or kind.name not in _SOUNDS:
        what = "no sound that is known here" if kind is None else f"a file of kind {kind.name}"
        raise bad(f"{_DATA}: {what}; send {', '.join(_FORMATS)}", f"{_DATA}.data", "invalid_audio")
    try:
        sound = decode_audio(data, duration_seconds=longest_seconds + 1)
    except MediaError as error:
        raise bad(f"{_DATA}: {error}", f"{_DATA}.data", "invalid_audio") from None
    if sound.duration_seconds > longest_seconds:
        raise bad(
            f"{_DATA}: the sound is longer than {longest_seconds:g} s (--sound-seconds)",
            f"{_DATA}.data",
            "audio_too_long",
        )
    return sound


def undecodable(error: Exception) -> Refusal:
    """The refusal of a picture that turned out to be broken, or that a processor cannot take."""
    return bad(f"{_URL}: {error}", _URL, "invalid_image")


def _decoded(text: str, param: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad(f"{param}: is not base64: {error}", param, "invalid_base64") from None
