"""Output: a predictions file that grows batch by batch and survives being killed.

    OUT            the finished file; it appears whole
    OUT.run.json   what the rows depend on, and whether OUT is finished
    OUT.part       the rows so far; of R processes each has its own, OUT.part-0-of-R and so on

A part is cut back to whole batches when a run goes on. What ends up in OUT has the same bytes whether the run
was interrupted or not, and whatever the number of processes.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec

from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.files import PART, committing, explaining, file_sha256, write_json
from safe_eval.prediction import Prediction

_START_OVER = "name another file, or add --force to start over"
_SYNC_SECONDS = 1.0  # what a machine that loses its power may lose; a process that is killed loses less
_decoder = msgspec.json.Decoder(Prediction)


Identity = dict[str, Any]
"""Everything that the rows depend on, in plain data; `processes` is how many share the batches."""


class Finished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a finished file holds."""

    rows: int
    errors: int
    first_error: str | None
    sha256: str


class _Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of OUT.run.json."""

    identity: Identity
    finished: Finished | None = None


def run_file(out: Path) -> Path:
    """The file beside OUT that says what its rows depend on."""
    return out.with_name(f"{out.name}.run.json")


def part_file(out: Path, process: int, processes: int) -> Path:
    """The file beside OUT with the rows of one process."""
    return out.with_name(f"{out.name}.part" + (f"-{process}-of-{processes}" if processes > 1 else ""))


def check_writable(out: Path) -> None:
    """Check that files can be written beside `out`, before anything is loaded.

    Raises:
        InputError: they cannot, or `out` is a folder, a device or a pipe.
    """
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a predictions file, such as {out / 'predictions.jsonl'}")
    if out.exists() and not out.is_file():  # even --force must not replace it
        raise InputError(f"{out}: is a device or a pipe; name a predictions file, such as predictions.jsonl")
    probe = out.with_name(f".{out.name}.{uuid4().hex[:8]}.tmp")
    with explaining(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()


def find_run(out: Path, identity: Identity) -> Finished | bool:
    """What is there already: a finished file of this run, an unfinished run (True), or neither (False).

    Raises:
        InputError: there is a file or a run that is another.
    """
    if not run_file(out).is_file():
        if out.exists():
            raise InputError(f"{out}: is there already, without {run_file(out).name}; {_START_OVER}")
        return False
    found = _read(run_file(out))
    # As they were written: tuples are lists.
    ours, theirs = (msgspec.json.decode(msgspec.json.encode(one)) for one in (identity, found.identity))
    if found.finished is not None:  # then it no longer matters how many processes there were
        theirs["processes"] = ours["processes"]
    if lines := differences(theirs, ours):
        shown = [f"  {line}" for line in lines]
        raise InputError(f"{out}: is of another run, which differs:", *shown, _START_OVER)
    if found.finished is None:
        return True
    if not out.is_file():
        return False
    if file_sha256(out) != found.finished.sha256:
        raise InputError(f"{out}: was changed since it was written; {_START_OVER}")
    _remove(left_over(out))
    return found.finished


def left_over(out: Path) -> list[Path]:
    """The parts beside OUT, and what a process that was killed had not yet renamed."""
    name = escape(out.name)
    return [*out.parent.glob(f"{name}.part*"), *out.parent.glob(f".{name}.*{PART}")]


def begin(out: Path, identity: Identity) -> None:
    """Begin a run anew; a finished file stays until another takes its place.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    _remove(left_over(out))
    write_json(run_file(out), _Run(identity))


