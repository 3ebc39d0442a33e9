"""Run state: all that a stopped run needs to go on as if it had not stopped.

    OUT/run/identity.json                what the run depends on; another is refused
    OUT/run/step-N/pathway.safetensors   the weights after N steps
    OUT/run/step-N/optimizer.safetensors
    OUT/run/step-N/retention.safetensors what Fisher and null space hold, if they are used
    OUT/run/step-N/state.json            position, stage and best metric; how long the logs were
    OUT/run/teacher/N-R.safetensors      what rank R's teacher had computed between the states before N and N

There is no state of random numbers: each step's follow from the seed, the step and the rank. A folder appears
whole or not at all, so a run that is killed while it writes one goes on from the one before.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder, explaining, json_bytes, write_bytes
from safe_data.sampling.curriculum import Progress
from safe_train.checkpoint import CONFIG, WEIGHTS
from safe_train.config import TrainConfig

RUN, IDENTITY, STATE, TEACHER = "run", "identity.json", "state.json", "teacher"
PATHWAY, OPTIMIZER = "pathway.safetensors", "optimizer.safetensors"
RETENTION = "retention.safetensors"
# Settings that may differ between the parts of a run, because nothing that is learnt depends on them.
_FREE = {
    "run": ("out", "checkpoint_steps", "trackers", "quiet", "force"),
    "data": ("shards", "workers"),
    "backbone": ("source",),
}


class Best(msgspec.Struct, frozen=True):
    """The best evaluation so far."""

    step: int
    audio_accuracy: float
    vl_drift: float


class State(msgspec.Struct, frozen=True):
    """The content of state.json: where the run is, how many bytes of each log belong to it, and its
    last evaluation and losses."""

    progress: Progress
    logs: dict[str, int]
    metrics: dict[str, float]
    losses: list[float]
    best: Best | None = None


class Identity(msgspec.Struct, frozen=True):
    """The content of identity.json: everything that a run's result depends on."""

    options: dict[str, Any]
    datasets: dict[str, str]
    encoders: dict[str, str]
    base: dict[str, str]
    processes: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Saved:
    """A saved state, read from disk."""

    state: State
    pathway: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    retention: dict[str, Tensor]


def identity_options(config: TrainConfig) -> dict[str, Any]:
    """The settings that a run's result depends on."""
    options: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    return {
        section: {name: value for name, value in values.items() if name not in _FREE.get(section, ())}
        for section, values in options.items()
    }


def check_out(out: Path, *, force: bool) -> None:
    """Check that a run may be written to a folder, before anything is loaded.

    Raises:
        InputError: the folder cannot be written to, or holds something that is not a run.
    """
    with explaining(out):
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    if not force and not (out / RUN / IDENTITY).is_file() and any(out.iterdir()):
        raise InputError(f"{out}: holds something else than a run; choose another folder, or add --force")


def begin(out: Path, identity: Identity, *, force: bool) -> None:
    """Claim a folder for a run, or find that it already holds this one.

    Raises:
        InputError: it holds another run.
    """
    file = out / RUN / IDENTITY
    if force:
        for name in (CONFIG, WEIGHTS):  # a run that is complete would not begin again
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / RUN, ignore_errors=True)
    if file.is_file():
        now = msgspec.json.decode(msgspec.json.encode(identity))  # as it was written: tuples are lists
        if lines := differences(msgspec.to_builtins(_read(file, Identity)), now):
            shown = "\n  ".join(lines)
            raise InputError(
                f"{out}: holds another run; this one differs:\n  {shown}\n"
                "choose another folder, or add --force to start over"
            )
    else:
        write_bytes(file, json_bytes(identity))


def save(
    out: Path,
    state: State,
    pathway: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    retention: Mapping[str, Tensor],
) -> None:
    """Save a state, and remove those before it, except the best."""
    from safetensors.torch import save as as_bytes

    folder = out / RUN / _name(state.progress.step)
    if not folder.is_dir():
        with committing_folder(folder) as part:
            write_bytes(part / PATHWAY, as_bytes(dict(pathway)))
            write_bytes(part / OPTIMIZER, as_bytes(_optimizer_tensors(optimizer)))
            if retention:
                write_bytes(part / RETENTION, as_bytes(dict(retention)))
            write_bytes(part / STATE, json_bytes(state))
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
        InputError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    steps = _steps(out)
    if not steps:
        return None
    folder = out / RUN / _name(max(steps))
    try:
        pathway, optimizer = load_file(folder / PATHWAY), load_file(folder / OPTIMIZER)
        retention = load_file(folder / RETENTION) if (folder / RETENTION).is_file() else {}
        return Saved(_read(folder / STATE, State), pathway, optimizer, retention)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder}: is damaged ({error}); remove it, and the run goes on from the state before it"
        ) from None


def teacher_until(out: Path, step: int, rank: int) -> dict[str, Tensor]:
    """What a rank's teacher had computed up to a step; what is of later steps is removed."""
    from safetensors.torch import load_file

    kept: dict[str, Tensor] = {}
    for file in sorted((out / RUN / TEACHER).glob(f"*-{rank}.safetensors"), key=_first_number):
        if _first_number(file) > step:
            file.unlink()
        else:
            kept |= load_file(file)
    return kept


def finish(out: Path) -> None:
    """Remove what only a run that goes on needs."""
    shutil.rmtree(out / RUN / TEACHER, ignore_errors=True)


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state that was saved."""
    found = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": found["param_groups"]})


class Log:
    """A file of JSON lines that grows as they come; a resumed run cuts it where its state was saved."""

    def __init__(self, path: Path, keep_bytes: int | None) -> None:
        with explaining(path):
            path.touch()
            self._file = path.open("r+b")
            self._file.truncate(keep_bytes or 0)
            self._file.seek(0, os.SEEK_END)

    @property
    def bytes(self) -> int:
        """How long the file is."""
        return self._file.tell()

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line, at once."""
        with explaining(self._file.name):
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{n}.{key}": t.cpu().contiguous() for n, one in state.items() for key, t in one.items()}


def _name(step: int) -> str:
    return f"step-{step}"


def _steps(out: Path) -> list[int]:
    names = [path.name.partition("-")[2] for path in (out / RUN).glob("step-*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isdigit())


def _first_number(file: Path) -> int:
    return int(file.name.partition("-")[0])


def _read(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not of this version ({error}); add --force to start over") from None


def differences(earlier: Any, now: Any, place: str = "") -> list[str]:
    """What differs between two identities, a line each."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        names = [*earlier, *(name for name in now if name not in earlier)]
        return [
            line
            for name in names
            for line in differences(earlier.get(name), now.get(name), f"{place}.{name}" if place else name)
        ]
    return [] if earlier == now else [f"{place}: {_short(earlier)} there, {_short(now)} here"]


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
