"""All logs: which reader reads a file, as its name and its first row say, or as the user says."""

from collections.abc import Callable, Iterable
from pathlib import Path

from safe_data.core.errors import InputError
from safe_eval.import_options import Harness, ImportOptions
from safe_eval.logs import inspect_ai, lm_eval, lmms_eval, mapped, vlmevalkit
from safe_eval.logs.json_lines import document, first_object
from safe_eval.logs.log import Log
from safe_eval.logs.table_rows import first_row, table_rows
from safe_eval.logs.vlmevalkit_numbers import AGGREGATES

Reader = Callable[[Path, ImportOptions], Log]

READERS: dict[Harness, Reader] = {
    "lmms_eval": lmms_eval.read,
    "lm_eval": lm_eval.read,
    "inspect_ai": inspect_ai.read,
    "vlmevalkit": vlmevalkit.read,
    "mapped": mapped.read,
}

_KIT = ("index", "prediction")
_TABLES = (".csv", ".tsv", ".xlsx")
_JUDGED = ("_auxmatch", "_result", "_extract_matching")


def open_log(path: Path, options: ImportOptions) -> Log:
    """What a log says about itself; its rows are read when they are asked for.

    Raises:
        InputError: there is no such file, nothing says who wrote it, or its reader refuses it.
    """
    format = options.harness if options.harness != "auto" else format_of(path, options)
    return READERS[format](path, options)


def format_of(path: Path, options: ImportOptions) -> Harness:
    """Who wrote a log.

    Raises:
        InputError: it is the aggregate of a log, a pickle, or nothing that is known.
    """
    suffix = path.suffix.lower()
    if options.map:
        return "mapped"
    if suffix == ".eval":
        return "inspect_ai"
    if suffix == ".jsonl":
        return _of_lines(path)
    if suffix == ".json":
        return _of_document(path)
    if suffix in _TABLES:
        if AGGREGATES.search(path.stem) and not set(_KIT) <= first_row(path).keys():
            raise InputError(f"{path}: states numbers of a log; give the log, and it is read from beside it")
        return "vlmevalkit" if suffix == ".xlsx" or set(_KIT) <= first_row(path).keys() else "mapped"
    table_rows(path)  # refuses a pickle by its name
    raise InputError(f"{path}: nothing says who wrote it; {_choose()}")


def _of_lines(path: Path) -> Harness:
    """lm-evaluation-harness keeps the document and the arguments, lmms-eval the input alone."""
    first = first_object(path)
    if "filtered_resps" in first or "doc_id" in first:
        if lmms_eval.NAME.match(path.name):
            return "lmms_eval"
        if lm_eval.NAME.match(path.name) or "filter" in first or "prompt_hash" in first:
            return "lm_eval"
        if "input" in first:
            return "lmms_eval"
        raise InputError(f"{path}: lmms-eval or lm-evaluation-harness may have written it; {_choose()}")
    if set(_KIT) <= first.keys():
        return "vlmevalkit"
    return "mapped"


def _of_document(path: Path) -> Harness:
    start = _start(path)
    if start.startswith(b"["):
        return "vlmevalkit" if set(_KIT) <= first_row(path).keys() else "mapped"
    if _is_inspect(start):
        return "inspect_ai"
    content = document(path)
    if isinstance(content, dict) and "results" in content and "configs" in content:
        raise InputError(
            f"{path}: is the aggregate of a run; give the file of its samples, and it is read from beside it"
        )
    if isinstance(content, dict) and {"eval", "samples"} & content.keys():
        return "inspect_ai"
    raise InputError(f"{path}: nothing says who wrote it; {_choose()}")


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 12).lstrip(b"\xef\xbb\xbf \t\r\n")


def _is_inspect(start: bytes) -> bool:
    return start.startswith(b"{") and b'"version"' in start and b'"eval"' in start


def find_logs(paths: Iterable[Path]) -> list[Path]:
    """The files that were named, and the logs in folders that were.

    Raises:
        InputError: a path does not exist, a folder holds no log, or a file is given twice.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such log")
        inside = [path] if path.is_file() else [one for one in sorted(path.rglob("*")) if _is_log(one)]
        if not inside:
            raise InputError(f"{path}: holds no log that its name tells; name the files")
        found += inside
    known: set[Path] = set()
    for path in found:
        if path.resolve() in known:
            raise InputError(f"{path}: is given twice; give each log once")
        known.add(path.resolve())
    return found


def _is_log(path: Path) -> bool:
    """Whether the name of a file in a folder is that of a log, and not of what lies beside one."""
    if not path.is_file():
        return False
    if path.suffix == ".xlsx":
        return not path.stem.endswith(_JUDGED) and not AGGREGATES.search(path.stem)
    if path.suffix == ".jsonl":
        return bool(lmms_eval.NAME.match(path.name) or lm_eval.NAME.match(path.name))
    if path.suffix == ".json":
        return _is_inspect(_start(path))
    return path.suffix == ".eval"


def _choose() -> str:
    return f"choose with --harness {', '.join(READERS)}"
