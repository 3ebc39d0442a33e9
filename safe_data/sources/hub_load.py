"""Load what hub.yaml names: rows with the wanted columns, undecoded media, and class labels by name."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, did_you_mean, require_extra
from safe_data.core.yaml_file import read_yaml
from safe_data.sources.hub_path import Named, check_files, check_saved, is_local, local_path, named_by
from safe_data.sources.ids import as_id

FILE = "hub.yaml"
LOAD_ERRORS = (OSError, ValueError, LookupError, TypeError, ImportError, RuntimeError)

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


def load(root: Path, wanted: Specification) -> Iterator[tuple[str, Iterator[Row | str]]]:
    """Each split with our name for it, and its rows, or what is wrong with a row.

    Raises:
        InputError: `datasets` is not installed, nothing can be loaded, or a split or column does not exist.
    """
    require_extra("the hub source", "hub", "datasets")
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    file = root / FILE
    try:
        loaded = _load(root, wanted, named_by(wanted.path, root))
    except InputError as error:
        raise InputError(f"{file}: {wanted.path!r} cannot be loaded: {error}") from None
    except (*LOAD_ERRORS, datasets.exceptions.DatasetsError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise InputError(f"{file}: {wanted.path!r} cannot be loaded: {reason}") from None
    names = {name: "val" if name == "validation" else as_id(name) for name in loaded}
    for theirs, ours in (wanted.splits or names).items():
        _check([theirs], list(loaded), f"{file}: {wanted.path!r}", "split")
        yield ours, _rows(loaded[theirs], wanted, f"{file}: split {theirs!r}")


def _load(root: Path, wanted: Specification, named: Named) -> Any:
    """The splits by their names, as `datasets` loads them from the disk or the hub."""
    import datasets

    if named == "saved":
        odd = [name for name in ("name", "revision", "data_dir", "data_files") if getattr(wanted, name)]
        if odd:
            raise InputError(f"was saved by `save_to_disk`, and takes no {' and no '.join(odd)}")
        check_saved(local_path(root, wanted.path))
        found = datasets.load_from_disk(str(local_path(root, wanted.path)))
        if isinstance(found, datasets.Dataset):
            found = {str(found.split or "train").partition("[")[0]: found}
        for data in found.values():
            data.data.table.validate(full=True)  # reading a row with damaged offsets is no error, or a crash
        return found
    if named == "format" or (wanted.data_files is not None and is_local(wanted.path)):
        check_files(root, wanted.data_files, wanted.data_dir)
    base = root.absolute() if is_local(wanted.path) else Path()
    return datasets.load_dataset(
        str(local_path(root, wanted.path)) if named == "folder" else wanted.path,
        wanted.name,
        data_dir=_from(base, wanted.data_dir),
        data_files=_from(base, wanted.data_files),
        revision=wanted.revision,
    )


def trusted_folders(root: Path, wanted: Specification) -> tuple[Path, ...]:
    """Where media of loaded rows may be: in the user's folder, or where `datasets` stores downloads."""
    from datasets import config

    local = is_local(wanted.path)
    own = [local_path(root, wanted.path)] if local and named_by(wanted.path, root) != "format" else []
    own += [local_path(root, wanted.data_dir)] if local and wanted.data_dir else []
    return (*own, Path(config.HF_DATASETS_CACHE), Path(config.HF_CACHE_HOME) / "hub")


def _rows(data: Any, wanted: Specification, where: str) -> Iterator[Row | str]:
    from datasets import Audio, ClassLabel, Image, Video

    columns = {path.split(".")[0] for path in wanted.columns.values()} | set(wanted.metadata)
    _check(sorted(columns), data.column_names, where, "column")
    data = data.with_format(None).select_columns(sorted(columns))
    labels = {}
    for column, feature in data.features.items():
        if isinstance(feature, (Audio, Image, Video)):
            data = data.cast_column(column, type(feature)(decode=False))
        if isinstance(feature, ClassLabel):
            labels[column] = feature.int2str
    for row in data:
        try:
            yield row | {column: _label(row[column], name) for column, name in labels.items()}
        except ValueError as error:
            yield str(error)


def _label(number: int | None, name: Callable[[int], str]) -> str | None:
    """The name of a class; None for a null and for -1, with which `datasets` writes an unknown class."""
    return None if number is None or number == -1 else name(number)


def _from(base: Path, given: Any) -> Any:
    """Make file names relative to the working directory, as `datasets` needs them; leave URLs unchanged."""
    if isinstance(given, dict):
        return {key: _from(base, value) for key, value in given.items()}
    if isinstance(given, list):
        return [_from(base, value) for value in given]
    return given if given is None or "://" in given else str(base / Path(given).expanduser())


def _check(names: list[str], known: list[str], where: str, kind: str) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known)}")
            raise InputError(f"{where} has no {kind} {name!r}; {hint}")
