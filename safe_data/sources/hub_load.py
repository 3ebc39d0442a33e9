"""Load what hub.yaml names: rows with the wanted columns, undecoded media, and class labels by name."""

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, MediaError, did_you_mean, require_extra
from safe_data.core.files import write_bytes
from safe_data.core.yaml_file import read_yaml
from safe_data.media.paths import inside
from safe_data.sources.ids import as_id

FILE = "hub.yaml"
FOLDER = "media"

Row = dict[str, Any]


class Specification(msgspec.Struct, forbid_unknown_fields=True):
    """The contents of hub.yaml; path, name, revision, data_dir and data_files go to `load_dataset`."""

    path: str
    columns: dict[str, str]
    constants: dict[str, Any] = {}
    metadata: list[str] = []
    splits: dict[str, str] | None = None
    name: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    data_files: str | list[str] | dict[str, str | list[str]] | None = None

    @property
    def is_local(self) -> bool:
        """Whether `path` is a format or a folder, not a hub id; data_dir and data_files are then local."""
        return "/" not in self.path or self.path.startswith((".", "/"))


@dataclass(frozen=True)
class MediaFolder:
    """The media below a root; files in `trusted` folders, such as the `datasets` cache, are copied there."""

    root: Path
    trusted: tuple[Path, ...]

    def place(self, value: object) -> str | None:
        """The path of an undecoded media value relative to the root; None for a null.

        A value is bytes, a path, or an undecoded feature of `datasets`: {"bytes": ..., "path": ...}.

        Raises:
            MediaError: the file does not exist or is outside the allowed folders, or the value is not media.
            InputError: a copy cannot be written.
        """
        if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
            data, path = value["bytes"], value["path"]
        else:
            data, path = (value, None) if isinstance(value, bytes) else (None, value)
        if isinstance(data, bytes):
            return self._copy(data, path)
        if path is None:
            return None
        if not isinstance(path, str):
            raise MediaError(f"not a media column: it holds a {type(value).__name__}")
        return self._find(path)

    def _find(self, path: str) -> str:
        try:
            file = Path(path).resolve() if Path(path).is_absolute() else inside(self.root, path)
            if not file.is_file():
                raise MediaError(f"no such file: {path}")
            if file.is_relative_to(self.root.resolve()):
                return str(file.relative_to(self.root.resolve()))
            if not any(file.is_relative_to(folder.resolve()) for folder in self.trusted):
                raise MediaError(f"unreadable file: {path!r} leads out of the root")
            return self._copy(file.read_bytes(), path)
        except (MediaError, InputError):
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise MediaError(f"unreadable file: {error}") from None

    def _copy(self, data: bytes, path: object) -> str:
        """Write the bytes to a file that their hash names, unless it exists."""
        found = re.search(r"\.[A-Za-z0-9]{1,5}\Z", path) if isinstance(path, str) else None
        name = hashlib.sha256(data).hexdigest()[:32] + (found[0].lower() if found else "")
        target = self.root / FOLDER / name
        if not target.is_file():
            write_bytes(target, data)
        return f"{FOLDER}/{name}"


def read_specification(root: Path) -> Specification:
    """Read ROOT/hub.yaml.

    Raises:
        InputError: it is missing or malformed.
    """
    file = root / FILE
    if not file.is_file():
        raise InputError(f"{root}: holds no {FILE}; write one that says what to load, and its columns")
    try:
        return msgspec.convert(read_yaml(file)[1], Specification)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{file}: {error}; it may hold {', '.join(Specification.__struct_fields__)}"
        ) from None


def load(root: Path, wanted: Specification) -> Iterator[tuple[str, Iterator[Row]]]:
    """Each split with our name for it, and its rows.

    Raises:
        InputError: `datasets` is not installed, nothing can be loaded, or a split or column does not exist.
    """
    require_extra("the hub source", "hub", "datasets")
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    file, base = root / FILE, root if wanted.is_local else Path()
    try:
        loaded = datasets.load_dataset(
            str(root / wanted.path) if wanted.path.startswith(".") else wanted.path,
            wanted.name,
            data_dir=_from(base, wanted.data_dir),
            data_files=_from(base, wanted.data_files),
            revision=wanted.revision,
        )
    except (OSError, ValueError, ImportError, datasets.exceptions.DatasetsError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise InputError(f"{file}: {wanted.path!r} cannot be loaded: {reason}") from None
    names = {name: "val" if name == "validation" else as_id(name) for name in loaded}
    for theirs, ours in (wanted.splits or names).items():
        _check([theirs], list(loaded), f"{file}: {wanted.path!r}", "split")
        yield ours, _rows(loaded[theirs], wanted, f"{file}: split {theirs!r}")


def trusted_folders(root: Path, wanted: Specification) -> tuple[Path, ...]:
    """Where media of loaded rows may be: in the user's folder, or where `datasets` stores downloads."""
    from datasets import config

    own = [root / wanted.path] if wanted.path.startswith((".", "/")) else []
    own += [root / wanted.data_dir] if wanted.is_local and wanted.data_dir else []
    return (*own, Path(config.HF_DATASETS_CACHE), Path(config.HF_CACHE_HOME) / "hub")


def _rows(data: Any, wanted: Specification, where: str) -> Iterator[Row]:
    from datasets import Audio, ClassLabel, Image, Video

    columns = {path.split(".")[0] for path in wanted.columns.values()} | set(wanted.metadata)
    _check(sorted(columns), data.column_names, where, "column")
    data = data.select_columns(sorted(columns))
    labels = {}
    for column, feature in data.features.items():
        if isinstance(feature, (Audio, Image, Video)):
            data = data.cast_column(column, type(feature)(decode=False))
        if isinstance(feature, ClassLabel):
            labels[column] = feature.int2str
    for row in data:
        yield row | {column: name(row[column]) for column, name in labels.items() if row[column] is not None}


def _from(base: Path, given: Any) -> Any:
    """Make file names relative to the working directory, as `datasets` needs them; leave URLs unchanged."""
    if isinstance(given, dict):
        return {key: _from(base, value) for key, value in given.items()}
    if isinstance(given, list):
        return [_from(base, value) for value in given]
    return given if given is None or "://" in given else str(base / given)


def _check(names: list[str], known: list[str], where: str, kind: str) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known)}")
            raise InputError(f"{where} has no {kind} {name!r}; {hint}")
