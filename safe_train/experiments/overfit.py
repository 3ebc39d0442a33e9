"""Overfit: whether the pathway can learn a few questions by heart, which one that cannot learn at all fails.

    FOLDER/adapter/            stage A on so many questions of the train split alone
    FOLDER/predictions.jsonl   what the base and SAFE say to these questions
    FOLDER/scores.json, verdict.json

It is the plan's experiment 3. The criteria are those of overfit.yaml; a loss near 0 and a falling curve are
this experiment's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from safe_data.core.errors import check_above_zero, check_at_least_one
from safe_data.shards.dataset import ShardDataset
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.runner.plan import Choose
from safe_eval.scoring.score import score_files
from safe_train.corpora import Corpora
from safe_train.experiments.experiment import (
    ADAPTER,
    PREDICTIONS,
    Estimate,
    Experiment,
    Finding,
    Training,
    Work,
    by_criteria,
    material_step,
)
from safe_train.experiments.plan_questions import questions_of, steps_of_training
from safe_train.experiments.training import (
    falls,
    load_trained,
    near_zero,
    no_divergence,
    planned_training,
    training_of,
)
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.logs import LOSSES
from safe_train.stages.stage_a import StageAResult, stage_a, trained_questions

CRITERIA = "overfit"
_CONDITIONS = ("full", "gate_off")


@dataclass(frozen=True)
class OverfitSettings:
    """What is learnt by heart.

    Raises:
        InputError: a number outside the range that its option names.
    """

    examples: int = 512
    """questions that are trained on and asked, at least 1; all of the split if there are fewer"""

    steps: int = 300
    """training steps, at least 1"""

    loss_bound: float = 0.1
    """nats per token that still count as near 0, above 0"""

    options: dict[str, Any] = field(default_factory=dict)
    """options of stage A over those of the plan, such as schedule: constant"""

    parameters: dict[str, str] = field(default_factory=dict)
    """parameters of the criteria, such as metric: vqa_accuracy"""

    batch_size: int = 64
    """questions asked at once, at least 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "examples", "steps", "batch_size")
        check_above_zero(self, "loss_bound")


def run(work: Work) -> Sequence[Finding]:
    """Train on the questions, ask them, and judge the answers and the losses.

    Raises:
        InputError: see `stage_a`, `score_files` and `by_criteria`.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    settings: OverfitSettings = work.settings
    training = training_for(work)
    trained = stage_a(training)
    file = work.folder / PREDICTIONS
    if not file.is_file():
        write_predictions(file, list(_answers(training, settings.batch_size)))
    score_files([file], Sampling(seed=training.run.seed), out=work.folder, force=True)
    return [
        *by_criteria(CRITERIA, work.folder, within=work.folder, settings=settings.parameters),
        *loss_findings(trained, settings.loss_bound, training.run.spike_factor),
    ]


def training_for(work: Work) -> TrainConfig:
    """The plan's stage A on a few questions, always on, without evaluations: nothing is held out."""
    material = work.material
    settings: OverfitSettings = work.settings
    fixed = {"examples": settings.examples, "steps": settings.steps, "eval_steps": 0, "drift_stop": None}
    return training_of(
        work.plan,
        material,
        work.folder / ADAPTER,
        seed=work.plan.seeds[0],
        quiet=work.quiet,
        **(fixed | settings.options),
    )


def loss_findings(trained: StageAResult, loss_bound: float, spike_factor: float) -> list[Finding]:
    """What the losses show: those of the questions that are learnt."""
    file = f"{ADAPTER}/{LOSSES}"
    learnt = [one.cross_entropy for one in trained.losses if one.cross_entropy is not None]
    return [
        near_zero(learnt, loss_bound, file=file),
        falls(learnt, file=file),
        no_divergence(trained.losses, spike_factor, name="no_divergence", file=file),
    ]


def _answers(training: TrainConfig, batch_size: int) -> Iterator[Prediction]:
    """What the base and the checkpoint say to the questions that were trained on, dataset by dataset."""
    loaded = load_trained(training.run.out, training.backbone.source, training.loading)
    asked = _asked(training)
    for folder in training.data.shards:
        dataset = ShardDataset(folder, training.data.split)
        chosen = asked.get(dataset.name, set())
        if not chosen:
            continue
        yield from predictions(
            loaded.model,
            loaded.backbone,
            dataset,
            wanted_encoders(loaded.checkpoint),
            _CONDITIONS,
            asking=loaded.checkpoint.config.asking,
            seed=training.run.seed,
            batch_size=batch_size,
            choose=_one_of(chosen),
            quiet=training.run.quiet,
        )


def _one_of(ids: set[str]) -> Choose:
    return lambda example: example.id in ids


def _asked(training: TrainConfig) -> dict[str, set[str]]:
    """The ids of the questions that were trained on, by the name of their dataset."""
    data = training.data
    corpora = Corpora(data.shards, data.split, data.encoder)
    questions = trained_questions(training, corpora)
    found: dict[str, set[str]] = {}
    for number in range(len(questions)):
        dataset, _ = corpora.place(int(questions.clip[number]))
        found.setdefault(dataset.name, set()).add(questions.of(number).id)
    return found


def _estimate(plan: PlanConfig, settings: OverfitSettings) -> Estimate:
    found = questions_of(plan, "train")
    asked = settings.examples if found is None else min(settings.examples, found.all)
    changes = {"steps": settings.steps} | settings.options
    config = planned_training(plan, **changes)
    training = Training(name="overfit", config=config, steps=steps_of_training(plan, config))
    return Estimate(trainings=(training,), answers=asked * (1 + len(_CONDITIONS)))


EXPERIMENT = Experiment(
    number=3,
    name="overfit",
    title="Tiny overfit",
    settings=OverfitSettings,
    needs=material_step,
    run=run,
    estimate=_estimate,
)
