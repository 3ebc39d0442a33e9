"""Sweep: run the points of a grid on several seeds, measure each, and choose by the grid's rules.

    OUT/POINT/seed-N/      a trial, a normal run folder (safe_train/sweeps/trial.py)
    OUT/study.db           Optuna's record of the points and their values
    OUT/world, shards, bases/seed-N     of a grid with a `world`: made once, and shared by all trials
    OUT/results.{json,md,tex,csv}, wrong.csv, recipe.md

Every part is used again if it is there, so that a sweep that was stopped goes on.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, require_extra
from safe_data.core.files import json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.only_writer import only_writer
from safe_data.core.options_file import TRAIN, installed_versions, write_options
from safe_data.core.progress import Progress
from safe_data.encoders.inference import one_thread
from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.candidate import Candidate
from safe_train.sweeps.engines import run_tasks
from safe_train.sweeps.grid import Grid, read_grid, set_options
from safe_train.sweeps.measured import Measured, measure
from safe_train.sweeps.point import Point, check_only
from safe_train.sweeps.pruning import Curve
from safe_train.sweeps.recipe import recipe
from safe_train.sweeps.result import SweepResult, row_of
from safe_train.sweeps.result_text import csv, latex, markdown, wrong_csv
from safe_train.sweeps.rules import decision_of, judge
from safe_train.sweeps.search import Outcome, planned, search
from safe_train.sweeps.trial import Task, Trial, read_trial

RESULTS = ("results.json", "results.md", "results.tex", "results.csv", "wrong.csv", "recipe.md")
SEED = "{seed}"


@interrupted_by_sigterm()
def run_sweep(config: SweepConfig) -> SweepResult:
    """Run a sweep, and write its results to `config.out`.

    Raises:
        InputError: the grid is none, its options do not fit the base or the shards, or OUT holds trials of
            another grid.
        KeyboardInterrupt: it was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    require_extra("a sweep", "sweep", "optuna")
    if config.out is None:
        raise InputError("a sweep needs a folder: set out")
    grid = chosen_grid(config)
    _check_names(grid, config)
    out = config.out
    out.mkdir(parents=True, exist_ok=True)
    with only_writer(out / "results.json"):
        for name in RESULTS:  # a sweep that is stopped must not leave the results of an earlier one
            (out / name).unlink(missing_ok=True)
        write_options(out, "safe-train sweep", asdict(config), (*TRAIN, "optuna"))
        shards, backbone = _prepared(grid, config)
        total = len(planned(grid)) or grid.trials or 0
        measured: dict[str, Measured] = {}  # of the points that were run, so that none is scored twice
        work = Progress("sweep", total * len(grid.seeds), unit="trial", quiet=config.quiet)

        def advance() -> None:
            work.update(1)

        def run(points: Sequence[Point], earlier: Sequence[Curve]) -> list[Outcome]:
            tasks = [_tasks(grid, config, point, shards, backbone, earlier) for point in points]
            found = run_tasks(tasks, config, advance)
            measured.update({point.name: _measured(grid, config, point) for point in points})
            return [
                _outcome(grid, measured[point.name], trials)
                for point, trials in zip(points, found, strict=True)
            ]

        with work:
            points = search(grid, out, run, only=config.only, force=config.force)
        listed = planned(grid) or points
        found = [measured.get(one.name) or _measured(grid, config, one) for one in listed]
        return _written(grid, config, listed, found, shards, backbone)


def chosen_grid(config: SweepConfig) -> Grid:
    """The grid of a sweep, with what the command line sets in place of it.

    Raises:
        InputError: the grid is none, or there is nothing to train on.
    """
    grid = read_grid(config.grid)
    changes: dict[str, object] = {}
    if config.seeds:
        changes["seeds"] = config.seeds
    if config.presets:
        changes["presets"] = config.presets
    if config.changes:
        changes["options"] = grid.options | set_options(config.changes)
    if config.shards or config.backbone:
        given = {"shards": tuple(map(str, config.shards)) or grid.shards}
        changes |= given | {"backbone": config.backbone or grid.backbone, "world": None}
    if config.world is not None:
        changes |= {"world": config.world, "shards": (), "backbone": None}
    grid = grid.model_copy(update=changes)
    if not config.dry_run and grid.world is None and not (grid.shards and grid.backbone):
        raise InputError(
            f"{config.grid}: says nothing to train on; add --shards and --backbone, or --world hard with "
            "--preset demo"
        )
    return grid


