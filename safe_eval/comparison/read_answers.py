"""Read answers: the rows of predictions files, or of other harnesses' logs, as `import` reads them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.choice_references import settled
from safe_eval.import_options import ImportOptions
from safe_eval.logs.all_logs import open_log
from safe_eval.logs.json_lines import first_object
from safe_eval.logs.log import LeftOut
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions

_LOGS = (".eval", ".xlsx", ".tsv", ".csv", ".json")  # no predictions file is called so
_KEYS = ({"doc_id"}, {"index", "prediction"}, {"filtered_resps"})  # of rows of a log in JSON Lines


def is_log(path: Path) -> bool:
    """Whether a file is another harness's log: so its name says, or the keys of its first row."""
    if path.suffix.lower() in _LOGS:
        return True
    if path.suffix.lower() != ".jsonl" or not path.is_file():
        return False
    try:
        first = first_object(path)
    except InputError:
        return False  # the reader of predictions says what is wrong
    return "example_id" not in first and any(keys <= first.keys() for keys in _KEYS)


def read_answers(paths: Sequence[Path], *, allow_partial: bool) -> tuple[list[Prediction], list[str]]:
    """The rows of predictions files or of logs, and notes on the logs.

    Raises:
        InputError: see `read_predictions`; a log is refused, or can be read in two ways: then `import` has
            the options that settle it; or a log answers an example twice.
    """
    if not any(map(is_log, paths)):
        return read_predictions(*paths, allow_partial=allow_partial), []
    notes: list[str] = []
    rows = [row for path in paths for row in _of_file(path, notes, allow_partial=allow_partial)]
    rows, faults = settled(rows, "row {}".format)
    names = ", ".join(path.name for path in paths)
    raise_row_errors(faults, names)
    answered = Counter((row.dataset, row.model, row.condition, row.seed, row.example_id) for row in rows)
    twice = [key[-1] for key, count in answered.items() if count > 1]
    if twice:
        raise InputError(f"{names}: {len(twice)} examples are answered twice, such as {twice[0]!r}; keep one")
    return rows, notes


def _of_file(path: Path, notes: list[str], *, allow_partial: bool) -> Iterator[Prediction]:
    if not is_log(path):
        yield from read_predictions(path, allow_partial=allow_partial)
        return
    left: Counter[str] = Counter()
    try:
        log = open_log(path, ImportOptions(allow_partial=allow_partial))
        for row in log.read(log):
            if isinstance(row, LeftOut):
                left[row.why] += 1
            else:
                yield row
    except InputError as fault:
        way = f"import it by itself, with options: safe-eval import {path} --out {path.stem}.rows.jsonl"
        raise InputError(*fault.lines, way) from None
    notes += [f"{path.name}: {note}" for note in log.notes]
    notes += [f"{path.name}: {count} rows are left out: {why}" for why, count in left.most_common()]
