"""safe-train: the demo; and its parts as commands: train stage A, predict with what it trained."""

import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_data.core.command import HOLDS, NOT_JUDGED, Command, run
from safe_data.core.errors import require_extra
from safe_train.presets import PRESETS
from safe_train.settings.predict import PredictConfig
from safe_train.settings.train import TrainConfig

if TYPE_CHECKING:
    from safe_train.stages.logs import StepLoss

SUMMARY = "Teach a frozen vision-language model to hear, and have it answer."

_TRAIN = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft")
# The demo also checks its shards and writes a report.
_EXTRAS = {
    "demo": ("train,gx,report", *_TRAIN, "great_expectations", "pandas", "jinja2", "altair", "vl_convert")
}


def demo(*, out: Path, seed: int = 0) -> int:
    """Run everything on a synthetic world, in about two minutes; exit code 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the run; what it already holds is used again, and refused if it is of another seed
        seed: seed of the world, the models and the intervals, 0 or more
    """
    from safe_train.demo import run_demo

    return run_demo(out, seed=seed)


def stage_a(config: TrainConfig) -> None:
    """Train an audio pathway for a frozen backbone, and write the checkpoint to OUT."""
    from accelerate import PartialState

    from safe_train.stages.stage_a import stage_a as train

    trained = train(config)
    if not PartialState().is_main_process:
        return
    checkpoint = trained.checkpoint
    records = sum(dataset.records for dataset in checkpoint.datasets)
    adapted = checkpoint.adapted
    if adapted and adapted.settings.base == "full":
        base = f"of them {adapted.parameters:,} of the base's {checkpoint.base.parameters:,}"
    else:
        base = f"the base's {checkpoint.base.parameters:,} unchanged"
    trained_on = f"{checkpoint.trained_parameters:,} parameters trained on {records:,} records"
    print(f"{config.run.out}: {trained_on}, {base}")
    if trained.losses:
        print(f"  last batch, in nats per token: {_last_losses(trained.losses[-1])}")
    if trained.metrics:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in trained.metrics.items())
        print(f"  last evaluation, on the validation split: {shown}")


def _last_losses(last: "StepLoss") -> str:
    """The losses of a step, in words."""
    on_audio = (
        "not measured" if last.cross_entropy is None else f"{last.cross_entropy:.3f} on audio questions"
    )
    from_base = "not measured" if last.distillation is None else f"{last.distillation:.4f} from the base"
    return f"cross-entropy {on_audio}, KL divergence {from_base}"


def predict(checkpoint: Path, shards: Path, *, backbone: str, out: Path, config: PredictConfig) -> int:
    """Have a checkpoint, and its base, answer a split; exit code 2 if any answer failed.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        shards: folder of the dataset to answer
        backbone: model the checkpoint was trained for, as a directory or a hub id; any other is refused
        out: predictions file to write, JSON Lines; if the command is stopped, run it again to go on
    """
    from safe_train.predict.predict import predict_dataset

    predicted = predict_dataset(checkpoint, shards, backbone=backbone, out=out, config=config)
    if predicted is None:  # another process than the first
        return HOLDS
    finished = predicted.finished
    note = "; it was finished before, and nothing was done" if predicted.was_there else ""
    print(f"{out}: {finished.rows} predictions, {finished.errors} errors{note}")
    if finished.first_error is not None:
        print(f"the first: {finished.first_error}", file=sys.stderr)
    return NOT_JUDGED if finished.errors else HOLDS


COMMANDS: dict[str, Command] = {"demo": demo, "stage-a": stage_a, "predict": predict}


def main(argv: Sequence[str] | None = None) -> int:
    """Run safe-train; returns the exit code."""
    checked = {name: _requiring_extra(name, command) for name, command in COMMANDS.items()}
    return run("safe-train", SUMMARY, checked, argv, PRESETS)


def _requiring_extra(name: str, command: Command) -> Command:
    """The command, which first checks that the libraries it needs are installed."""

    @wraps(command)
    def checked(*args: Any, **options: Any) -> int | None:
        extra, *libraries = _EXTRAS.get(name, ("train", *_TRAIN))
        require_extra(f"safe-train {name}", extra, *libraries)
        return command(*args, **options)

    return checked