def _check_names(grid: Grid, config: SweepConfig) -> None:
    """Refuse names of points that the grid does not have, before anything is made."""
    points = planned(grid)
    if config.only and not points:
        raise InputError("--only names points, and those of tpe are not known before they are drawn")
    check_only(config.only, points)
    for point in points:
        point.config(shards=(Path("shards"),), backbone="backbone", out=Path("out"), seed=0)


def _prepared(grid: Grid, config: SweepConfig) -> tuple[tuple[Path, ...], str]:
    """The shards, and the backbone, in whose name {seed} stands for the seed; made if the grid has a world.

    All seeds share one world, so that they are asked the same questions.
    """
    if grid.world is None:
        return tuple(map(Path, grid.shards)), grid.backbone or ""
    from safe_train.demo import build_world
    from safe_train.toy.backbone import pretrain
    from safe_train.toy.recipe import recipe_for

    out = config.out or Path()
    toy = replace(recipe_for(grid.world), **grid.toy)  # type: ignore[arg-type]
    with one_thread():
        shards = build_world(out, seed=grid.world_seed, clips=grid.clips, world=grid.world)
        for seed in grid.seeds:
            pretrain(out / "bases" / f"seed-{seed}", seed=seed, recipe=toy)
    return (shards,), str(out / "bases" / f"seed-{SEED}")


def _tasks(
    grid: Grid,
    config: SweepConfig,
    point: Point,
    shards: tuple[Path, ...],
    backbone: str,
    earlier: Sequence[Curve],
) -> list[Task]:
    """A task for each seed of a point; only the first seed is compared with the points before."""
    return [
        Task(
            grid=grid,
            point=point,
            seed=seed,
            folder=folder_of(config, point, seed),
            shards=shards,
            backbone=backbone.replace(SEED, str(seed)),
            earlier=tuple(earlier) if number == 0 else (),
            quiet=True,
            force=config.force,
        )
        for number, seed in enumerate(grid.seeds)
    ]


def folder_of(config: SweepConfig, point: Point, seed: int) -> Path:
    """The run folder of a trial."""
    return (config.out or Path()) / point.name / f"seed-{seed}"


def _measured(grid: Grid, config: SweepConfig, point: Point) -> Measured:
    """A point by the trials that its folders hold."""
    found = [
        (read_trial(folder), folder) for folder in (folder_of(config, point, seed) for seed in grid.seeds)
    ]
    done = [(trial, folder) for trial, folder in found if trial is not None]
    return measure(grid, point.name, done, len(grid.seeds))


def _outcome(grid: Grid, measured: Measured, trials: Sequence[Trial]) -> Outcome:
    """What the search learns of a point."""
    metrics = measured.candidate.metrics
    value, drift = metrics.get(grid.objective.metric), metrics.get("vl_drift")
    return Outcome(
        None if value is None else value.value,
        None if drift is None else drift.value,
        trials[0].curve if trials else {},
    )


def _written(
    grid: Grid,
    config: SweepConfig,
    listed: Sequence[Point],
    found: Sequence[Measured],
    shards: Sequence[Path],
    backbone: str,
) -> SweepResult:
    """Judge all points by the rules, and write the results."""
    out = config.out or Path()
    candidates: list[Candidate] = [one.candidate for one in found]
    ruled = tuple(judge(rule, candidates, grid.confidence) for rule in grid.rules)
    result = SweepResult(
        grid=Path(config.grid).stem,
        about=grid.about,
        decision=decision_of(ruled),
        winner=next((one.winner for one in ruled if one.winner), None),
        rows=tuple(row_of(point, one, grid) for point, one in zip(listed, found, strict=True)),
        rules=ruled,
        wrong_always=_wrong_always(found),
        seeds=grid.seeds,
        split=grid.split,
        confidence=grid.confidence,
        versions=installed_versions((*TRAIN, "optuna")),
    )
    contents = {
        "results.md": markdown(result),
        "results.tex": latex(result),
        "results.csv": csv(result),
        "wrong.csv": wrong_csv(found),
        "recipe.md": recipe(result, grid, listed, shards, backbone),
    }
    for name, text in contents.items():
        write_bytes(out / name, text.encode())
    result = msgspec.structs.replace(result, files=tuple(out / name for name in RESULTS))
    write_bytes(out / "results.json", json_bytes(msgspec.structs.replace(result, files=())))
    return result


def _wrong_always(found: Sequence[Measured]) -> dict[str, int]:
    """How many questions every point that was measured got wrong on every seed."""
    counts: dict[str, int] = {}
    measured = [one for one in found if one.candidate.missing is None and one.trials]
    for kind in ("audio", "vl") if measured else ():
        ids = [{wrong.example_id for wrong in one.wrong if wrong.kind == kind} for one in measured]
        counts[kind] = len(ids[0].intersection(*ids[1:]))
    return counts