class Part:
    """The rows of one process, batch by batch; `rows` has the number of rows of each of its batches.

    What is there is kept up to its last whole batch.
    """

    def __init__(self, path: Path, rows: Sequence[int]) -> None:
        self._path = path
        with explaining(path):
            path.touch()
            self._file = path.open("r+b")
            self.done, kept_bytes = _whole_batches(self._file, rows)
            self._file.truncate(kept_bytes)
            self._file.seek(kept_bytes)
        self._encoder = msgspec.json.Encoder()
        self._synced = 0.0

    def write(self, rows: Iterable[Prediction]) -> None:
        """Append a batch.

        Raises:
            InputError: the disk is full.
        """
        with explaining(self._path):
            self._file.write(b"".join(self._encoder.encode(row) + b"\n" for row in rows))
            self._file.flush()
            if time.monotonic() - self._synced > _SYNC_SECONDS:  # else fast models would wait for the disk
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self.done += 1

    def close(self) -> None:
        """Close the file.

        Raises:
            InputError: the disk is full: what `write` could not write is tried once more.
        """
        with explaining(self._path):
            self._file.close()


def join(out: Path, identity: Identity, rows: Sequence[int], parts_of: Path | None = None) -> Finished:
    """Make OUT of the parts, in the order of the batches, and remove them; `rows` has those of each batch.

    `parts_of` is the file beside which the parts lie (default: OUT).

    Raises:
        InputError: all rows of a model are errors, a part is damaged, or the disk is full; no OUT is written.
    """
    processes = identity["processes"]
    parts = [part_file(parts_of or out, number, processes) for number in range(processes)]
    tally = Tally()
    _remove(path for path in left_over(out) if path not in parts)
    with committing(out) as file, ExitStack() as stack:
        opened = [stack.enter_context(part.open("rb")) for part in parts]
        for batch, count in enumerate(rows):
            for _ in range(count):
                line = opened[batch % len(opened)].readline()
                tally.count([_decoded(parts[batch % len(opened)], line)])
                file.write(line)
        try:
            tally.check()
        except InputError:
            _remove([run_file(out), *parts])
            raise
    finished = Finished(sum(tally.rows.values()), sum(tally.errors.values()), tally.first, file_sha256(out))
    write_json(run_file(out), _Run(identity, finished))
    _remove(parts)
    return finished


@dataclass
class Tally:
    """The rows and the errors of each model, and the first error."""

    rows: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    first: str | None = None
    first_of: dict[str, str] = field(default_factory=dict)

    def count(self, rows: Iterable[Prediction]) -> None:
        """Count rows."""
        for row in rows:
            self.rows[row.model] += 1
            if row.error is not None:
                self.errors[row.model] += 1
                self.first_of.setdefault(row.model, row.error)
                self.first = self.first or f"{row.example_id!r}: {row.error}"

    def check(self) -> None:
        """Refuse rows in which a model answered nothing.

        Raises:
            InputError: all rows of a model are errors.
        """
        for model, total in self.rows.items():
            if self.errors[model] == total:
                first = self.first_of[model]
                raise InputError(f"model {model!r} failed on all {total} examples; the first: {first}")


def _whole_batches(file: BinaryIO, rows: Sequence[int]) -> tuple[int, int]:
    """How many batches a part holds as a whole, and how many bytes they take."""
    kept_bytes = 0
    for batch, count in enumerate(rows):
        end = kept_bytes
        for _ in range(count):
            line = file.readline()
            if not line.endswith(b"\n"):
                return batch, kept_bytes
            end += len(line)
        kept_bytes = end
    return len(rows), kept_bytes


def _decoded(part: Path, line: bytes) -> Prediction:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{part}: is damaged: {error}; add --force to start over") from None


def _read(path: Path) -> _Run:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Run)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not of this version ({error}); add --force to start over") from None


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


@contextmanager
def reading(out: Path, rows: Sequence[int]) -> Iterator[Callable[[int], list[Prediction]]]:
    """Read a finished file by its batches, in their order: each call takes a later batch than the one before.

    Raises:
        InputError: a row is no prediction.
    """
    at = 0
    with out.open("rb") as file:

        def batch(number: int) -> list[Prediction]:
            nonlocal at
            for _ in range(sum(rows[at:number])):
                file.readline()
            at = number + 1
            return [_decoded(out, file.readline()) for _ in range(rows[number])]

        yield batch
