"""Retention: the same training with each mechanism that keeps the base's answers, on worlds of several seeds.

    OUT/seed-0/world, shards, backbone       made once, and shared by all mechanisms
    OUT/seed-0/MECHANISM/                    a run of stage A
    OUT/seed-0/answers/MECHANISM.jsonl       what it and the base answer on the test split
    OUT/seed-0/predictions.jsonl             all of these, with the mechanism as the model
    OUT/seed-0/scores.json, items.parquet    as `safe-eval score` makes them
    OUT/retention.json, retention.md         the table and the verdict

It is the plan's experiment 9. Every part is used again if it is there, so that a run that was killed goes on.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, check_seed, did_you_mean
from safe_data.core.files import write_bytes, write_json
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, write_options
from safe_data.core.terminal import say
from safe_data.encoders.inference import one_thread
from safe_eval.judging.verdict import EXIT_CODES
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import read_arms, score_files
from safe_train.demo import build_world
from safe_train.experiments.retention_result import Contrasted, Kept, RetentionResult, kept_rows, vl_losses
from safe_train.experiments.retention_text import retention_markdown
from safe_train.experiments.retention_verdict import judge_retention
from safe_train.predict.predict import predict_dataset
from safe_train.presets import preset_config
from safe_train.settings.predict import SAFE, PredictConfig
from safe_train.stages.stage_a import stage_a
from safe_train.toy.backbone import pretrain
from safe_train.toy.recipe import Recipe

MECHANISMS = ("no_retention", "kl", "fisher", "nullspace", "all_retention")
CONDITIONS = ("full", "swap_audio", "mute_audio")
RESULT, TABLE = "retention.json", "retention.md"


@dataclass(frozen=True)
class RetentionConfig:
    """The size of the experiment: the demo's."""

    clips: int = 2000
    recipe: Recipe = field(default_factory=Recipe)
    steps: int = 800
    batch_size: int = 80
    validation_questions: int = 200
    resamples: int = 10_000


@interrupted_by_sigterm()
def run_retention(
    out: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    mechanisms: Sequence[str] = MECHANISMS,
    config: RetentionConfig | None = None,
    quiet: bool = False,
) -> RetentionResult:
    """Train with each mechanism on each seed's world, and judge what they keep.

    Raises:
        InputError: a mechanism is unknown, a seed or mechanism is named twice, or a folder holds
            something else.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    config = config or RetentionConfig()
    _check(seeds, mechanisms)
    for name in (RESULT, TABLE):  # a run that is stopped must not leave the results of an earlier one
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    options = {"out": out, "seed": list(seeds), "mechanism": list(mechanisms)}
    write_options(out, "safe-train retention", options, TRAIN)
    sampling = Sampling(resamples=config.resamples)
    rows: list[Kept] = []
    losses: list[Contrasted] = []
    with one_thread():
        for seed in seeds:
            folder = out / f"seed-{seed}"
            _make(folder, seed, config)
            on_validation = {
                name: _train_and_answer(folder, name, seed, config, quiet=quiet) for name in mechanisms
            }
            found, lost = _score(folder, seed, mechanisms, on_validation, sampling)
            rows += found
            losses.append(lost)
    result = RetentionResult(
        rows=tuple(rows),
        judged=judge_retention(losses, sampling),
        confidence=sampling.confidence,
        resamples=sampling.resamples,
    )
    write_bytes(out / TABLE, retention_markdown(result).encode())
    write_json(out / RESULT, result)
    return result


def exit_code(result: RetentionResult) -> int:
    """0 go, 1 no-go, 2 not measured."""
    return EXIT_CODES[result.decision]


def _check(seeds: Sequence[int], mechanisms: Sequence[str]) -> None:
    for name, given in (("seed", seeds), ("mechanism", mechanisms)):
        if not given or len(set(given)) < len(given):
            raise InputError(f"{name}={[*given]}: name at least one {name}, and each once")
    for seed in seeds:
        check_seed(seed)
    for mechanism in mechanisms:
        if mechanism not in MECHANISMS:
            hint = did_you_mean(mechanism, MECHANISMS, f"choose from {', '.join(MECHANISMS)}")
            raise InputError(f"mechanism={mechanism!r}: is no choice; {hint}")


def _make(folder: Path, seed: int, config: RetentionConfig) -> None:
    """The world, its shards and a backbone that can see."""
    started = time.monotonic()
    build_world(folder, seed=seed, clips=config.clips)
    pretrain(folder / "backbone", seed=seed, recipe=config.recipe)
    _say(f"seed {seed}: a world of {config.clips} clips and a backbone", started)


def _train_and_answer(
    folder: Path, mechanism: str, seed: int, config: RetentionConfig, *, quiet: bool
) -> float | None:
    """Train one mechanism and have it answer; the KL divergence of its last evaluation, on validation."""
    started = time.monotonic()
    settings = preset_config(
        "demo",
        mechanism,
        shards=(folder / "shards",),
        backbone=folder / "backbone",
        out=folder / mechanism,
        steps=config.steps,
        batch_size=config.batch_size,
        validation_questions=config.validation_questions,
        seed=seed,
        quiet=quiet,
    )
    trained = stage_a(settings)
    predict_dataset(
        folder / mechanism,
        folder / "shards",
        backbone=folder / "backbone",
        out=answers_file(folder, mechanism),
        config=PredictConfig(conditions=CONDITIONS, seed=seed, batch_size=64, quiet=quiet),
    )
    _say(f"seed {seed}, {mechanism}: trained and answered", started)
    return trained.metrics.get("vl_kl")


def answers_file(folder: Path, mechanism: str) -> Path:
    """The predictions of a mechanism and of the base."""
    return folder / "answers" / f"{mechanism}.jsonl"


def _score(
    folder: Path,
    seed: int,
    mechanisms: Sequence[str],
    on_validation: dict[str, float | None],
    sampling: Sampling,
) -> tuple[list[Kept], Contrasted]:
    """Score all mechanisms of a seed as models of one file."""
    together = folder / "predictions.jsonl"
    write_predictions(together, _together(folder, mechanisms))
    scores = score_files([together], sampling, out=folder, force=True)
    arms, _ = read_arms([together], ScoreOptions())
    rows = [kept_rows(scores, seed, name, on_validation[name]) for name in mechanisms]
    return rows, vl_losses(arms, seed, mechanisms)


def _together(folder: Path, mechanisms: Sequence[str]) -> list[Prediction]:
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


def _say(text: str, started: float) -> None:
    say([f"{text} ({time.monotonic() - started:.0f} s)"], flush=True)
