"""What is not read is named, with what to do about it, and with the formats that are read."""

import io

import pytest
from folders import picture_bytes, sound_bytes
from videos import FORMATS, sample

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio
from safe_data.media.file_kinds import kind_of
from safe_data.media.formats import unread
from safe_data.media.picture import decode_image
from safe_data.media.video_frames import video_frames

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
NO_MEDIA = {
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a Git LFS pointer; run git lfs pull",
    ),
    "annex": (b"/annex/objects/SHA256E-s4--0.wav\n", "a git-annex pointer; run git annex get"),
    "lfs with a mark": (
        b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\r\noid sha256:0\r\n",
        "a Git LFS pointer; run git lfs pull",
    ),
    "annex without links": (
        b"../../.git/annex/objects/Xq/0f/SHA256E-s4--0.wav/SHA256E-s4--0.wav",
        "a git-annex pointer; run git annex get",
    ),
    "html in UTF-16": (
        "<html><body>Not found</body></html>".encode("utf-16"),
        "an HTML page, as a failed download leaves; download the file again",
    ),
    "space": (b" \r\n", "a text file"),
    "mangled": (
        b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\0\x10JFIF",
        "a file that was copied as if it were text; download the file again",
    ),
    "mangled png": (
        b"\x89PNG\n\x1a\n\0\0\0\rIHDR",
        "a PNG that was copied as if it were text; download the file again",
    ),
    "thumbs": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40),
        "an OLE file, such as Thumbs.db or an old Office file",
    ),
    "ds_store": (b"\0\0\0\1Bud1\0", "a .DS_Store file, which macOS leaves in folders; leave it out"),
    "program": (b"MZ\x90\0\3", "a program"),
    "html": (
        b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>",
        "an HTML page, as a failed download leaves; download the file again",
    ),
    "xml": (
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "an XML file, as a failed download leaves; download the file again",
    ),
    "json": (b'{"error": "rate limit"}', "a JSON file, as a failed download leaves; download the file again"),
    "text": ("Datei nicht gefunden, später erneut versuchen\n".encode(), "a text file"),
    "zeros": (bytes(4096), "zeros, as an interrupted copy leaves; download the file again"),
    "appledouble": (
        b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60),
        "an AppleDouble file, which macOS writes beside a file; leave it out",
    ),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
    "zip": (b"PK\3\4\x14\0\0\0", "a ZIP archive; unpack it"),
    "gzip": (b"\x1f\x8b\x08\0\0\0", "a gzip file; unpack it"),
    "tar": (b"a.wav" + bytes(252) + b"ustar\x0000", "a tar archive; unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it"),
    "rar": (b"Rar!\x1a\7\1\0", "a RAR archive; unpack it"),
    "parquet": (b"PAR1\x15\4\x15", "a Parquet file"),
    "numpy": (b"\x93NUMPY\1\0v\0", "a NumPy array"),
}
UNREAD = {
    "sound": {
        "WMA or WMV": ASF + bytes(30),
        "AMR": b"#!AMR\n<\x91",
        "WavPack": b"wvpk\0\0\0\0",
        "Monkey's Audio": b"MAC \x96\x0f\0\0",
        "Musepack": b"MPCKSH",
        "TTA": b"TTA1\1\0",
        "DSD": b"DSD \x1c\0\0\0",
        "MIDI": b"MThd\0\0\0\6",
        "RealAudio": b".ra\xfd\0\4",
        "RealMedia": b".RMF\0\0\0\x12",
        "VOC": b"Creative Voice File\x1a",
        "AAC in LATM": b"\x56\xe0\x20\0\x11",
        "MXF": b"\x06\x0e\x2b\x34\2\5",
    },
    "picture": {
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0",
        "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0",
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
        "JPEG XL": b"\xff\x0a\xfa\x1f",
        "PSD": b"8BPS\0\1",
        "BigTIFF": b"II+\0\x08\0\0\0",
        "SVG": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
        "ICO": b"\0\0\1\0\1\0",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0",
        "OpenEXR": b"\x76\x2f\x31\x01\2\0\0\0",
        "DPX": b"SDPX\0\0",
        "PNM": b"P6\n8 8\n255\n",
        "DICOM": bytes(128) + b"DICM",
    },
    "video": {
        "WMA or WMV": ASF + bytes(30),
        "MXF": b"\x06\x0e\x2b\x34\2\5",
        "IVF": b"DKIF\0\0",
        "Flash": b"CWS\x0a",
        "H.264 without a container": b"\0\0\0\1\x67\x64\0\x1f",
    },
}
DECODERS = {"sound": decode_audio, "picture": decode_image, "video": video_frames}


