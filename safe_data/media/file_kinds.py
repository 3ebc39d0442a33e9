"""Recognise files by their first bytes: media that are read and media that are not, and what is no medium."""

from dataclasses import dataclass

from safe_data.media.checks.mp3_header import header_of
from safe_data.media.checks.mpeg_ts import packet_stride

SOUND, PICTURE, VIDEO, EITHER = ("sound",), ("picture",), ("video",), ("sound", "video")
NO_MEDIUM: tuple[str, ...] = ()
HEAD_BYTES = 1024  # which tell what a file is


@dataclass(frozen=True)
class FileKind:
    """The name of a format, and what it can hold; for what is no medium, what it is, and what to do."""

    name: str
    holds: tuple[str, ...]


_ARCHIVE = "; unpack it"
_DOWNLOAD = "; download the file again"
_LFS, _ANNEX = "a Git LFS pointer; run git lfs pull", "a git-annex pointer; run git annex get"

# Formats by their first bytes. A longer start comes before a shorter one that it begins with.
_STARTS: list[tuple[bytes, str, tuple[str, ...]]] = [
    (b"fLaC", "FLAC", SOUND),
    (b"ID3", "MP3", SOUND),
    (b".snd", "AU", SOUND),
    (b"dns.", "AU", SOUND),
    (b"dns.", "AU", SOUND),
    (b"caff", "CAF", SOUND),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "WAV", SOUND),  # W64
    (b"\x0b\x77", "AC-3", SOUND),
    (b"FLV\1", "FLV", VIDEO),
    (b"\x1a\x45\xdf\xa3", "Matroska", VIDEO),
    (b"\0\0\1\xba", "MPEG-PS", VIDEO),
    (b"\x89PNG\r\n\x1a\n", "PNG", PICTURE),
    (b"\xff\xd8\xff", "JPEG", PICTURE),
    (b"GIF87a", "GIF", PICTURE),
    (b"GIF89a", "GIF", PICTURE),
    (b"II*\0", "TIFF", PICTURE),
    (b"MM\0*", "TIFF", PICTURE),
    (b"#!AMR", "AMR", SOUND),
    (b"wvpk", "WavPack", SOUND),
    (b"MAC ", "Monkey's Audio", SOUND),
    (b"MPCK", "Musepack", SOUND),
    (b"MP+", "Musepack", SOUND),
    (b"TTA1", "TTA", SOUND),
    (b"tBaK", "TAK", SOUND),
    (b"ADIF", "AAC in ADIF", SOUND),
    (b"OFR ", "OptimFROG", SOUND),
    (b"ajkg", "Shorten", SOUND),
    (b"DSD ", "DSD", SOUND),
    (b"FRM8", "DSD", SOUND),
    (b"MThd", "MIDI", SOUND),
    (b".ra\xfd", "RealAudio", SOUND),
    (b"Creative Voice File", "VOC", SOUND),
    (b"NIST_1A", "NIST SPHERE", SOUND),
    (b"\x7f\xfe\x80\x01", "DTS", SOUND),
    (b"\xfe\x7f\x01\x80", "DTS", SOUND),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", "WMA or WMV", EITHER),
    (b".RMF", "RealMedia", EITHER),
    (b"nut/multimedia container", "NUT", EITHER),
    (b"\x06\x0e\x2b\x34", "MXF", VIDEO),
    (b"DKIF", "IVF", VIDEO),
    (b"YUV4MPEG2", "Y4M", VIDEO),
    (b"\0\0\0\1\x67", "H.264 without a container", VIDEO),
    (b"\0\0\0\1\x09", "H.264 without a container", VIDEO),
    (b"\0\0\0\1\x40", "HEVC without a container", VIDEO),
    (b"\0\0\1\xb3", "MPEG video without a container", VIDEO),
    (b"FWS", "Flash", VIDEO),
    (b"CWS", "Flash", VIDEO),
    (b"\0\0\0\x0cjP  ", "JPEG 2000", PICTURE),
    (b"\xff\x4f\xff\x51", "JPEG 2000", PICTURE),
    (b"\0\0\0\x0cJXL ", "JPEG XL", PICTURE),
    (b"\xff\x0a", "JPEG XL", PICTURE),
    (b"II+\0", "BigTIFF", PICTURE),
    (b"MM\0+", "BigTIFF", PICTURE),
    (b"8BPS", "PSD", PICTURE),
    (b"\0\0\1\0", "ICO", PICTURE),
    (b"%!PS", "EPS", PICTURE),
    (b"\xc5\xd0\xd3\xc6", "EPS", PICTURE),
    (b"\x76\x2f\x31\x01", "OpenEXR", PICTURE),
    (b"SDPX", "DPX", PICTURE),
    (b"XPDS", "DPX", PICTURE),
    (b"#?RADIANCE", "Radiance HDR", PICTURE),
    (b"DDS ", "DDS", PICTURE),
    (b"qoif", "QOI", PICTURE),
    *((b"P%d" % number, "PNM", PICTURE) for number in range(1, 7)),
    (b"version https://git-lfs.github.com/spec/v1", _LFS, NO_MEDIUM),
    (b"/annex/objects/", _ANNEX, NO_MEDIUM),
    (b"\0\5\x16\7", "an AppleDouble file, which macOS writes beside a file; leave it out", NO_MEDIUM),
    (b"%PDF", "a PDF", NO_MEDIUM),
    (b"PK\3\4", f"a ZIP archive{_ARCHIVE}", NO_MEDIUM),
    (b"PK\5\6", f"a ZIP archive{_ARCHIVE}", NO_MEDIUM),
    (b"\x1f\x8b", f"a gzip file{_ARCHIVE}", NO_MEDIUM),
    (b"BZh", f"a bzip2 file{_ARCHIVE}", NO_MEDIUM),
    (b"\xfd7zXZ\0", f"an xz file{_ARCHIVE}", NO_MEDIUM),
    (b"\x28\xb5\x2f\xfd", f"a Zstandard file{_ARCHIVE}", NO_MEDIUM),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive{_ARCHIVE}", NO_MEDIUM),
    (b"Rar!\x1a\7", f"a RAR archive{_ARCHIVE}", NO_MEDIUM),
    (b"PAR1", "a Parquet file", NO_MEDIUM),
    (b"ARROW1", "an Arrow file", NO_MEDIUM),
    (b"\x93NUMPY", "a NumPy array", NO_MEDIUM),
    (b"\x89HDF", "an HDF5 file", NO_MEDIUM),
    (b"SQLite format 3", "an SQLite database", NO_MEDIUM),
    (b"\x7fELF", "a program", NO_MEDIUM),
    (b"MZ", "a program", NO_MEDIUM),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE file, such as Thumbs.db or an old Office file", NO_MEDIUM),
    (b"\0\0\0\1Bud1", "a .DS_Store file, which macOS leaves in folders; leave it out", NO_MEDIUM),
    (b"\xef\xbf\xbd", f"a file that was copied as if it were text{_DOWNLOAD}", NO_MEDIUM),
    (b"\x89PNG\n", f"a PNG that was copied as if it were text{_DOWNLOAD}", NO_MEDIUM),
    (b"#EXTM3U", "a playlist", NO_MEDIUM),
]
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_POINTERS = {b"version https://git-lfs.github.com/": _LFS, b".git/annex/objects/": _ANNEX}
_PARTS = {  # formats with a name for the whole and one for the kind, four bytes each
    **{(whole, b"WAVE"): ("WAV", SOUND) for whole in (b"RIFF", b"RIFX", b"RF64", b"BW64")},
    (b"RIFF", b"AVI "): ("AVI", VIDEO),
    (b"RIFF", b"WEBP"): ("WebP", PICTURE),
    (b"FORM", b"AIFF"): ("AIFF", SOUND),
    (b"FORM", b"AIFC"): ("AIFF", SOUND),
    (b"FORM", b"8SVX"): ("8SVX", SOUND),
    (b"FORM", b"ILBM"): ("ILBM", PICTURE),
    (b"RIFF", b"RMID"): ("MIDI", SOUND),
    (b"RIFF", b"QLCM"): ("QCELP", SOUND),
}
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide")  # the first of an MP4
_PICTURES_IN_BOXES = {b"ftyp" + brand for brand in (b"heic", b"heix", b"mif1", b"avif", b"avis", b"crx ")}
_OGG = {
    b"\x80theora": ("Ogg Theora", VIDEO),
    b"fishead\0": ("Ogg Skeleton", VIDEO),
    b"Speex   ": ("Speex", SOUND),
}


