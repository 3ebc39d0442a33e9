"""Small runs of stage A, how to stop them, and what is left of them in their folders."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from safe_train.presets import preset_config
from safe_train.settings.train import TrainConfig
from safe_train.stages.loop import Loop

# Two epochs of 5 steps, two buckets of length, several passes per step, dropout.
SMALL = {
    "steps": 8,
    "batch_size": 20,
    "rows_per_forward": 8,
    "bottleneck": 32,
    "dropout": 0.2,
    "warm_up_steps": 2,
    "checkpoint_steps": 3,
    "eval_steps": 4,
    "validation_questions": 6,
    "tracker": ("none",),
    "quiet": True,
}


class Killed(BaseException):
    """Stands for kill −9: no state is saved."""


def small_run(out: Path, shards: Sequence[Path], backbone: Path, **changes: Any) -> TrainConfig:
    """The settings of a run that takes half a second."""
    return preset_config("demo", shards=tuple(shards), backbone=backbone, out=out, **(SMALL | changes))


def killing(monkeypatch: pytest.MonkeyPatch, method: str, step: int, stop: Callable[[], None]) -> None:
    """Have a run stopped where its loop has called a method in this step, such as `_show`."""
    real = getattr(Loop, method)

    def stopped(loop: Loop, *args: Any) -> Any:
        now = loop.progress.step
        result = real(loop, *args)
        if now == step:
            stop()
        return result

    monkeypatch.setattr(Loop, method, stopped)


def kill() -> None:
    raise Killed


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


def files_of(out: Path) -> dict[str, bytes]:
    """All files of a run, except the settings, which name its folder, and the curves."""
    return {
        name: file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and (name := file.relative_to(out).as_posix()) != "options.yaml"
        if "tensorboard" not in file.parts
    }


def differing(one: Path, other: Path) -> list[str]:
    """The files of two runs that differ, or that only one has."""
    first, second = files_of(one), files_of(other)
    return [name for name in sorted(first | second) if first.get(name) != second.get(name)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


@contextmanager
def ordered_curves() -> Iterator[None]:
    """Have TensorBoard read a second's files in the order they were made: it sorts 10 before 9."""
    from tensorboard.summary.writer import event_file_writer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(1000))
        yield
