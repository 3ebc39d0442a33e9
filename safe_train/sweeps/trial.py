"""Trial: one point on one seed, a normal run folder that is trained, asked, timed and scored.

    OUT/POINT/seed-N/             a run of stage A, as `safe-train stage-a --out` makes it
      predictions.jsonl           what it and its base answer, as `safe-train predict` writes it
      scores.json, items.parquet  as `safe-eval score` makes them
      trial.json                  what was measured, and what all of it depends on; written last

A trial whose trial.json is of the same settings, shards and base is not run again.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.files import explaining, write_json
from safe_data.encoders.inference import one_thread
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_eval.options import Sampling
from safe_eval.scoring.score import score_files
from safe_train.base.backbone import backbone_folder
from safe_train.predict.predict import predict_dataset
from safe_train.retention.drift import DriftedError
from safe_train.run_identity import START_OVER, identity_options
from safe_train.settings.predict import PredictConfig
from safe_train.settings.train import TrainConfig
from safe_train.stages.logs import LOSSES, read_losses
from safe_train.stages.loss_guard import UnstableError
from safe_train.stages.stage_a import stage_a
from safe_train.sweeps.grid import Grid
from safe_train.sweeps.latency import Latency, ask_alone
from safe_train.sweeps.point import Point
from safe_train.sweeps.pruning import Curve, PrunedError, Pruner
from safe_train.sweeps.stability import stability

TRIAL, PREDICTIONS = "trial.json", "predictions.jsonl"
FORMAT_VERSION = 1
FINISHED, PRUNED, DRIFTED, UNSTABLE = "finished", "pruned", "drifted", "unstable"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The content of trial.json. Latencies are medians in ms; None is not measured.

    `key` holds all that the trial depends on: its settings, the hashes of shards and base, and what is asked.
    """

    format_version: int = FORMAT_VERSION
    point: str
    seed: int
    status: str
    why: str | None = None
    steps: int
    parameters: int | None = None
    latency_ms: float | None = None
    base_latency_ms: float | None = None
    oscillation: float | None = None
    diverged: bool | None = None
    curve: Curve = {}
    key: dict[str, Any] = {}


@dataclass(frozen=True)
class Task:
    """A trial to run, and what it needs; it can be sent to another process.

    `earlier` are the curves of the points before it, which decide whether its own is pruned.
    """

    grid: Grid
    point: Point
    seed: int
    folder: Path
    shards: tuple[Path, ...]
    backbone: str
    earlier: tuple[Curve, ...] = ()
    quiet: bool = True
    force: bool = False

    @property
    def config(self) -> TrainConfig:
        """The settings of its training."""
        return self.point.config(
            shards=self.shards,
            backbone=self.backbone,
            out=self.folder,
            seed=self.seed,
            quiet=self.quiet,
            force=self.force and not self.is_of_this(),
        )

    def is_of_this(self) -> bool:
        """Whether the folder holds this trial, finished."""
        found = read_trial(self.folder)
        return found is not None and found.key == _as_written(key_of(self))


def run_trial(task: Task) -> Trial:
    """Train, ask, time and score one trial, or return it as it is if it is done.

    A run that was stopped goes on. One that is pruned, or whose loss is not finite or jumps, is a result too.

    Raises:
        InputError: its options do not fit the base or the shards, or the folder holds another trial.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    found, key = read_trial(task.folder), _as_written(key_of(task))
    if found is not None and found.key == key:
        return found
    if found is not None and not task.force:
        lines = [f"  {line}" for line in differences(found.key, key)]
        raise InputError(f"{task.folder}: holds another trial; this one differs:", *lines, START_OVER)
    (task.folder / TRIAL).unlink(missing_ok=True)
    with one_thread():
        trial = _trained(task, key)
    with explaining(task.folder):
        task.folder.mkdir(parents=True, exist_ok=True)
    write_json(task.folder / TRIAL, trial)
    return trial


def _trained(task: Task, key: dict[str, Any]) -> Trial:
    config, status, why = task.config, FINISHED, None
    parameters, pruner = None, Pruner(task.grid.pruning, task.folder, task.earlier)
    try:
        parameters = stage_a(config, watch=pruner.watch).checkpoint.trained_parameters
    except PrunedError as stopped:
        status, why = PRUNED, str(stopped)
    except DriftedError as stopped:
        status, why = DRIFTED, stopped.args[0]
    except UnstableError as stopped:
        status, why = UNSTABLE, stopped.lines[0]
    is_scored = status == FINISHED
    latency = _asked(task, config) if is_scored else Latency()
    losses = [one.loss for one in read_losses(task.folder / LOSSES)]
    warm_up = max(config.optim.warm_up_steps, _gate_warm_up(config))
    swings = stability(losses, warm_up=warm_up)
    return Trial(
        point=task.point.name,
        seed=task.seed,
        status=status,
        why=why,
        steps=len(losses),
        parameters=parameters,
        latency_ms=latency.safe_ms,
        base_latency_ms=latency.base_ms,
        oscillation=swings.oscillation,
        diverged=True if status == UNSTABLE else swings.diverged,
        curve=pruner.curve() if losses else {},
        key=key,
    )


def _asked(task: Task, config: TrainConfig) -> Latency:
    """Ask the trained pathway and its base, and score both."""
    grid, shards = task.grid, task.shards[0]
    out = task.folder / PREDICTIONS
    asked = PredictConfig(
        conditions=("full", grid.irrelevant),
        split=grid.split,
        seed=task.seed,
        batch_size=grid.batch_size,
        quiet=task.quiet,
        force=task.force,
    )
    predict_dataset(task.folder, shards, backbone=task.backbone, out=out, config=asked)
    score_files([out], Sampling(confidence=grid.confidence), out=task.folder, force=True)
    return ask_alone(config, shards, grid.split, grid.latency_questions)


def _gate_warm_up(config: TrainConfig) -> int:
    """The steps until the gate is open: until then, the loss may rise as the sound comes in."""
    optim = config.optim
    return 0 if optim.gate_warm_up == "none" else optim.gate_warm_up_steps


def key_of(task: Task) -> dict[str, Any]:
    """All that a trial depends on."""
    grid = task.grid
    config = task.point.config(shards=task.shards, backbone=task.backbone, out=task.folder, seed=task.seed)
    files = msgspec.json.encode(base_files(backbone_folder(task.backbone), quiet=True), order="deterministic")
    return {
        "options": identity_options(config),
        "shards": [ShardDataset(folder, config.data.split).fingerprint for folder in task.shards],
        "base": hashlib.sha256(files).hexdigest(),
        "asked": {
            "split": grid.split,
            "irrelevant": grid.irrelevant,
            "batch_size": grid.batch_size,
            "latency_questions": grid.latency_questions,
            "confidence": grid.confidence,
        },
        "pruning": None if grid.pruning is None else grid.pruning.model_dump(mode="json"),
    }


def _as_written(key: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(key))
    return found


def read_trial(folder: Path) -> Trial | None:
    """The trial of a folder; None if there is none that is done.

    Raises:
        InputError: trial.json is damaged or of another format.
    """
    file = folder / TRIAL
    if not file.is_file():
        return None
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Trial)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is not a trial ({error}); remove it to measure the trial again") from None
    if found.format_version != FORMAT_VERSION:
        raise InputError(
            f"{file}: is of format {found.format_version}; this version reads {FORMAT_VERSION}; remove it "
            "to measure the trial again"
        )
    return found
