"""Dry run: the points of a sweep in their order, their steps, and what a model of that size would train."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safe_data.core.table import Table, Value
from safe_train.settings.train import TrainConfig
from safe_train.sweeps.held import held_by_trainings
from safe_train.sweeps.point import Point


class Planned(NamedTuple):
    """A point that would be run. Memory is in bytes, at the peak of a training pass."""

    point: str
    changes: dict[str, Any]
    seeds: tuple[int, ...]
    steps: int | None  # None where they follow from the data
    epochs: float | None
    trainable: int | None = None
    memory: int | None = None
    note: str | None = None


def plan_points(points: Sequence[Point], seeds: Sequence[int], audit: str | None) -> list[Planned]:
    """What would be run, with the counts and the memory of `audit`, a model's config, if it is given.

    Raises:
        InputError: options of a point do not go together, or do not fit the model.
    """
    configs = [config_of(point) for point in points]
    audited = [None] * len(points) if audit is None else held_by_trainings(configs, audit)
    found = []
    for point, config, held in zip(points, configs, audited, strict=True):
        planned = Planned(
            point.name,
            point.varied,
            tuple(seeds),
            config.optim.steps,
            None if config.optim.steps is not None else config.optim.epochs or 1.0,
        )
        if held is not None:
            planned = planned._replace(trainable=held.trainable, memory=held.memory, note=held.note)
        found.append(planned)
    return found


def config_of(point: Point) -> TrainConfig:
    """The settings of a point, for shards and a backbone that need not exist."""
    return point.config(shards=(Path("shards"),), backbone="backbone", out=Path("out"), seed=0)


def table_of(grid_name: str, planned: Sequence[Planned]) -> Table:
    """The points in the order they would be run."""
    columns = ["point", "changes", "seeds", "steps"]
    is_audited = any(one.trainable is not None for one in planned)
    rows: list[list[Value]] = []
    for one in planned:
        changes = ", ".join(f"{name} {_written(value)}" for name, value in one.changes.items())
        steps = f"{one.steps:,}" if one.steps is not None else f"{one.epochs:g} epochs"
        row: list[Value] = [one.point, changes, ", ".join(map(str, one.seeds)), steps]
        if is_audited:
            gigabytes = None if one.memory is None else f"{one.memory / 1e9:.1f}"
            row += [None if one.trainable is None else f"{one.trainable:,}", gigabytes, one.note]
        rows.append(row)
    columns += ["trained", "GB", "note"] if is_audited else []
    return Table(f"{grid_name}: {len(planned)} points", tuple(columns), rows)


def total_line(planned: Sequence[Planned], drawn: int | None) -> str:
    """How much would be run in all.

    >>> total_line([Planned("k4", {}, (0, 1), 200, None), Planned("k8", {}, (0, 1), 200, None)], None)
    '4 trials, 800 steps in all'
    """
    if drawn is not None:
        return f"{drawn} points will be drawn, each by what the points before it gave"
    trials = sum(len(one.seeds) for one in planned)
    known = [one.steps * len(one.seeds) for one in planned if one.steps is not None]
    epochs = sum((one.epochs or 0) * len(one.seeds) for one in planned if one.steps is None)
    parts = [f"{sum(known):,} steps" if sum(known) else "", f"{epochs:g} epochs" if epochs else ""]
    return f"{trials} trials, {' and '.join(filter(None, parts))} in all"


def _written(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "+".join(map(str, value))
    return "null" if value is None else str(value)
