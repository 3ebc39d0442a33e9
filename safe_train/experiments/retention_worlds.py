"""Retention worlds: the same training with each mechanism that keeps the base's answers, a world a seed.

    OUT/seed-0/world, shards, backbone       made once, and shared by all mechanisms
    OUT/seed-0/                              what `compare_mechanisms` writes
    OUT/retention.json, retention.md         the table and the verdict

It is the command `safe-train retention`: the plan's experiment 9, for worlds and bases of several seeds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safe_data.core.errors import check_seed
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, write_options
from safe_data.encoders.inference import one_thread
from safe_eval.judging.verdict import EXIT_CODES
from safe_eval.options import Sampling
from safe_train.demo import build_world
from safe_train.experiments.experiment import Material
from safe_train.experiments.retention_mechanisms import (
    MECHANISMS,
    RESULT,
    TABLE,
    check_mechanisms,
    check_named_once,
    compare_mechanisms,
    tell,
    write_result,
)
from safe_train.experiments.retention_result import Contrasted, Kept, RetentionResult
from safe_train.presets import preset_config
from safe_train.settings.train import TrainConfig
from safe_train.toy.backbone import pretrain
from safe_train.toy.recipe import Recipe


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
    check_named_once("seed", seeds)
    check_mechanisms(mechanisms)
    for seed in seeds:
        check_seed(seed)
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
            material = _make(folder, seed, config, quiet=quiet)
            trainings = {name: _training(folder, name, material, config, quiet=quiet) for name in mechanisms}
            found, lost = compare_mechanisms(folder, material, trainings, sampling, quiet=quiet)
            rows += found
            losses.append(lost)
    return write_result(out, rows, losses, sampling)


def exit_code(result: RetentionResult) -> int:
    """0 go, 1 no-go, 2 not measured."""
    return EXIT_CODES[result.decision]


def _make(folder: Path, seed: int, config: RetentionConfig, *, quiet: bool) -> Material:
    """The world, its shards and a backbone that can see."""
    started = time.monotonic()
    shards = build_world(folder, seed=seed, clips=config.clips)
    pretrain(folder / "backbone", seed=seed, recipe=config.recipe)
    tell(f"seed {seed}: a world of {config.clips} clips and a backbone", started, quiet=quiet)
    return Material(seed, (shards,), str(folder / "backbone"))


def _training(
    folder: Path, mechanism: str, material: Material, config: RetentionConfig, *, quiet: bool
) -> TrainConfig:
    return preset_config(
        "demo",
        mechanism,
        shards=material.shards,
        backbone=material.backbone,
        out=folder / mechanism,
        steps=config.steps,
        batch_size=config.batch_size,
        validation_questions=config.validation_questions,
        seed=material.seed,
        quiet=quiet,
    )