@pytest.mark.parametrize("wanted", DECODERS)
@pytest.mark.parametrize("name", NO_MEDIA)
def test_what_is_no_medium_is_named(wanted: str, name: str) -> None:
    data, is_a = NO_MEDIA[name]
    with pytest.raises(MediaError) as raised:
        DECODERS[wanted](data)
    assert str(raised.value) == f"not a {wanted}: {is_a}"


@pytest.mark.parametrize("wanted", DECODERS)
def test_an_empty_file_is_empty(wanted: str) -> None:
    with pytest.raises(MediaError, match=rf"^empty {wanted}: the file has no bytes$"):
        DECODERS[wanted](b"")


@pytest.mark.parametrize(("wanted", "name"), [(kind, name) for kind in UNREAD for name in UNREAD[kind]])
def test_a_format_that_is_not_read_is_named_with_those_that_are(wanted: str, name: str) -> None:
    with pytest.raises(MediaError) as raised:
        DECODERS[wanted](UNREAD[wanted][name])
    first = {"sound": "WAV", "picture": "PNG", "video": "MP4"}[wanted]
    assert str(raised.value).startswith(f"unknown {wanted} format: {name}; convert it to one of {first}, ")


def test_a_medium_of_another_kind_is_named() -> None:
    cases = [
        (decode_audio, picture_bytes(), "not a sound: a picture (PNG)"),
        (decode_audio, picture_bytes(kind="JPEG"), "not a sound: a picture (JPEG)"),
        (decode_image, sound_bytes(), "not a picture: a sound (WAV)"),
        (decode_image, sample("mp4"), "not a picture: a video (MP4)"),
        (decode_image, sound_bytes(kind="MP3"), "not a picture: a sound (MP3)"),
        (video_frames, sound_bytes(kind="FLAC"), "not a video: a sound (FLAC)"),
        (video_frames, picture_bytes(), "not a video: a picture (PNG)"),
    ]
    for decode, data, reason in cases:
        with pytest.raises(MediaError) as raised:
            decode(data)
        assert str(raised.value) == reason


def test_bytes_that_say_nothing_are_shown() -> None:
    with pytest.raises(
        MediaError, match=r"^unknown sound format: it begins with de ad be ef; convert it to one of WAV"
    ):
        decode_audio(b"\xde\xad\xbe\xef" + bytes(range(256)))
    with pytest.raises(MediaError, match=r"^unknown sound format: it begins with ff ff ff ff; "):
        decode_audio(b"\xff" * 1000)  # no frame of MP3


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_read_is_known(name: str) -> None:
    assert unread(sample(name)[:1024], "sound") is None


def test_a_box_of_any_length_may_come_first() -> None:
    for length in (b"\0\0\1\0", b"\0\0\1\xba", b"\0\0\1\xb3"):  # an ICO and two kinds of MPEG begin so
        found = kind_of(length + b"ftypisom" + bytes(300))
        assert found is not None
        assert found.name == "MP4"


def test_sounds_and_pictures_that_are_read_are_known() -> None:
    for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64"):
        assert unread(sound_bytes(kind=kind)[:1024], "sound") is None, kind
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        assert unread(picture_bytes(kind=kind)[:1024], "picture") is None, kind
    for name, start in {"Speex": b"Speex   ", "Ogg Theora": b"\x80theora", "Ogg": b"OpusHead"}.items():
        found = kind_of(b"OggS\0\2" + bytes(22) + start)
        assert (found.name if found else "") == name
    assert decode_audio(io.BytesIO(sound_bytes())).source_rate_hz == 8_000
