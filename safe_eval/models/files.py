"""Files of the base: what it is, by the hash of each file; each file is read once, not once a run.

The hashes are remembered by path, size and time of change in ~/.cache/safe-hearing (or $XDG_CACHE_HOME). A
file that was changed so that both stay the same is not noticed here; `parity` hashes the weights themselves.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from tqdm import tqdm

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_bytes

# The files of a checkpoint: configurations, weights, tokenizer and templates. No code, no pickles.
FILES = ("config.json", "*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
_REMEMBERED = 4096  # files

Hashes = dict[str, str]


class Remembered(msgspec.Struct, frozen=True):
    """The hash of a file, and what must not have changed since it was made."""

    size: int
    changed_ns: int
    inode: int
    sha256: str


def base_files(folder: Path, *, quiet: bool = False) -> Hashes:
    """The sha256 of each file of a model's folder, by name."""
    files = sorted({file for pattern in FILES for file in folder.glob(pattern) if file.is_file()})
    known = _read(_cache_file())
    found: Hashes = {}
    fresh: dict[str, Remembered] = {}
    for file in tqdm(files, "hashing the base", unit="file", disable=quiet or None, leave=False):
        key, facts = str(file.resolve()), file.stat()
        entry = known.get(key)
        if entry is None or (entry.size, entry.changed_ns, entry.inode) != (
            facts.st_size,
            facts.st_mtime_ns,
            facts.st_ino,
        ):
            entry = Remembered(facts.st_size, facts.st_mtime_ns, facts.st_ino, file_sha256(file))
            fresh[key] = entry
        found[file.name] = entry.sha256
    if fresh:
        _write(_cache_file(), known | fresh)
    return found


def check_base(found: Mapping[str, str], wanted: Mapping[str, str], *, here: str, where: str) -> None:
    """Check that a base is the one that something was made for.

    Raises:
        InputError: a file differs, is missing, or is new.
    """
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if names:
        name = names[0]
        kind = "is not there" if name not in found else "is new" if name not in wanted else "is another file"
        more = f", and {len(names) - 1} more differ" if len(names) > 1 else ""
        raise InputError(
            f"{where}; {here} is another: its {name} {kind}{more}; give the base it was trained for with "
            "--backbone"
        )


def _cache_file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "safe-hearing" / "file_hashes.json"


def _read(path: Path) -> dict[str, Remembered]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Remembered])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}  # a cache may be lost


def _write(path: Path, known: dict[str, Remembered]) -> None:
    kept = dict(list(known.items())[-_REMEMBERED:])
    try:
        write_bytes(path, msgspec.json.encode(kept))
    except (OSError, InputError):
        return  # a home that cannot be written to costs time, nothing else
