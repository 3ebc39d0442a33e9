"""Run state: all that a stopped run needs to go on as if it had not stopped.

    OUT/run/step-N/pathway.safetensors   the weights after N steps
    OUT/run/step-N/optimizer.safetensors
    OUT/run/step-N/retention.safetensors what Fisher and null space hold, if they are used
    OUT/run/step-N/base.safetensors      what is trained of the base, if it is
    OUT/run/step-N/state.json            position, stage and best metric; how long the logs were; hashes
    OUT/run/teacher/N-R.safetensors      what rank R's teacher had computed between the states before N and N

There is no state of random numbers: each step's follow from the seed, the step and the rank. A folder appears
whole or not at all, so a run that is killed while it writes one goes on from the one before.
"""

import os
import shutil
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder, explaining, file_sha256, write_bytes, write_json
from safe_data.sampling.curriculum import Progress
from safe_train.run_identity import RUN, START_OVER

STATE, TEACHER = "state.json", "teacher"
PATHWAY, OPTIMIZER = "pathway.safetensors", "optimizer.safetensors"
RETENTION, BASE = "retention.safetensors", "base.safetensors"


class Best(msgspec.Struct, frozen=True):
    """The best evaluation so far."""

    step: int
    audio_accuracy: float
    vl_drift: float


class State(msgspec.Struct, frozen=True):
    """The content of state.json: where the run is, and what it needs beside the tensors.

    `logs` are the bytes of each log that belong to it, `metrics` and `losses` those of the last
    evaluation and steps, `taught` how many answers the teachers had kept, `sha256` the hashes of the files
    beside it.
    """

    progress: Progress
    logs: dict[str, int]
    metrics: dict[str, float]
    losses: list[float]
    best: Best | None = None
    taught: int = 0
    sha256: dict[str, str] = {}


@dataclass(frozen=True)
class Saved:
    """A saved state, read from disk."""

    state: State
    pathway: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    retention: dict[str, Tensor]
    base: dict[str, Tensor]


def save(
    out: Path,
    state: State,
    pathway: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    retention: Mapping[str, Tensor],
    base: Mapping[str, Tensor],
) -> None:
    """Save a state, and remove those before it, except the best."""
    from safetensors.torch import save as as_bytes

    folder = out / RUN / _name(state.progress.step)
    if not folder.is_dir():
        with committing_folder(folder) as part:
            write_bytes(part / PATHWAY, as_bytes(dict(pathway)))
            write_bytes(part / OPTIMIZER, as_bytes(dict(optimizer)))
            for name, tensors in ((RETENTION, retention), (BASE, base)):
                if tensors:
                    write_bytes(part / name, as_bytes(dict(tensors)))
            hashes = {file.name: file_sha256(file) for file in sorted(part.iterdir())}
            write_json(part / STATE, msgspec.structs.replace(state, sha256=hashes))
    kept = {_name(state.progress.step), _name(state.best.step) if state.best else ""}
    for step in _steps(out):
        if _name(step) not in kept and step < state.progress.step:
            shutil.rmtree(out / RUN / _name(step), ignore_errors=True)


def save_teacher(out: Path, step: int, rank: int, kept: Mapping[str, Tensor]) -> None:
    """Save what a teacher has computed since the last state."""
    from safetensors.torch import save

    if kept:
        tensors = {name: tensor.cpu().contiguous() for name, tensor in kept.items()}
        write_bytes(out / RUN / TEACHER / f"{step}-{rank}.safetensors", save(tensors))


def latest(out: Path) -> Saved | None:
    """The last saved state; None if there is none.

    Raises:
        InputError: it is damaged, or a log is shorter than it was when it was saved.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    steps = _steps(out)
    if not steps:
        return None
    folder = out / RUN / _name(max(steps))
    try:
        state = _checked(folder)
        pathway, optimizer = load_file(folder / PATHWAY), load_file(folder / OPTIMIZER)
        retention, base = (
            load_file(folder / name) if name in state.sha256 else {} for name in (RETENTION, BASE)
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder}: is damaged ({error}); remove it, and the run goes on from the state before it, or "
            "from its start"
        ) from None
    _check_logs(out, folder, state)
    return Saved(state, pathway, optimizer, retention, base)


def saved_weights(out: Path, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a saved state: the pathway's, and what was trained of the base.

    Raises:
        InputError: they are damaged, or gone.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = out / RUN / _name(step)
    try:
        state = _checked(folder, {PATHWAY, BASE})
        base = load_file(folder / BASE) if BASE in state.sha256 else {}
        return load_file(folder / PATHWAY), base
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: is damaged ({error}); {START_OVER}") from None


def _checked(folder: Path, names: Set[str] | None = None) -> State:
    """A saved state, whose files, all or those of these names, are what was saved.

    Raises:
        OSError: a file is gone.
        ValueError: a file is damaged.
    """
    state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
    for name, expected in state.sha256.items():
        if (names is None or name in names) and file_sha256(folder / name) != expected:
            raise ValueError(f"{name} is not what was saved")
    return state


def teacher_until(out: Path, step: int, rank: int) -> dict[str, Tensor]:
    """What a rank's teacher had computed up to a step; what is of later steps is removed.

    Raises:
        InputError: a file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    kept: dict[str, Tensor] = {}
    for file in sorted((out / RUN / TEACHER).glob(f"*-{rank}.safetensors"), key=_first_number):
        if _first_number(file) > step:
            file.unlink()
            continue
        try:
            kept |= load_file(file)
        except SafetensorError as error:
            raise InputError(f"{file}: is damaged ({error}); {START_OVER}") from None
    return kept


def finish(out: Path) -> None:
    """Remove what only a run that goes on needs."""
    shutil.rmtree(out / RUN / TEACHER, ignore_errors=True)


class Log:
    """A file of JSON lines that grows as they come; a resumed run cuts it where its state was saved."""

    def __init__(self, path: Path, keep_bytes: int | None) -> None:
        with explaining(path):
            path.touch()
            self._file = path.open("r+b", buffering=0)  # on a full disk, nothing is left to write at the end
            self._file.truncate(keep_bytes or 0)
            self._file.seek(0, os.SEEK_END)

    def sync(self) -> int:
        """Wait until the file is on disk; return how many bytes it has."""
        with explaining(self._file.name):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line, at once."""
        with explaining(self._file.name):
            data = msgspec.json.encode(line) + b"\n"
            while data:
                data = data[self._file.write(data) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_taught(out: Path, found: int, state: State) -> None:
    """Check that the teachers of all ranks, which keep `found` answers, keep what they had kept.

    Raises:
        InputError: they do not: a file is missing.
    """
    if found != state.taught:
        raise InputError(
            f"{out / RUN / TEACHER}: holds {found:,} answers of the teacher, the last state needs "
            f"{state.taught:,}; {START_OVER}"
        )


def _check_logs(out: Path, folder: Path, state: State) -> None:
    for name, expected in state.logs.items():
        log = out / name
        found = log.stat().st_size if log.is_file() else 0
        if found < expected:
            raise InputError(
                f"{log}: has {found:,} bytes, {folder.name} was saved when it had {expected:,}; {START_OVER}"
            )


def _name(step: int) -> str:
    return f"step-{step}"


def _steps(out: Path) -> list[int]:
    names = [path.name.partition("-")[2] for path in (out / RUN).glob("step-*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isdigit())


def _first_number(file: Path) -> int:
    return int(file.name.partition("-")[0])
