"""Finetune: teach a base to name the class of a sound, by LoRA, and judge it over several seeds.

    OUT/seed-42/adapter/                 a run of stage A
    OUT/seed-42/dev.jsonl, test.jsonl    what it answers on both splits
    OUT/dev.jsonl, test.jsonl            the same of all seeds
    OUT/calibration.json                 the temperature of each seed, fitted on dev, and what it does to test
    OUT/predictions.jsonl                the test answers at these temperatures
    OUT/scores.json, verdict.json        as `safe-eval score` and `safe-eval verdict` make them

Every part is used again if it is there, so that a run that was killed goes on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safe_data.core.errors import InputError
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, options_of, write_options
from safe_data.shards.layout import read_dataset
from safe_eval.calibration.calibrate import calibrate_files
from safe_eval.calibration.choices import CalibratedChoices
from safe_eval.judging.verdict import Verdict, decide
from safe_eval.options import CalibrateOptions, Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores
from safe_train.finetune.tempered import temperatures, tempered
from safe_train.predict.predict import predict_dataset
from safe_train.presets import preset_config
from safe_train.settings.finetune import TASK, FinetuneConfig
from safe_train.settings.predict import PredictConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.stage_a import stage_a

PREDICTIONS, DEV, TEST = "predictions.jsonl", "dev.jsonl", "test.jsonl"


class Answered(NamedTuple):
    """What was trained, and its answers: those of test are at the temperatures that were fitted on dev."""

    trained_parameters: int
    rows: list[Prediction]
    choices: tuple[CalibratedChoices, ...]
    notes: tuple[str, ...]


class Finetuned(NamedTuple):
    """The answers, their scores and the verdict on them."""

    answered: Answered
    scores: Scores
    verdict: Verdict


@interrupted_by_sigterm()
def run_finetune(config: FinetuneConfig) -> Finetuned:
    """Train each seed, answer, calibrate, score, and judge by the criteria.

    Raises:
        InputError: a split is missing or asks no such question, the folder holds another run, or what stage A
            and predictions refuse.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    answered = train_and_answer(config)
    run, out = config.run, config.run.out
    scores = score_files([out / PREDICTIONS], Sampling(), out=out, force=True)
    verdict = decide(out, run.criteria, settings=(f"model={run.name}",), force=True)
    return Finetuned(answered, scores, verdict)


def train_and_answer(config: FinetuneConfig) -> Answered:
    """Train each seed, have it answer dev and test, and fit the temperatures.

    Raises:
        InputError: see `run_finetune`.
    """
    clips, out = config.clips, config.run.out
    _check_splits(config)
    out.mkdir(parents=True, exist_ok=True)
    write_options(out, "safe-train finetune", options_of(config), TRAIN)
    parameters = 0
    for seed in config.run.seeds:
        trained = stage_a(train_config(config, seed))
        parameters = trained.checkpoint.trained_parameters
        for split, name in ((clips.dev_split, DEV), (clips.test_split, TEST)):
            _answer(config, seed, split, name)
    for name in (DEV, TEST):
        write_predictions(out / name, _joined(config, name))
    found = calibrate_files(out / DEV, out / TEST, Sampling(), CalibrateOptions(force=True), out=out)
    rows = tempered(read_predictions(out / TEST), temperatures(found.choices))
    write_predictions(out / PREDICTIONS, rows)
    return Answered(parameters, rows, found.choices, found.notes)


def train_config(config: FinetuneConfig, seed: int) -> TrainConfig:
    """The run of stage A of one seed: cross-entropy alone, with nothing that keeps the base's answers."""
    clips = {**vars(config.clips), "task": (TASK,)}
    for name in ("shards", "dev_split", "test_split"):
        del clips[name]
    run = config.run
    return preset_config(
        "lora_only",
        shards=(config.clips.shards,),
        backbone=config.backbone.source,
        out=run.out / f"seed-{seed}" / "adapter",
        seed=seed,
        weights={"audio": 1.0},
        kl_weight=0.0,
        eval_steps=0,  # the dev split is for the temperature alone
        checkpoint_steps=run.checkpoint_steps,
        tracker=run.trackers,
        quiet=run.quiet,
        force=run.force,
        **clips,
        **vars(config.lora),
        **{name: value for name, value in vars(config.learning).items() if value is not None},
        **vars(config.loading),
        **vars(config.asking),
    )


def _check_splits(config: FinetuneConfig) -> None:
    """Refuse a dataset without the splits before anything is trained.

    Raises:
        InputError: it lacks one.
    """
    clips = config.clips
    there = read_dataset(clips.shards).splits
    for split in (clips.split, clips.dev_split, clips.test_split):
        if split not in there:
            raise InputError(
                f"{clips.shards}: has no split {split!r}, only {', '.join(there)}; make it by group with "
                "`safe-data split SOURCE SPLITS --fractions .85 .15 --dev .2`, and build with --splits"
            )


def _answer(config: FinetuneConfig, seed: int, split: str, name: str) -> None:
    """Have the run of a seed answer a split; nothing is done where it has."""
    folder, run = config.run.out / f"seed-{seed}", config.run
    settings = PredictConfig(
        conditions=("full",),
        name=run.name,
        without_base=True,
        split=split,
        tasks=(TASK,),
        device_map=config.loading.device_map,
        attention=config.loading.attention,
        seed=seed,
        batch_size=run.predict_batch_size,
        quiet=run.quiet,
        force=run.force,
    )
    predict_dataset(
        folder / "adapter",
        config.clips.shards,
        backbone=config.backbone.source,
        out=folder / name,
        config=settings,
    )


def _joined(config: FinetuneConfig, name: str) -> Sequence[Prediction]:
    """The answers of all seeds."""
    files = [Path(config.run.out, f"seed-{seed}", name) for seed in config.run.seeds]
    return [row for file in files for row in read_predictions(file)]
