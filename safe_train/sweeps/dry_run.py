"""Dry run: the points of a sweep in their order, their steps, and what a model of that size would train."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safe_data.core.table import Table, Value
from safe_train.settings.audit import AuditConfig, AuditedData, AuditedRun, BudgetConfig
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.train import TrainConfig
from safe_train.sweeps.point import Point

# The shapes of an embedding of encoders, for an audit without shards.
_SHAPES = {"clap": "512", "logmel": "512", "whisper": "1500x768"}


class Planned(NamedTuple):
    """A point that would be run. Memory is in bytes, of a pass without activation checkpointing."""

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
    audited: dict[str, tuple[int, int, str | None]] = {}
    found = []
    for point in points:
        config = config_of(point)
        planned = Planned(
            point.name,
            point.varied,
            tuple(seeds),
            config.optim.steps,
            None if config.optim.steps is not None else config.optim.epochs or 1.0,
        )
        if audit is not None:
            wanted = audit_config(config, audit)
            key = repr(
                (wanted.pathway, wanted.optim, wanted.adaptation, wanted.audit, wanted.loss, wanted.data)
            )
            if key not in audited:
                audited[key] = _audited(wanted)
            trainable, memory, note = audited[key]
            planned = planned._replace(trainable=trainable, memory=memory, note=note)
        found.append(planned)
    return found


def config_of(point: Point) -> TrainConfig:
    """The settings of a point, for shards and a backbone that need not exist."""
    return point.config(shards=(Path("shards"),), backbone="backbone", out=Path("out"), seed=0)


def audit_config(config: TrainConfig, model: str) -> AuditConfig:
    """What is audited of a planned run: a model by its config alone, with embeddings as its encoders give."""
    shapes = tuple(_SHAPES.get(name, "512") for name in config.data.encoder)
    data = {name: getattr(config.data, name) for name in ("encoder", "weights", "silent_fraction")}
    return AuditConfig(
        backbone=BackboneConfig(model),
        data=AuditedData(**data),
        run=AuditedRun(),
        loading=config.loading,
        asking=config.asking,
        pathway=config.pathway,
        loss=config.loss,
        optim=config.optim,
        adaptation=config.adaptation,
        audit=BudgetConfig(embedding=shapes),
    )


def _audited(config: AuditConfig) -> tuple[int, int, str | None]:
    from safe_train.audit.audit import run_audit

    found = run_audit(config)
    is_frozen = config.adaptation.base == "frozen"
    return found.trainable, found.memory[0].total, None if is_frozen else "the base's own weights not counted"


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
