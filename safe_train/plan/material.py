"""Material: what all experiments of a plan share: its data, its base, and stage A with each seed.

    seed-N/world, shards, backbone    a synthetic world and the toy that is taught to see it
    stage-a-N/adapter                 the pathway, trained with seed N
    stage-a-N/predictions.jsonl       what it and the base answer under the plan's conditions
    stage-a-N/scores.json             how well

The material of a plan is one: its seeds are those of trainings, so that all answer the same questions.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safe_data.shards.layout import read_dataset
from safe_eval.models.files import base_files
from safe_eval.options import Sampling
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import ADAPTER, BATCH_SIZE, PREDICTIONS, Estimate, Material
from safe_train.experiments.plan_questions import NO_QUESTIONS, NOT_THERE, questions_of, steps_of_training
from safe_train.experiments.training import answer_test_split, planned_training, training_of
from safe_train.run_identity import identity_options
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import PredictConfig


def material_of(plan: PlanConfig, folder: Path) -> Material:
    """Where the data and the base are."""
    if plan.world is None:
        return Material(plan.seeds[0], plan.shards, str(plan.backbone))
    return Material(plan.seeds[0], (folder / "shards",), str(folder / "backbone"))


def material_inputs(plan: PlanConfig, *, is_dry: bool = False) -> dict[str, Any]:
    """What the material depends on: what the world and its toy are made from, or what is given.

    A dry run takes names for what is not there yet, so its keys are not those of the run.

    Raises:
        InputError: a dataset or the base cannot be read.
    """
    if is_dry and plan.world is None:
        return {"datasets": [str(one) for one in plan.shards], "base": plan.backbone}
    if plan.world is not None:
        from safe_train.toy.recipe import recipe_for

        made_from = {"world": plan.world, "clips": plan.clips, "seed": plan.seeds[0]}
        return {**made_from, "recipe": asdict(recipe_for(plan.world))}
    from safe_train.base.backbone import backbone_folder

    datasets = [read_dataset(folder) for folder in plan.shards]
    return {
        "datasets": {one.name: one.fingerprint for one in datasets},
        "base": dict(base_files(backbone_folder(str(plan.backbone)), quiet=True)),
    }


def make_material(plan: PlanConfig, folder: Path) -> tuple[str, ...]:
    """Make the world, its shards and its toy, unless they are given; return the files that tell of them."""
    if plan.world is None:
        return ()
    from safe_train.demo import build_world
    from safe_train.toy.backbone import pretrain
    from safe_train.toy.recipe import recipe_for

    build_world(folder, seed=plan.seeds[0], clips=plan.clips, world=plan.world)
    pretrain(folder / "backbone", seed=plan.seeds[0], recipe=recipe_for(plan.world))
    weights = sorted((folder / "backbone").glob("*.safetensors"))
    return ("shards/dataset.json", "shards/manifest.parquet", *(f"backbone/{one.name}" for one in weights))


def training_inputs(plan: PlanConfig, seed: int) -> dict[str, Any]:
    """What stage A and its answers depend on, beside the material.

    Raises:
        InputError: there is no such preset or option, or a value is refused.
    """
    options = identity_options(planned_training(plan, seed=seed))
    options["data"]["weights"] = list(
        options["data"]["weights"].items()
    )  # questions are numbered in this order
    return {"stage_a": options, "conditions": list(plan.conditions)}


def train_and_answer(
    plan: PlanConfig, seed: int, folder: Path, material: Material, *, quiet: bool
) -> tuple[str, ...]:
    """Train stage A, have it answer the test split, and score it; return the files that tell of it.

    Raises:
        InputError: see `stage_a` and `answer_test_split`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    from safe_train.stages.stage_a import stage_a

    stage_a(training_of(plan, material, folder / ADAPTER, seed=seed, quiet=quiet))
    config = PredictConfig(conditions=plan.conditions, seed=seed, batch_size=BATCH_SIZE, quiet=quiet)
    answer_test_split(folder / ADAPTER, material, folder / PREDICTIONS, config)
    score_files([folder / PREDICTIONS], Sampling(seed=seed), out=folder, force=True)
    return (f"{ADAPTER}/adapter.safetensors", f"{ADAPTER}/losses.jsonl", PREDICTIONS, "scores.json")


def training_estimate(plan: PlanConfig, seed: int) -> Estimate:
    """The steps of stage A, and the questions that it and its base are asked."""
    config = planned_training(plan, seed=seed)
    steps, asked = steps_of_training(plan, config), questions_of(plan, "test")
    return Estimate(
        steps=steps or 0,
        answers=(1 + len(plan.conditions)) * (asked or NO_QUESTIONS).all,
        unknown=NOT_THERE if steps is None or asked is None else "",
    )
