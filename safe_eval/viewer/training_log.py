"""Training log: what a run of stage A wrote beside its adapter, read line by line.

The three files are JSON Lines. A line that cannot be read is left out and named; so is a field that is no
number. A run that is going on, or was killed, may end with half a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError

LOSSES, EVALUATIONS, EPOCHS = "losses.jsonl", "evaluations.jsonl", "epochs.jsonl"
FOLDERS = ("adapter", ".")  # of a run's folder, and of the folder above it, which may hold the log
DAMAGED_SHOWN = 5  # lines that are named; the others are counted
MOST_BYTES = 1 << 30  # of one file

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """One line of a log: its step or epoch, its numbers by name, and those of its objects."""

    at: int
    numbers: Numbers
    nested: Mapping[str, Numbers]


@dataclass(frozen=True)
class TrainingLog:
    """The log of one training run; `damaged` says what could not be read, file and line first."""

    name: str
    folder: Path
    losses: tuple[Line, ...]
    evaluations: tuple[Line, ...]
    epochs: tuple[Line, ...]
    damaged: tuple[str, ...]


def find_logs(runs: Sequence[tuple[str, Path]]) -> list[TrainingLog]:
    """The logs of the runs with these names and folders, each log once, under the name of its first run."""
    found: dict[Path, TrainingLog] = {}
    for name, folder in runs:
        place = log_folder(folder)
        if place is not None and place not in found:
            found[place] = read_log(name, place)
    return list(found.values())


def log_folder(run: Path) -> Path | None:
    """The folder of the log that belongs to a run: in its folder, or else in the one above it."""
    for above in (run.resolve(), run.resolve().parent):
        for name in FOLDERS:
            if (above / name / LOSSES).is_file():
                return (above / name).resolve()
    return None


def read_log(name: str, folder: Path) -> TrainingLog:
    """A log as far as it can be read."""
    damaged: list[str] = []
    parts = [
        tuple(_read(folder / file, key, damaged))
        for file, key in ((LOSSES, "step"), (EVALUATIONS, "step"), (EPOCHS, "epoch"))
    ]
    return TrainingLog(name, folder, parts[0], parts[1], parts[2], tuple(_shortened(damaged)))


def _read(path: Path, key: str, damaged: list[str]) -> Iterator[Line]:
    """The lines of one file in their order."""
    if not path.is_file():
        if path.name == LOSSES:
            raise InputError(f"{path}: no such file")
        return
    if path.stat().st_size > MOST_BYTES:
        damaged.append(f"{path.name}: is larger than {MOST_BYTES >> 20} MiB and was not read")
        return
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                line = _line(text, key)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
                end = ", as a run leaves it that was stopped" if not text.endswith(b"\n") else ""
                damaged.append(f"{path.name}:{number}: cannot be read ({error}){end}")
                continue
            yield line


def _line(text: bytes, key: str) -> Line:
    """One line.

    Raises:
        ValueError: it is no object, or has no step.
    """
    found = msgspec.json.decode(text)
    at = found.get(key) if isinstance(found, dict) else None
    if not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise ValueError(f"has no {key!r} that is a whole number from 0 on")
    nested = {name: _numbers(value) for name, value in found.items() if isinstance(value, dict)}
    return Line(at, _numbers(found), nested)


def _numbers(values: Mapping[str, object]) -> Numbers:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }


def _shortened(damaged: Sequence[str]) -> Iterator[str]:
    yield from damaged[:DAMAGED_SHOWN]
    if len(damaged) > DAMAGED_SHOWN:
        yield f"and {len(damaged) - DAMAGED_SHOWN} more lines that cannot be read"
