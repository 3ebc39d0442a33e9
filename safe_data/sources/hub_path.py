"""Tell what the path in hub.yaml names: a format with files, a local folder, a saved dataset, or a hub id.

`datasets` looks up on the network what it does not find on the disk. Here only a name that can be nothing
else is a hub id, so that a misspelt folder is an error.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from safe_data.core.errors import InputError, did_you_mean

Named = Literal["format", "folder", "saved", "hub id"]

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"  # of `save_to_disk`
_LOCAL = (".", "/", "~")
_URL = "://"
_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+", re.ASCII)
_FILES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".arrow")


def is_local(path: str) -> bool:
    """Whether a path is a format or a folder; data_dir and data_files are then local too."""
    return path.startswith(_LOCAL) or ("/" not in path and _URL not in path)


def local_path(root: Path, path: str) -> Path:
    """A path of hub.yaml in the file system: relative to the root, absolute, or in the home directory."""
    return (root / Path(path).expanduser()).absolute()


def named_by(path: str, root: Path) -> Named:
    """What a path names.

    Raises:
        InputError: it is a local path that does not exist, a format that `datasets` does not know, or could
            be both a hub id and a folder.
    """
    if path.startswith(_LOCAL):
        folder = local_path(root, path)
        if not folder.is_dir():
            raise InputError(f"no such folder: {folder}")
        return "saved" if _is_saved(folder) else "folder"
    return _format(path, root) if is_local(path) else _hub_id(path, root)


def check_files(root: Path, data_files: Any, data_dir: str | None) -> None:
    """Refuse local files that do not exist; without any, `datasets` would read the working directory.

    Raises:
        InputError: a pattern matches no file, a folder does not exist, or neither is given.
    """
    if data_files is None and data_dir is None:
        raise InputError("names neither data_files nor data_dir; a format needs one")
    if data_dir is not None and _URL not in data_dir and not local_path(root, data_dir).is_dir():
        raise InputError(f"data_dir {data_dir!r}: no such folder: {local_path(root, data_dir)}")
    for pattern in _patterns(data_files):
        path = local_path(root, pattern)
        found = _URL in pattern or path.is_file() or any(Path("/").glob(str(path.relative_to("/"))))
        if not found:
            raise InputError(f"data_files {pattern!r} match no file in {root.absolute()}")


def check_saved(folder: Path) -> None:
    """Refuse a saved dataset that names files outside its folder.

    Raises:
        InputError: state.json is damaged, or names such a file.
    """
    for state in (folder / STATE, *folder.glob(f"*/{STATE}")):
        if not state.is_file():
            continue
        try:
            names = [str(file["filename"]) for file in json.loads(state.read_bytes())["_data_files"]]
        except (ValueError, LookupError, TypeError, OSError, RecursionError) as error:
            raise InputError(
                f"{state}: is damaged ({type(error).__name__}: {error}); save it again"
            ) from None
        for name in names:
            if Path(name).name != name or name == "..":
                raise InputError(f"{state}: names {name!r}, which is not a file in its folder")


def _is_saved(folder: Path) -> bool:
    return (folder / SPLITS).is_file() or all((folder / name).is_file() for name in (STATE, INFO))


def _format(path: str, root: Path) -> Named:
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as FORMATS

    if path in FORMATS:
        return "format"
    if (root / path).exists():
        raise InputError(f"is no format; write ./{path} for the folder")
    hint = did_you_mean(path, FORMATS, "write ./NAME for a folder, OWNER/NAME for a hub id")
    raise InputError(f"is no format that `datasets` reads; {hint}")


def _hub_id(path: str, root: Path) -> Named:
    if path.startswith("hf://"):
        return "hub id"
    if _URL in path:
        raise InputError("is a URL; write a format such as parquet, and the URL under data_files")
    first = path.partition("/")[0]
    for place in dict.fromkeys((root.absolute(), Path.cwd())):
        if (place / first).is_dir():
            here = f"./{path}" if place == root.absolute() else place / path
            there = f"hf://datasets/{path} for a dataset of the hub"
            raise InputError(f"may be meant as a folder, as {place / first} is one; write {here}, or {there}")
    if not _HUB_ID.fullmatch(path) and first != "buckets":
        raise InputError(f"is no hub id, which is OWNER/NAME; write ./{path} for a folder")
    if path.lower().endswith(_FILES):
        raise InputError("names a file; write its format, such as parquet, and the file under data_files")
    return "hub id"


def _patterns(data_files: Any) -> Iterator[str]:
    if isinstance(data_files, str):
        yield data_files
    elif data_files is not None:
        for item in data_files.values() if isinstance(data_files, dict) else data_files:
            yield from _patterns(item)
