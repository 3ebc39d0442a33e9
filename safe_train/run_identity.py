"""Run identity: what a run depends on, and the folder that it claims.

    OUT/run/identity.json    what the run depends on; another is refused

What a run depends on is compared as it was written, with the order of datasets and weights: questions are
numbered in it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.files import PART, explaining, write_json
from safe_data.core.only_writer import LOCK
from safe_data.sampling.curriculum_file import read_stages
from safe_train.base.adapted_files import remove_adapted
from safe_train.checkpoint import CONFIG, WEIGHTS
from safe_train.settings.train import TrainConfig

RUN, IDENTITY = "run", "identity.json"
START_OVER = "restore it, or add --force to start over"
# Settings that may differ between the parts of a run, because nothing that is learnt depends on them.
_FREE = {
    "run": ("out", "drift_warning", "checkpoint_steps", "trackers", "quiet", "force"),
    "data": ("shards", "workers", "encoder_source"),
    "backbone": ("source",),
}


class Identity(msgspec.Struct, frozen=True):
    """The content of identity.json: everything that a run's result depends on.

    `draw_order` is the version of the order in which questions are drawn (safe_data/sampling/mixture.py).
    """

    options: dict[str, Any]
    datasets: dict[str, str]
    encoders: dict[str, str]
    base: dict[str, str]
    processes: int
    versions: dict[str, str]
    draw_order: int = 1  # that of runs before it was written


def identity_options(config: TrainConfig) -> dict[str, Any]:
    """The settings that a run's result depends on."""
    options: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    if config.data.curriculum:  # what the file says, wherever it lies
        stages = read_stages(config.data.curriculum)
        options["data"]["curriculum"] = [stage.model_dump(mode="json") for stage in stages]
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
        probe = out / f".writable{PART}"
        probe.write_bytes(b"")
        probe.unlink()
    if not force and not (out / RUN / IDENTITY).is_file() and _holds_something(out):
        raise InputError(f"{out}: holds something else than a run; choose another folder, or add --force")


def check_complete(out: Path, logs: Sequence[str]) -> None:
    """Check that a complete run still has its files: its command, typed again, makes none of them.

    Raises:
        InputError: one is missing.
    """
    for name in (WEIGHTS, *logs):
        if not (out / name).is_file():
            raise InputError(f"{out / name}: is missing, and the run is complete; {START_OVER}")


def begin(out: Path, identity: Identity, *, force: bool) -> None:
    """Claim a folder for a run, or find that it already holds this one.

    Raises:
        InputError: it holds another run.
    """
    file = out / RUN / IDENTITY
    if force:
        for name in (CONFIG, WEIGHTS):  # a run that is complete would not begin again
            (out / name).unlink(missing_ok=True)
        remove_adapted(out)
        shutil.rmtree(out / RUN, ignore_errors=True)
    if file.is_file():
        now = msgspec.json.decode(msgspec.json.encode(identity))  # as it was written: tuples are lists
        if lines := differences(_earlier(file), now):
            shown = [f"  {line}" for line in lines]
            fix = "choose another folder, or add --force to start over"
            raise InputError(f"{out}: holds another run; this one differs:", *shown, fix)
    else:
        write_json(file, identity)
    _remove_parts(out)


def _earlier(file: Path) -> Any:
    try:
        return msgspec.to_builtins(msgspec.json.decode(file.read_bytes(), type=Identity))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is not of this version ({error}); add --force to start over") from None


def _holds_something(out: Path) -> bool:
    """Whether a folder holds a file that is not the rest of a run killed before its first step."""
    return any(not path.is_dir() and not path.name.endswith((PART, LOCK)) for path in out.rglob("*"))


def _remove_parts(out: Path) -> None:
    """Remove what killed processes were writing."""
    for path in [*out.glob(f".*{PART}"), *(out / RUN).rglob(f"*{PART}")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
