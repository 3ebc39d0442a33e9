"""Imported: logs of other harnesses as one file of predictions, and whether their numbers follow."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_data.core.errors import InputError, first_errors
from safe_data.core.files import committing
from safe_data.core.overwriting import check_free, check_not_read
from safe_data.core.phases import Phase, unseen
from safe_eval.import_options import ImportOptions
from safe_eval.logs.all_logs import find_logs, open_log
from safe_eval.logs.log import LeftOut, Log, OwnNumber
from safe_eval.logs.own_numbers import Reproduced, Tally
from safe_eval.prediction import Prediction
from safe_eval.prediction_row import prediction_line
from safe_eval.scorers.benchmarks import benchmark_of
from safe_eval.scorers.scorer import scorer_of

_BLOCK = 1000  # rows that are scored at once
_CLOSE = 1e-6  # relative
_PERCENT = 100.0
_OF_ALL = ("mean", "circular")

_Known = dict[tuple[object, ...], dict[str, str]]  # arm → example → the log that answered it


class LeftOutRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were left out for one reason, and where the first of them stands."""

    why: str
    rows: int
    first: str


class ImportedLog(msgspec.Struct, frozen=True, kw_only=True):
    """One log: what was read from it, and its own numbers."""

    log: str
    harness: str
    version: str | None
    task: str | None
    model: str
    rows: int
    errors: int
    unscored: int  # rows without a score of the harness
    left_out: tuple[LeftOutRows, ...]
    means: dict[str, float]  # of the harness's scores, over the rows that have them
    means_with_errors: dict[str, float]  # where a row with an error counts as 0
    own: tuple[Reproduced, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 if a number does not follow, 2 if rows were left out or no stated number could be compared."""
        judged = [one.agrees for one in self.own if one.agrees is not None]
        if not all(judged):
            return DOES_NOT_HOLD
        return NOT_JUDGED if self.left_out or (self.own and not judged) else HOLDS


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of logs."""

    out: str
    rows: int
    logs: tuple[ImportedLog, ...]

    @property
    def exit_code(self) -> int:
        """The worst of the logs: a number that does not follow, then what could not be judged."""
        codes = {log.exit_code for log in self.logs}
        return DOES_NOT_HOLD if DOES_NOT_HOLD in codes else max(codes)


def import_logs(
    logs: Sequence[Path],
    options: ImportOptions | None = None,
    *,
    out: Path,
    force: bool = False,
    at: Phase = unseen,
) -> Imported:
    """Read logs of other harnesses, and write their rows as predictions, in one step.

    Raises:
        InputError: a log is refused (all reasons at once); two rows would be one prediction; or `out` is
            there and `force` is not set. Then nothing is written.
    """
    options = options or ImportOptions()
    paths = find_logs(logs)
    check_not_read([out], paths)
    check_free(out, force=force)
    opened, faults = list[Log](), list[str]()
    for path in paths:
        try:
            opened.append(open_log(path, options))
        except InputError as fault:
            faults += fault.lines
    known: _Known = {}
    found: list[ImportedLog] = []
    with committing(out) as file:
        for log in opened:
            at(log.path.name)
            try:
                found.append(_copied(log, file, known))
            except InputError as fault:
                faults += fault.lines
        _raise(faults, len(paths))
        rows = sum(log.rows for log in found)
        if not rows:
            reasons = [f"{log.log}: {one.rows} rows: {one.why}" for log in found for one in log.left_out]
            raise InputError("no row can be a prediction; nothing is written", *reasons)
    return Imported(out=str(out), rows=rows, logs=tuple(found))


def _raise(faults: Sequence[str], logs: int) -> None:
    if len(faults) == 1:
        raise InputError(faults[0])
    if faults:
        raise InputError(f"{len(faults)} faults in {logs} logs; nothing is written", *first_errors(faults))


def _copied(log: Log, file: BinaryIO, known: _Known) -> ImportedLog:
    """Write the rows of one log, and count them."""
    tally, ours = Tally(log.own), _OurScores(log.own)
    reasons: Counter[str] = Counter()
    places: dict[str, str] = {}
    name = log.path.name
    for row in log.read(log):
        if isinstance(row, LeftOut):
            reasons[row.why] += 1
            places.setdefault(row.why, f"{name}:{row.place}")
            continue
        answered = known.setdefault((row.dataset, row.model, row.condition, row.seed, row.prompt_id), {})
        if row.example_id in answered:
            raise InputError(_said_twice(row, answered[row.example_id], name))
        answered[row.example_id] = name
        tally.add(row)
        ours.add(row)
        file.write(prediction_line(row))
    own = tuple(ours.instead(tally.reproduced(log, one)) for one in log.own)
    means = tally.means
    errors = {metric: tally.mean_with_errors(metric) for metric in means} if tally.errors else {}
    return ImportedLog(
        log=name,
        harness=log.harness,
        version=log.version,
        task=log.task,
        model=log.model,
        rows=tally.rows,
        errors=tally.errors,
        unscored=tally.unscored,
        left_out=tuple(LeftOutRows(why=why, rows=n, first=places[why]) for why, n in reasons.most_common()),
        means=means,
        means_with_errors={metric: value for metric, value in errors.items() if value is not None},
        own=own,
        notes=tuple(log.notes),
    )


def _said_twice(row: Prediction, first: str, name: str) -> str:
    """Which answer stands twice, and the way out: other names for the model or the dataset."""
    dataset = "no dataset" if row.dataset is None else repr(row.dataset)
    where = f"{name}: answers {row.example_id!r} of {dataset} by model {row.model!r}, seed {row.seed},"
    if first == name:
        return f"{where} twice; keep one, or give another id with --map example_id=COLUMN"
    return f"{where} which {first} does too; import each by itself, with another --model (or --dataset)"


class _OurScores:
    """The mean by our own rule of a benchmark, for a log that states a number and has no score of an item."""

    def __init__(self, own: Sequence[OwnNumber]) -> None:
        self._wanted = any(one.rule in _OF_ALL and one.category is None for one in own)
        self._rule: str | None = None
        self._waiting: list[Prediction] = []
        self._total, self._rows = 0.0, 0

    def add(self, row: Prediction) -> None:
        """Keep a row until there are enough to score; one with a score of its harness needs none of ours."""
        if self._wanted and row.scores:
            self._wanted = False
        elif self._wanted:
            self._waiting.append(row)
            if len(self._waiting) == _BLOCK:
                self._score()

    def instead(self, one: Reproduced) -> Reproduced:
        """A number that our rule gives as well; as it was where it does not, which shows nothing."""
        self._score()
        if not self._wanted or self._rule is None or one.agrees is not None or not self._rows:
            return one
        found = self._total / self._rows * (_PERCENT if one.stated > 1 else 1.0)
        if not math.isclose(found, one.stated, rel_tol=_CLOSE):
            why = f"{one.why_not}; {self._rule} gives {found:.4g}"
            return msgspec.structs.replace(one, why_not=why)
        return msgspec.structs.replace(
            one, found=found, agrees=True, rows=self._rows, by=self._rule, why_not=""
        )

    def _score(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        benchmark = benchmark_of(rows[0].dataset)
        self._rule = benchmark.protocol if benchmark else "accuracy" if rows[0].choices else None
        self._wanted = self._rule is not None
        if self._rule is not None:
            scores = np.nan_to_num(scorer_of(self._rule).score_all(rows))
            scores[[row.error is not None for row in rows]] = 0.0
            self._total += float(scores.sum())
            self._rows += len(rows)