def kind_of(head: bytes) -> FileKind | None:
    """What a file is by its first kilobyte; None if they say nothing.

    Source: the specification of each format; for those of MPEG, ISO/IEC 11172-3, section 2.4.1.3.
    """
    if boxed := _boxed(head):  # first, since a box begins with its length, which may be any bytes
        return boxed
    for start, name, holds in _STARTS:
        if head.startswith(start):
            return FileKind(name, holds)
    if head[:2] in _UTF_16 and _is_text(head):
        return _written(head[: len(head) // 2 * 2].decode("utf-16", "ignore").encode())
    if (head[:4], head[8:12]) in _PARTS:
        return FileKind(*_PARTS[head[:4], head[8:12]])
    if head[:4] == b"OggS":
        found = [known for start, known in _OGG.items() if start in head[27:64]]
        return FileKind(*(found[0] if found else ("Ogg", SOUND)))
    return _by_place(head) or _written(head)


def no_rows(head: bytes) -> str | None:
    """What a file is that should hold rows of text, by its first kilobyte; None if it may hold them.

    >>> no_rows(b"version https://git-lfs.github.com/spec/v1")
    'a Git LFS pointer; run git lfs pull'
    >>> no_rows(b"id,label")
    """
    kind = kind_of(head)
    if kind is None or kind.holds:
        return None
    pointer = head.startswith((b"version https://git-lfs", b"/annex/objects/"))
    page = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    return kind.name if pointer or page or not _is_text(head) else None


def _boxed(head: bytes) -> FileKind | None:
    """What boxes or packets of bytes without a fixed start hold."""
    if head[4:12] in _PICTURES_IN_BOXES:
        return FileKind("AVIF" if head[8:10] == b"av" else "HEIC", PICTURE)
    if head[4:8] in _BOXES:
        return FileKind("MP4", VIDEO)
    return FileKind("MPEG-TS", VIDEO) if packet_stride(head) else None


def _by_place(head: bytes) -> FileKind | None:
    """What has its mark after its beginning, or in single bits."""
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return FileKind("BMP", PICTURE)
    if head[257:262] == b"ustar":
        return FileKind(f"a tar archive{_ARCHIVE}", NO_MEDIUM)
    if head[128:132] == b"DICM":
        return FileKind("DICOM", PICTURE)
    if len(head) > 2 and head[0] == 0xFF and head[1] >= 0xE0:
        if head[1] & 0xF6 == 0xF0:
            return FileKind("AAC", SOUND)
        if header_of(head[:4]):
            return FileKind("MP3", SOUND)
    if len(head) > 2 and head[0] == 0x56 and head[1] & 0xE0 == 0xE0:
        return FileKind("AAC in LATM", SOUND)
    if len(head) >= 16 and not any(head):
        return FileKind(f"zeros, as an interrupted copy leaves{_DOWNLOAD}", NO_MEDIUM)
    return None


def _written(head: bytes) -> FileKind | None:
    """What a text is; the first kilobyte may end within a character."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text[:600].lower()
    for start, is_a in _POINTERS.items():
        if text.startswith(start) or (is_a == _ANNEX and start in text[:300] and _is_text(head)):
            return FileKind(is_a, NO_MEDIUM)
    if b"<svg" in lower and lower.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")):
        return FileKind("SVG", PICTURE)
    if b"<html" in lower or lower.startswith(b"<!doctype html"):
        return FileKind(f"an HTML page, as a failed download leaves{_DOWNLOAD}", NO_MEDIUM)
    if lower.startswith(b"<?xml"):
        return FileKind(f"an XML file, as a failed download leaves{_DOWNLOAD}", NO_MEDIUM)
    if lower.startswith((b"{", b"[")) and _is_text(head):
        return FileKind(f"a JSON file, as a failed download leaves{_DOWNLOAD}", NO_MEDIUM)
    return FileKind("a text file", NO_MEDIUM) if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    """Whether all of it is printable; a long one may end within a character."""
    encoding = "utf-16" if head[:2] in _UTF_16 else "utf-8"
    for end in range(4 if len(head) >= 1000 else 1):
        try:
            text = head[: len(head) - end].decode(encoding)
        except UnicodeDecodeError:
            continue
        return all(letter.isprintable() or letter.isspace() for letter in text.lstrip("\ufeff"))
    return False
