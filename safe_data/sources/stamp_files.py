"""The files of Tux Paint's stamps: which pictures, names and recordings each stamp has, and which are faulty.

Nothing is decoded here. A recording is known by the hash of its bytes without the serial numbers of its Ogg
pages: an encoder draws these at random, so one recording that was encoded twice differs in them alone.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError, MediaError
from safe_data.core.numerals import cut
from safe_data.media.paths import open_file, read_open

GET = "apt-get download tuxpaint-stamps-default, and unpack it with dpkg-deb -x"
FOLDERS = ("", "usr/share/tuxpaint/stamps", "share/tuxpaint/stamps", "tuxpaint/stamps", "stamps")
TOP = ("animals", "clothes", "food", "hobbies", "household", "plants", "symbols", "town", "vehicles")
LEFT_OUT = "symbols/alphabets"  # letters are drawn and spoken alike in several folders
DIGITS = "symbols/math"
BLANK = "naturalforces/lightningbolt.png"  # white on nothing, so there is nothing to see on a white page
ENGLISH = "en"
LONGEST_NAME = 200  # characters

_RECORDING = re.compile(r"(?P<stamp>[^.]+?)_desc(?:_(?P<language>[A-Za-z_]+))?")
_DIGIT = re.compile(r"(?P<digit>[0-9])(?:_(?P<language>[A-Za-z_]+))?")
_PICTURE, _SOUND = ".png", ""
_MEDIA = (".ogg", ".png", ".wav")


@dataclass(frozen=True)
class Stamp:
    """A stamp; `path` is below the stamps' folder and without a suffix, the files are relative to the root.

    `name` is English, and None where the file of names is faulty; `fault` then says why. `voices` are the
    recordings of its name by the code of their language.
    """

    path: str
    name: str | None
    fault: str
    picture: str | None
    sound: str | None
    voices: Mapping[str, str]

    @property
    def media(self) -> tuple[str, ...]:
        """All its files but that of its names."""
        return (*(file for file in (self.picture, self.sound) if file), *self.voices.values())


@dataclass(frozen=True)
class Digit:
    """A recording of one digit; `path` is that of the file without its suffix, below the stamps' folder."""

    path: str
    digit: str
    language: str
    sound: str


@dataclass(frozen=True)
class Tree:
    """All that the stamps' folder holds; `contents` is the hash of each medium.

    `faults` are the media that cannot be used: each path relative to the root, with the stamp that has it and
    the reason.
    """

    stamps: tuple[Stamp, ...]
    digits: tuple[Digit, ...]
    contents: Mapping[str, str]
    faults: Mapping[str, tuple[str, str]]


def read_tree(root: Path) -> Tree:
    """The stamps below a root, in the order of their paths.

    Raises:
        InputError: the root holds no folder of stamps.
    """
    folder = _stamps_folder(root)
    media: dict[str, dict[str, str]] = {}  # of each stamp, by _PICTURE, _SOUND or the code of a language
    digits: list[Digit] = []
    contents: dict[str, str] = {}
    faults: dict[str, tuple[str, str]] = {}
    for below, suffix in _files(root / folder):
        file = _below(folder, f"{below}{suffix}")
        place, _, stem = below.rpartition("/")
        named = _RECORDING.fullmatch(stem) if suffix != _PICTURE else None
        digit = _DIGIT.fullmatch(stem) if suffix != _PICTURE and not named and place == DIGITS else None
        path = f"{place}/{named['stamp']}" if named else below
        found = _content(root, file)
        if isinstance(found, MediaError):
            media.setdefault(path, {})
            faults[file] = (path, str(found))
            continue
        contents[file] = found
        if digit:
            digits.append(Digit(below, digit["digit"], digit["language"] or ENGLISH, file))
        else:
            role = suffix if suffix == _PICTURE else (named["language"] or ENGLISH) if named else _SOUND
            media.setdefault(path, {}).setdefault(role, file)
    stamps = tuple(_stamp(root, folder, path, media[path]) for path in sorted(media))
    return Tree(stamps, tuple(digits), contents, faults)


def _stamp(root: Path, folder: str, path: str, media: dict[str, str]) -> Stamp:
    name, fault = _english(root, _below(folder, f"{path}.txt"))
    picture, sound = media.pop(_PICTURE, None), media.pop(_SOUND, None)
    return Stamp(path, name, fault, picture, sound, media)


def _below(folder: str, file: str) -> str:
    return f"{folder}/{file}" if folder else file


def _stamps_folder(root: Path) -> str:
    for folder in FOLDERS:
        if any((root / folder / top).is_dir() for top in TOP):
            return folder
    raise InputError(
        f"{root}: holds neither folders of stamps, such as animals, nor {FOLDERS[1]}; get them by {GET}"
    )


def _files(stamps: Path) -> Iterator[tuple[str, str]]:
    """The media that may be a stamp's: the path below the folder without its suffix, and the suffix."""
    for folder, below, files in os.walk(stamps):
        place = Path(folder).relative_to(stamps).as_posix().removeprefix(".")
        below[:] = sorted(one for one in below if f"{place}/{one}".removeprefix("/") != LEFT_OUT)
        for file in sorted(files):
            stem, _, suffix = file.rpartition(".")
            # A stem with a dot is a mistake, such as NAME_desc_da.ogg.ogg; a mirrored picture is no new one.
            is_clear = "." not in stem and not stem.endswith("_mirror") and f"{place}/{file}" != BLANK
            if place and stem and is_clear and f".{suffix}" in _MEDIA and f"{place}{file}".isascii():
                yield f"{place}/{stem}", f".{suffix}"


def _content(root: Path, file: str) -> str | MediaError:
    """The hash of a medium's content, or why there is none."""
    try:
        with open_file(root, file) as opened:
            data = read_open(opened, file)
    except MediaError as error:
        return error
    if not data:
        return MediaError(f"empty file: {file}; unpack the package again")
    return hashlib.sha256(without_serials(data)).hexdigest()


def without_serials(data: bytes) -> bytes:
    """The bytes of a file whose Ogg pages have no serial number and no checksum; other bytes as they are.

    Source: RFC 3533, section 6: bytes 14 to 17 of a page are its serial number, 22 to 25 its checksum, and
    byte 26 is the number of segments, whose lengths follow.
    """
    plain = bytearray(data)
    at = 0
    while data[at : at + 4] == b"OggS" and at + 26 < len(data):
        plain[at + 14 : at + 18] = plain[at + 22 : at + 26] = bytes(4)
        lengths = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(lengths) + sum(lengths)
    return bytes(plain)


def _english(root: Path, file: str) -> tuple[str | None, str]:
    """The English name that a file of names begins with; or None, and why."""
    try:
        with open_file(root, file) as opened:
            text = read_open(opened, file).decode("utf-8-sig")
    except MediaError as error:
        return None, str(error)
    except UnicodeDecodeError as error:
        return None, f"faulty row: {file}: byte {error.start} is not UTF-8; unpack the package again"
    name = text.partition("\n")[0].strip()
    if not name:
        return None, f"faulty row: {file}:1: is empty; an official file begins with the English name"
    return cut(name, LONGEST_NAME), ""
