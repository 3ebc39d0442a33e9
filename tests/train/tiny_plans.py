"""A small plan on shards and an untaught backbone, and what an experiment of it is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiny_runs import SMALL

from safe_train.experiments.experiment import Experiment, Finding, Material, Work
from safe_train.experiments.training import training_of
from safe_train.predict.predict import predict_dataset
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import PredictConfig
from safe_train.stages.stage_a import stage_a


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
    return Work(plan, chosen, folder, earlier or {}, material, quiet=True)


def train_seeds(work: Work, conditions: tuple[str, ...]) -> None:
    """Train stage A with each seed of a plan, and have it answer, as the plan does before its experiments."""
    for seed in work.plan.seeds:
        adapter = work.adapter(seed)
        stage_a(training_of(work.plan, work.material, adapter, seed=seed, quiet=True))
        config = PredictConfig(conditions=conditions, seed=seed, quiet=True)
        (shards,), backbone = work.material.shards, work.material.backbone
        predict_dataset(adapter, shards, backbone=backbone, out=work.answers(seed), config=config)


def by_name(findings: Any) -> dict[str, Finding]:
    """Findings by their names, each of which occurs once."""
    found = {one.name: one for one in findings}
    assert len(found) == len(list(findings))
    return found
