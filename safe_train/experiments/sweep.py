"""Sweep: which points of grids meet the targets, and whether training is stable on all of them.

    FOLDER/GRID/   what `safe-train sweep` writes: a folder a trial, results.{json,md,tex,csv}, recipe.md

It is the plan's experiment 10. The rules are those of the grid (docs/sweeps.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError
from safe_train.experiments.experiment import (
    Estimate,
    Experiment,
    Finding,
    Training,
    Work,
    decided,
    material_step,
)
from safe_train.experiments.plan_questions import NOT_THERE, by_dataset, steps_of_training
from safe_train.settings.plan import PlanConfig
from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.dry_run import config_of
from safe_train.sweeps.point import Point
from safe_train.sweeps.result import SweepResult
from safe_train.sweeps.search import planned
from safe_train.sweeps.sweep import chosen_grid, run_sweep
from safe_train.sweeps.trial import FINISHED

RESULTS = "results.json"
ARMS = 3  # of a trial: the base, and SAFE beside its own sound and an irrelevant one


@dataclass(frozen=True)
class SweepSettings:
    """Which grids are run.

    Raises:
        InputError: no grid is named, or one twice.
    """

    grids: tuple[str, ...] = ("demo",)
    """names of grids that ship with SAFE, or YAML files"""

    seeds: tuple[int, ...] = ()
    """seeds of each point (default: those of the grid)"""

    changes: tuple[str, ...] = ()
    """options of every point as NAME=VALUE, such as steps=200"""

    def __post_init__(self) -> None:
        names = [Path(one).stem for one in self.grids]
        if not names or len(set(names)) < len(names):
            raise InputError(f"grids={names}: name at least one grid, and each once")


def run(work: Work) -> Sequence[Finding]:
    """Run the grids on the plan's data and base.

    Raises:
        InputError: see `run_sweep`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    return [finding for grid in work.settings.grids for finding in _of_grid(work, grid)]


def _of_grid(work: Work, grid: str) -> list[Finding]:
    material = work.material
    folder = Path(grid).stem
    result = run_sweep(
        SweepConfig(
            grid=grid,
            out=work.folder / folder,
            shards=material.shards,
            backbone=material.backbone,
            seeds=work.settings.seeds,
            changes=work.settings.changes,
            quiet=work.quiet,
            force=True,
        )
    )
    file = f"{folder}/{RESULTS}"
    return [*_rules(result, folder, file), _divergence(result, folder, file)]


def _rules(result: SweepResult, grid: str, file: str) -> list[Finding]:
    """What each rule of the grid found."""
    return [
        Finding(
            name=f"{grid}_{one.name}".replace(" ", "_"),
            bound=f"the rule {one.rule} names a point",
            decision=one.decision,
            evidence=one.statement,  # it says what would tell
            judged_by=f"grid {grid}",
            file=file,
        )
        for one in result.rules
    ]


def _divergence(result: SweepResult, grid: str, file: str) -> Finding:
    """Whether every point came to its end: a loss that is not finite or jumps ends one."""
    stopped = [f"{row.point}: {row.status}" for row in result.rows if row.status != FINISHED]
    return Finding(
        name=f"no_divergence_{grid}",
        bound="every point ends with a score",
        decision=decided(not stopped if result.rows else None),
        evidence="; ".join(stopped) or f"{len(result.rows)} points, {len(result.seeds)} seeds each",
        judged_by=f"grid {grid}",
        file=file,
    )


def _estimate(plan: PlanConfig, settings: SweepSettings) -> Estimate:
    trainings: list[Training] = []
    answers = alone = 0
    is_known = True
    for name in settings.grids:
        grid = chosen_grid(
            SweepConfig(grid=name, seeds=settings.seeds, changes=settings.changes, dry_run=True)
        )
        made = [_training(plan, name, point, len(grid.seeds)) for point in planned(grid)]
        if not made:  # points that are drawn one after another train as long as the first could
            drawn = Point("drawn", grid.presets, dict(grid.options))
            made = [_training(plan, name, drawn, len(grid.seeds) * (grid.trials or 0))]
        trials = sum(one.runs for one in made)
        found = by_dataset(plan, grid.split)
        asked = next(iter(found.values())).all if found else 0  # a trial is asked those of the first dataset
        trainings += made
        answers += trials * asked * ARMS
        alone += trials * 2 * (grid.latency_questions + 1 if grid.latency_questions else 0)
        is_known &= found is not None and all(one.steps is not None for one in made)
    unknown = "" if is_known else NOT_THERE
    return Estimate(trainings=tuple(trainings), answers=answers, alone=alone, unknown=unknown)


def _training(plan: PlanConfig, grid: str, point: Point, runs: int) -> Training:
    config = config_of(point)
    steps = steps_of_training(plan, config)
    return Training(name=f"{Path(grid).stem} {point.name}", config=config, steps=steps, runs=runs)


EXPERIMENT = Experiment(
    number=10,
    name="sweep",
    title="Sweep of a grid",
    settings=SweepSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
