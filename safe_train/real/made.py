"""Made: what a folder was made of, by hashes, so that a second run makes nothing again that is there."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder, file_sha256, write_json
from safe_data.core.options_file import installed_versions

MADE = "made.json"
_LIBRARIES = ("torch", "transformers", "gguf")

Facts = dict[str, float]


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of made.json: what a folder was made of, what was measured of it, and its files."""

    of: dict[str, str]
    facts: Facts
    files_sha256: dict[str, str]
    versions: dict[str, str]


def make_once(out: Path, of: Mapping[str, str], make: Callable[[Path], Facts]) -> Made:
    """Fill a folder by `make`, unless it was made of the same things and is as it was left.

    Args:
        out: the folder
        of: what it is made of, by name: hashes, versions of a recipe, a seed
        make: fills an empty folder, and returns what it measured

    Raises:
        InputError: the folder holds something that was not made here.
    """
    found = read_made(out) if out.exists() else None
    if found is not None and found.of == dict(of) and _is_whole(out, found):
        return found
    if out.exists() and found is None:
        raise InputError(f"{out}: holds something else, and no {MADE}; remove it, or choose another folder")
    aside = out.with_name(f"{out.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    with committing_folder(out, aside=aside) as part:
        facts = make(part)
        files = sorted(path for path in part.rglob("*") if path.is_file())
        made = Made(
            of=dict(of),
            facts=facts,
            files_sha256={str(file.relative_to(part)): file_sha256(file) for file in files},
            versions=installed_versions(_LIBRARIES),
        )
        write_json(part / MADE, made)
    return made


def read_made(folder: Path) -> Made | None:
    """What a folder was made of; None if it does not say so."""
    try:
        return msgspec.json.decode((folder / MADE).read_bytes(), type=Made)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _is_whole(folder: Path, made: Made) -> bool:
    """Whether the files are those that were made; libraries of other versions may make others."""
    return made.versions == installed_versions(_LIBRARIES) and all(
        (folder / name).is_file() and file_sha256(folder / name) == sha256
        for name, sha256 in made.files_sha256.items()
    )
