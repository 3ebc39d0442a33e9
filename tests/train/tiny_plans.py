"""A small plan on shards and an untaught backbone, and what an experiment of it is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiny_runs import SMALL

from safe_train.experiments.experiment import Experiment, Finding, Material, Work
from safe_train.settings.plan import PlanConfig


def small_work(
    experiment: Experiment,
    folder: Path,
    shards: Path,
    backbone: Path,
    *,
    earlier: Mapping[str, Path] | None = None,
    seeds: tuple[int, ...] = (0,),
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Work:
    """What an experiment is given, with runs that take half a second."""
    own = {name: value for name, value in SMALL.items() if name != "quiet"}
    plan = PlanConfig(
        shards=(shards,), backbone=str(backbone), seeds=seeds, options=own | dict(options or {})
    )
    folder.mkdir(parents=True, exist_ok=True)
    material = Material(seeds[0], (shards,), str(backbone))
    chosen = experiment.settings(**settings)
    return Work(plan, chosen, folder, earlier or {}, dict.fromkeys(seeds, material), quiet=True)


def by_name(findings: Any) -> dict[str, Finding]:
    """Findings by their names, each of which occurs once."""
    found = {one.name: one for one in findings}
    assert len(found) == len(list(findings))
    return found
