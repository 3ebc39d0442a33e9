"""Pilot: whether stage A hears, keeps what the base sees, stays quick and does not diverge, over all seeds.

    FOLDER/alone-N.jsonl       a sample of the test split, asked alone by the base and by SAFE of seed N
    FOLDER/predictions.jsonl   the answers of all seeds, with the times of the sample
    FOLDER/scores.json, verdict.json

It is the plan's experiment 4. The criteria are those of pilot.yaml; the losses are judged by the rule that
stops a training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.errors import check_at_least_one
from safe_data.shards.dataset import ShardDataset
from safe_eval.options import Sampling
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.runner.plan import sample_of_groups
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import (
    ADAPTER,
    PREDICTIONS,
    Estimate,
    Experiment,
    Finding,
    Material,
    Work,
    by_criteria,
    trained_step,
    trained_steps,
)
from safe_train.experiments.training import load_trained, no_divergence, training_of
from safe_train.predict.alone import asked_alone, with_times
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE
from safe_train.stages.logs import LOSSES, read_losses

CRITERIA = "pilot"
# What the criteria ask about; the other conditions belong to other experiments.
JUDGED = ((BASE, "full"), (SAFE, "full"), (SAFE, "gate_off"))


@dataclass(frozen=True)
class PilotSettings:
    """What is timed, and how the criteria are filled in.

    Raises:
        InputError: a number outside the range that its option names.
    """

    timed_questions: int = 150
    """questions of each seed, at most, that are asked alone to be timed; whole groups are, so no fewer than a
    group has"""

    parameters: dict[str, str] = field(default_factory=dict)
    """parameters of the criteria, such as metric: vqa_accuracy, or gain: 0.05"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "timed_questions")


def run(work: Work) -> Sequence[Finding]:
    """Time a sample of each seed, and judge all seeds together.

    Raises:
        InputError: a checkpoint or its answers are missing or do not fit; see `score_files`, `by_criteria`.
    """
    rows: list[Prediction] = []
    for seed in work.plan.seeds:
        together = read_predictions(work.answers(seed))
        kept = [row for row in together if (row.model, row.condition) in JUDGED]
        rows += with_times(kept, _alone(work, seed))
    write_predictions(work.folder / PREDICTIONS, rows)
    score_files([work.folder / PREDICTIONS], Sampling(), out=work.folder, force=True)
    found = by_criteria(
        CRITERIA,
        work.folder,
        within=work.folder,
        settings=work.settings.parameters,
        expect=work.material.shards,
    )
    return [*found, *(_divergence(work, seed) for seed in work.plan.seeds)]


def _alone(work: Work, seed: int) -> list[Prediction]:
    """The sample of a seed, asked alone; it is asked once."""
    file = work.folder / f"alone-{seed}.jsonl"
    if not file.is_file():
        asked = _ask_alone(work.adapter(seed), work.material, seed, work.settings.timed_questions)
        write_predictions(file, list(asked))
    return read_predictions(file)


def _ask_alone(adapter: Path, material: Material, seed: int, most: int) -> Iterator[Prediction]:
    """Ask a sample of each dataset's test split, whole groups of it, one question after another."""
    loaded = load_trained(adapter, material.backbone)
    predictor = Predictor(
        loaded.model,
        loaded.backbone,
        wanted_encoders(loaded.checkpoint),
        asking=loaded.checkpoint.config.asking,
        name=SAFE,
        batch_size=1,
        latency=True,
    )
    for folder in material.shards:
        dataset = ShardDataset(folder, "test")
        sample = sample_of_groups(dataset, most=max(1, most // len(material.shards)), seed=seed)
        yield from asked_alone((predictor,), dataset, seed=seed, choose=sample)


def _divergence(work: Work, seed: int) -> Finding:
    """Whether the training of a seed stayed calm."""
    log = work.adapter(seed) / LOSSES
    training = training_of(work.plan, work.material, log.parent, seed=seed, quiet=True)
    return no_divergence(
        read_losses(log),
        training.run.spike_factor,
        name=f"no_divergence_seed_{seed}",
        file=f"{trained_step(seed)}: {ADAPTER}/{LOSSES}",
    )


def _estimate(plan: PlanConfig, settings: PilotSettings) -> Estimate:
    return Estimate(alone=2 * settings.timed_questions * len(plan.seeds))


EXPERIMENT = Experiment(
    number=4,
    name="pilot",
    title="Stage A pilot",
    settings=PilotSettings,
    needs=trained_steps,
    run=run,
    estimate=_estimate,
)
