"""Logs: the names of a run's logs, and what is read from them when it is complete."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from safe_data.core.errors import InputError
from safe_train.run_identity import START_OVER

LOSSES, EVALUATIONS, EPOCHS = "losses.jsonl", "evaluations.jsonl", "epochs.jsonl"


class StepLoss(NamedTuple):
    """The losses of one step, in nats per token; None for one that no question of the batch has."""

    step: int
    loss: float
    cross_entropy: float | None = None
    distillation: float | None = None


def read_evaluations(path: Path) -> list[dict[str, float]]:
    """The evaluations of a run, each with the number of steps before it.

    Raises:
        InputError: the file is not one that a run wrote.
    """
    try:
        return [msgspec.json.decode(line, type=dict[str, float]) for line in path.read_bytes().splitlines()]
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: is not the evaluations of a run ({error}); {START_OVER}") from None


def last_evaluation(path: Path) -> dict[str, float]:
    """The last evaluation of a run, without its step; empty if nothing was logged.

    Raises:
        InputError: the file is not one that a run wrote.
    """
    last = (read_evaluations(path) or [{}])[-1]
    return {name: value for name, value in last.items() if name != "step"}


def read_losses(path: Path) -> list[StepLoss]:
    """The losses of a run's steps.

    Raises:
        InputError: the file is not one that a run wrote.
    """
    try:
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        parts = ("cross_entropy", "distillation")
        return [StepLoss(line["step"], line["loss"], *map(line.get, parts)) for line in lines]
    except (OSError, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not the losses of a run ({error}); {START_OVER}") from None
