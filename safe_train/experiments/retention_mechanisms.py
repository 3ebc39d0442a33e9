"""Retention mechanisms: stage A with each of them on the same data with the same seed, and what it kept.

    FOLDER/MECHANISM/                    a run of stage A
    FOLDER/answers/MECHANISM.jsonl       what it and the base answer on the test split
    FOLDER/predictions.jsonl             all of these, with the mechanism as the model
    FOLDER/scores.json, items.parquet    as `safe-eval score` makes them

Every part is used again if it is there, so that a run that was killed goes on.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import write_bytes, write_json
from safe_data.core.terminal import say
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import read_arms, score_files
from safe_train.experiments.experiment import BATCH_SIZE, PREDICTIONS, Material
from safe_train.experiments.retention_result import (
    Contrasted,
    Kept,
    RetentionResult,
    kept_rows,
    vl_losses,
    vl_metrics,
)
from safe_train.experiments.retention_text import retention_markdown
from safe_train.experiments.retention_verdict import judge_retention
from safe_train.experiments.training import answer_test_split
from safe_train.settings.predict import SAFE, PredictConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.stage_a import stage_a

MECHANISMS = ("no_retention", "kl", "fisher", "nullspace", "all_retention")
CONDITIONS = ("full", "swap_audio", "mute_audio")
RESULT, TABLE = "retention.json", "retention.md"


def check_mechanisms(mechanisms: Sequence[str]) -> None:
    """Refuse a mechanism that there is not, and none.

    Raises:
        InputError: for these.
    """
    check_named_once("mechanism", mechanisms)
    for mechanism in mechanisms:
        if mechanism not in MECHANISMS:
            hint = did_you_mean(mechanism, MECHANISMS, f"choose from {', '.join(MECHANISMS)}")
            raise InputError(f"mechanism={mechanism!r}: is no choice; {hint}")


def check_named_once(name: str, given: Sequence[object]) -> None:
    """Refuse an empty list, and one that names something twice.

    Raises:
        InputError: for these.
    """
    if not given or len(set(given)) < len(given):
        raise InputError(f"{name}={[*given]}: name at least one {name}, and each once")


def compare_mechanisms(
    folder: Path,
    material: Material,
    trainings: Mapping[str, TrainConfig],
    sampling: Sampling,
    *,
    quiet: bool = False,
) -> tuple[list[Kept], Contrasted]:
    """Train each mechanism, have it answer, and score all of them as models of one file.

    Args:
        folder: what is written there, and used again
        material: the data and the base
        trainings: stage A of each mechanism, by its name; all have one seed
        sampling: how intervals are made
        quiet: show no progress

    Raises:
        InputError: see `stage_a` and `predict_dataset`.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    (seed,) = {training.run.seed for training in trainings.values()}
    on_validation = {
        name: _train_and_answer(folder, name, training, material, quiet=quiet)
        for name, training in trainings.items()
    }
    mechanisms = tuple(trainings)
    together = folder / PREDICTIONS
    write_predictions(together, together_of(folder, mechanisms))
    scores = score_files([together], sampling, out=folder, force=True)
    arms, _ = read_arms([together], ScoreOptions())
    rows = [row for name in mechanisms for row in kept_rows(scores, seed, name, on_validation[name])]
    return rows, vl_losses(arms, mechanisms, vl_metrics(scores), seed=seed, world=material.seed)


def write_result(
    out: Path, rows: Sequence[Kept], losses: Sequence[Contrasted], sampling: Sampling
) -> RetentionResult:
    """Judge what all seeds lost, and write the table and the verdict."""
    result = RetentionResult(
        rows=tuple(rows),
        judged=judge_retention(losses, sampling),
        confidence=sampling.confidence,
        resamples=sampling.resamples,
    )
    write_bytes(out / TABLE, retention_markdown(result).encode())
    write_json(out / RESULT, result)
    return result


def answers_file(folder: Path, mechanism: str) -> Path:
    """The predictions of a mechanism and of the base."""
    return folder / "answers" / f"{mechanism}.jsonl"


def tell(text: str, started: float, *, quiet: bool) -> None:
    """Say what is done and how long it took, since `started` of the monotonic clock."""
    if not quiet:
        say([f"{text} ({time.monotonic() - started:.0f} s)"], flush=True)


def together_of(folder: Path, mechanisms: Sequence[str]) -> list[Prediction]:
    """The answers of the base, once, and of each mechanism under its own name.

    Raises:
        InputError: the base answered otherwise beside one mechanism than beside another.
    """
    rows: list[Prediction] = []
    for mechanism in mechanisms:
        file = answers_file(folder, mechanism)
        answers = read_predictions(file)
        base = [row for row in answers if row.model == BASE]
        if rows and base != rows[: len(base)]:
            first = answers_file(folder, mechanisms[0])
            raise InputError(
                f"{file}: the base's answers are not those in {first}; remove "
                f"{folder / 'answers'}, and run the same command again on one machine"
            )
        rows += [] if rows else base
        rows += [msgspec.structs.replace(row, model=mechanism) for row in answers if row.model == SAFE]
    return rows


def _train_and_answer(
    folder: Path, mechanism: str, training: TrainConfig, material: Material, *, quiet: bool
) -> float | None:
    """Train one mechanism and have it answer; the KL divergence of its last evaluation, on validation."""
    started = time.monotonic()
    trained = stage_a(training)
    config = PredictConfig(conditions=CONDITIONS, seed=training.run.seed, batch_size=BATCH_SIZE, quiet=quiet)
    answer_test_split(training.run.out, material, answers_file(folder, mechanism), config)
    tell(f"seed {training.run.seed}, {mechanism}: trained and answered", started, quiet=quiet)
    return trained.metrics.get("vl_kl")
