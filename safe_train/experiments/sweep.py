"""Sweep: which point of a grid meets the targets, and whether training is stable on all of them.

    FOLDER/sweep/   what `safe-train sweep` writes: a folder a trial, results.{json,md,tex,csv}, recipe.md

It is the plan's experiment 10. The rules are those of the grid (docs/sweeps.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work
from safe_train.settings.plan import PlanConfig
from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.result import SweepResult
from safe_train.sweeps.sweep import chosen_grid, run_sweep
from safe_train.sweeps.trial import FINISHED

OUT, RESULTS = "sweep", "results.json"


@dataclass(frozen=True)
class SweepSettings:
    """Which grid is run."""

    grid: str = "demo"
    """name of a grid that ships with SAFE, or a YAML file"""

    seeds: tuple[int, ...] = ()
    """seeds of each point (default: those of the grid)"""

    changes: tuple[str, ...] = ()
    """options of every point as NAME=VALUE, such as steps=200"""


def run(work: Work) -> Sequence[Finding]:
    """Run the grid on the plan's data and base.

    Raises:
        InputError: see `run_sweep`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    material = work.materials[work.plan.seeds[0]]
    result = run_sweep(
        SweepConfig(
            grid=work.settings.grid,
            out=work.folder / OUT,
            shards=material.shards,
            backbone=material.backbone,
            seeds=work.settings.seeds,
            changes=work.settings.changes,
            quiet=work.quiet,
            force=True,
        )
    )
    return [*_rules(result), _divergence(result)]


def _rules(result: SweepResult) -> list[Finding]:
    """What each rule of the grid found."""
    return [
        Finding(
            name=f"rule_{one.name}".replace(" ", "_"),
            bound=f"the rule {one.rule} names a point",
            decision=one.decision,
            evidence=" ".join(filter(None, (one.statement, one.needs))),
            judged_by=f"grid {result.grid}",
            file=f"{OUT}/{RESULTS}",
        )
        for one in result.rules
    ]


def _divergence(result: SweepResult) -> Finding:
    """Whether every point came to its end: a loss that is not finite or jumps ends one."""
    stopped = [f"{row.point}: {row.status}" for row in result.rows if row.status != FINISHED]
    decision = (NO_GO if stopped else GO) if result.rows else NOT_MEASURED
    return Finding(
        name="no_divergence",
        bound="every point ends with a score",
        decision=decision,
        evidence="; ".join(stopped) or f"{len(result.rows)} points, {len(result.seeds)} seeds each",
        judged_by=f"grid {result.grid}",
        file=f"{OUT}/{RESULTS}",
    )


def _needs(plan: PlanConfig) -> tuple[str, ...]:
    return (f"seed-{plan.seeds[0]}",)


def _estimate(_plan: PlanConfig, settings: SweepSettings) -> Estimate:
    grid = chosen_grid(SweepConfig(grid=settings.grid, seeds=settings.seeds, dry_run=True))
    points = 1
    for values in grid.vary.values():
        points *= len(values) if isinstance(values, tuple | list) else 1
    trials = (grid.trials or points) * len(grid.seeds)
    return Estimate(steps=trials * int(grid.options.get("steps") or 0), runs=trials)


EXPERIMENT = Experiment(
    number=10,
    name="sweep",
    title="Sweep of a grid",
    settings=SweepSettings,
    needs=_needs,
    run=run,
    estimate=_estimate,
)
