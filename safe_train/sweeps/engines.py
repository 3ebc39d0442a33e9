"""Engines: run tasks one after another, or several at a time by Ray Tune on one machine or many.

The objective is the same function, so the trials are the same, and they come back in the order of the tasks.
On a cluster, every node must reach the folders of the shards, the backbone and the results.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, require_extra
from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.trial import FINISHED, Task, Trial, read_trial, run_trial

Advance = Callable[[], None]


def run_tasks(tasks: Sequence[Sequence[Task]], config: SweepConfig, advance: Advance) -> list[list[Trial]]:
    """Run the tasks of each point; the trials of each, without those after one that was stopped.

    Raises:
        InputError: a task cannot be run, or Ray cannot be reached.
    """
    if config.engine == "ray":
        _run_by_ray([task for point in tasks for task in point], config, advance)
        advance = _silent
    return [_run_point(point, advance) for point in tasks]


def _run_point(tasks: Sequence[Task], advance: Advance) -> list[Trial]:
    trials = []
    for task in tasks:
        trial = run_trial(task)
        trials.append(trial)
        advance()
        if trial.status != FINISHED:  # its other seeds would not make it a candidate
            break
    return trials


def _silent() -> None:
    """What Ray's trials said already is not said again."""


def _run_by_ray(tasks: Sequence[Task], config: SweepConfig, advance: Advance) -> None:
    """Have Ray Tune run the tasks, so that each folder holds its trial.

    Raises:
        InputError: one of them cannot be run.
    """
    ray, tune = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        here: dict[str, Any] = (
            {"num_cpus": config.workers, "include_dashboard": False} if config.address is None else {}
        )
        try:
            ray.init(config.address or "local", log_to_driver=False, logging_level="ERROR", **here)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            place = config.address or "this machine"
            raise InputError(f"Ray at {place} cannot be reached ({reason})") from error
    try:
        gpu = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_objective, tasks=list(tasks)), {"cpu": 1, "gpu": gpu}),
            param_space={"number": tune.grid_search(list(range(len(tasks))))},
            tune_config=tune.TuneConfig(max_concurrent_trials=config.workers),
            run_config=tune.RunConfig(
                storage_path=str(_storage(config).resolve()), name="tune", verbose=0, log_to_file=False
            ),
        )
        grid = tuner.fit()
        ended = [grid[place] for place in range(len(grid))]
        found = {one.metrics["number"]: one.metrics for one in ended if one.error is None and one.metrics}
        for number, task in enumerate(tasks):
            metrics = found.get(number)
            if metrics is None:
                raise RuntimeError(
                    f"Ray lost {task.point.name}, seed {task.seed}; run the same command again"
                )
            if metrics["fault"]:
                raise InputError(*metrics["fault"])
            trial = read_trial(task.folder)
            if trial is not None:
                advance()
    finally:
        if ours:
            ray.shutdown()


def _import_ray() -> tuple[Any, Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    require_extra("the ray engine", "sweep,ray", "ray")
    import ray
    from ray import tune

    return ray, tune


def _objective(config: dict[str, Any], tasks: Sequence[Task]) -> dict[str, Any]:
    """The body of a trial of Ray Tune: its number, and what is wrong if it cannot be run."""
    number = int(config["number"])
    try:
        trial = run_trial(tasks[number])
    except InputError as error:
        return {"number": number, "fault": error.lines, "status": "refused"}
    return {"number": number, "fault": [], "status": trial.status}


def _storage(config: SweepConfig) -> Path:
    """The folder of Ray Tune's own records."""
    return (config.out or Path()) / "ray"
