"""safe-train: the demo; and its parts as commands: audit a plan, train stage A, predict, prove parity."""

import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED, Command, run
from safe_data.core.errors import InputError, require_extra
from safe_data.core.terminal import complain, say, wrote
from safe_train.presets import PRESETS
from safe_train.settings.audit import AuditConfig
from safe_train.settings.finetune import FinetuneConfig
from safe_train.settings.gate import GateConfig
from safe_train.settings.parity import ParityConfig
from safe_train.settings.predict import PredictConfig
from safe_train.settings.stage_b import StageBConfig
from safe_train.settings.stage_c import StageCConfig
from safe_train.settings.train import TrainConfig

if TYPE_CHECKING:
    from safe_train.stages.logs import StepLoss

SUMMARY = "Teach a frozen vision-language model to hear, and have it answer."

_TRAIN = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft")
# The demo also checks its shards and writes a report.
_EXTRAS = {
    "demo": ("train,gx,report", *_TRAIN, "great_expectations", "pandas", "jinja2", "altair", "vl_convert"),
    "retention": ("train,gx", *_TRAIN, "great_expectations", "pandas"),
}


def demo(*, out: Path, seed: int = 0) -> int:
    """Run everything on a synthetic world, in a few minutes; exit code 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the run; its world, shards and backbone are used again, and refused if they are of
            another seed; its results are made anew
        seed: seed of the world, the models and the intervals, 0 or more

    Examples:
        safe-train demo --out runs/demo --seed 0
    """
    from safe_train.demo import run_demo

    return run_demo(out, seed=seed)


def audit(config: AuditConfig) -> int:
    """Count what a planned stage A trains, and its memory, from a model's config; exit code 1 if over budget.

    No weights and no shards are needed. The freeze is always checked; a budget only if it is stated.

    Examples:
        safe-train audit --backbone llava-hf/llava-1.5-7b-hf --config baseline
    """
    from safe_train.audit.audit import run_audit, write_audit
    from safe_train.audit.page import page

    found = run_audit(config)
    say(page(found))
    if config.run.out is not None:
        write_audit(found, config.run.out, force=config.run.force)
    return HOLDS if found.holds else DOES_NOT_HOLD


def stage_a(config: TrainConfig) -> int:
    """Train an audio pathway for a frozen backbone, and write it to OUT; exit code 1 if it drifted.

    Examples:
        safe-train stage-a runs/mine/shards --backbone llava-hf/llava-1.5-7b-hf --out runs/mine/adapter
        safe-train stage-a --config runs/mine/adapter/options.yaml --seed 1 --out runs/seed1
    """
    from accelerate import PartialState

    from safe_train.retention.drift import DriftedError, drift_table
    from safe_train.stages.stage_a import stage_a as train

    try:
        trained = train(config)
    except DriftedError as stopped:
        if PartialState().is_main_process:
            complain([f"safe-train stage-a: {stopped}"])
        return DOES_NOT_HOLD
    if not PartialState().is_main_process:
        return HOLDS
    checkpoint = trained.checkpoint
    records = sum(dataset.records for dataset in checkpoint.datasets)
    adapted = checkpoint.adapted
    if adapted and adapted.settings.base == "full":
        base = f"of them {adapted.parameters:,} of the base's {checkpoint.base.parameters:,}"
    else:
        base = f"the base's {checkpoint.base.parameters:,} unchanged"
    trained_on = f"{checkpoint.trained_parameters:,} parameters trained on {records:,} records"
    lines = [f"{config.run.out}: {trained_on}, {base}"]
    if trained.losses:
        lines.append(f"  last batch, in nats per token: {last_losses(trained.losses[-1])}")
    if trained.metrics:
        heard = trained.metrics.get("audio_accuracy")
        shown = "not measured" if heard is None else f"{heard:.3f}"
        lines.append(f"  last evaluation, on the validation split: audio accuracy {shown}")
        lines += [f"  {line}" for line in drift_table(trained.metrics, config.run.drift_stop)]
    say(lines)
    return HOLDS


def stage_b(checkpoint: Path, config: StageBConfig) -> int:
    """Learn a policy that chooses how many audio tokens each question is worth, and scan it to a front.

    Writes it to CHECKPOINT/gate. Exit code 0 if it is shown to lose no more than it may, 1 if not, 2 if so
    few questions could not show it or no gate is written.

    Args:
        checkpoint: folder written by `safe-train stage-a`

    Examples:
        safe-train stage-b runs/mine/adapter --data runs/mine/shards --backbone runs/base
        safe-train stage-b runs/mine/adapter --method doubly_robust --alpha 0.1 --force
    """
    from safe_train.stages.stage_b import stage_b as learn
    from safe_train.stages.stages_text import stage_b_lines

    found = learn(checkpoint, config)
    say(stage_b_lines(found))
    wrote(found.files)
    return NOT_JUDGED if found.gate is None else found.gate.exit_code


def stage_c(checkpoint: Path, config: StageCConfig) -> int:
    """Find the smallest gate that chooses as well as the policy, judged by what it loses.

    Writes it to CHECKPOINT/gate and to one file. Exit code 0 if it is shown to lose no more than it may, 1 if
    not, 2 if so few questions could not show it or no gate is written.

    Args:
        checkpoint: folder written by `safe-train stage-a`, on which `safe-train stage-b` ran

    Examples:
        safe-train stage-c runs/mine/adapter --force
    """
    from safe_train.stages.stage_c import stage_c as distil
    from safe_train.stages.stages_text import stage_c_lines

    found = distil(checkpoint, config)
    say(stage_c_lines(found))
    wrote(found.files)
    return NOT_JUDGED if found.gate is None else found.gate.exit_code


def last_losses(last: "StepLoss") -> str:
    """The losses of a step, in words."""
    on_audio = (
        "not measured" if last.cross_entropy is None else f"{last.cross_entropy:.3f} on audio questions"
    )
    from_base = "not measured" if last.distillation is None else f"{last.distillation:z.4f} from the base"
    return f"cross-entropy {on_audio}, KL divergence {from_base}"


def predict(checkpoint: Path, shards: Path, *, backbone: str, out: Path, config: PredictConfig) -> int:
    """Have a checkpoint, and its base, answer a split; exit code 2 if any answer failed.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        shards: folder of the dataset to answer
        backbone: model the checkpoint was trained for, as a directory or a hub id; any other is refused
        out: predictions file to write, JSON Lines; if the command is stopped, run it again to go on

    Examples:
        safe-train predict runs/mine/adapter runs/mine/shards --backbone runs/base --out predictions.jsonl
    """
    from safe_train.predict.predict import predict_dataset

    predicted = predict_dataset(checkpoint, shards, backbone=backbone, out=out, config=config)
    if predicted is None:  # another process than the first
        return HOLDS
    finished = predicted.finished
    note = "; it was finished before, and nothing was done" if predicted.was_there else ""
    say([f"{out}: {finished.rows} predictions, {finished.errors} errors{note}"])
    if finished.first_error is not None:
        complain([f"the first: {finished.first_error}"])
    return NOT_JUDGED if finished.errors else HOLDS


def gate(
    action: Literal["fit", "show"],
    checkpoint: Path,
    *,
    data: Path | None = None,
    backbone: str | None = None,
    config: GateConfig,
) -> int:
    """Fit what decides when a checkpoint listens, or show it; exit code 0 it holds, 1 not, 2 not judged.

    It holds where the bounds of what is lost against always listening are within their limits.

    Args:
        action: fit asks a split at every budget and writes CHECKPOINT/gate; show prints what is there
        checkpoint: folder written by `safe-train stage-a`
        data: folder of the dataset to fit on
        backbone: model the checkpoint was trained for, as a directory or a hub id (default: none, if the
            outcomes beside the gate are of the same questions)

    Examples:
        safe-train gate fit runs/mine/adapter --data runs/mine/shards --backbone runs/base --kind linear
        safe-train gate fit runs/mine/adapter --data runs/mine/shards --kind linear --compare entropy --force
        safe-train gate show runs/mine/adapter
    """
    from safe_train.checkpoint import CONFIG, read_config
    from safe_train.gates.fit import fit_gate
    from safe_train.gates.gate_files import read_gate
    from safe_train.gates.gate_text import compared_lines, gate_lines

    if action == "show":
        shown = read_gate(checkpoint)
        if shown is None:
            read_config(checkpoint / CONFIG)  # where this is no checkpoint, it says so
            raise InputError(f"{checkpoint}: has no gate; make one with `safe-train gate fit`")
        say(gate_lines(shown.facts))
        return shown.facts.exit_code
    if data is None:
        raise InputError("fit asks the questions of a dataset: name its folder with --data")
    fitted = fit_gate(checkpoint, data, backbone=backbone, config=config)
    if fitted.asked_before:
        say(["The outcomes beside the gate are of the same questions, and were used again.", ""])
    say(gate_lines(fitted.gate.facts))
    if fitted.compared:
        say(["", *compared_lines([one.facts for one in (fitted.gate, *fitted.compared)])])
    wrote(fitted.files)
    return fitted.gate.facts.exit_code


def parity(config: ParityConfig) -> int:
    """Prove that a closed gate leaves a base as it was: logits, answers, weights, time and memory.

    Examples:
        safe-train parity --data runs/mine/shards --backbone llava-hf/llava-1.5-7b-hf --out parity.json
    """
    from safe_train.parity.parity import check_parity
    from safe_train.parity.parity_text import parity_lines

    report = check_parity(config)
    say(parity_lines(report))
    if config.out:
        wrote([config.out])
    return report.exit_code


def retention(
    *,
    out: Path,
    seed: tuple[int, ...] = (0, 1, 2),
    mechanism: tuple[str, ...] = ("no_retention", "kl", "fisher", "nullspace", "all_retention"),
    quiet: bool = False,
) -> int:
    """Compare what keeps the base's answers, on the demo's world; exit code 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the experiment; what it already holds is used again
        seed: seed of a world, its backbone and its training, 0 or more; one seed alone cannot be judged
        mechanism: preset that says what keeps the base's answers: no_retention, kl, fisher, nullspace or
            all_retention
        quiet: show no progress

    Examples:
        safe-train retention --out runs/retention --seed 0 --seed 1
    """
    from safe_train.experiments.retention import TABLE, exit_code, run_retention

    result = run_retention(out, seeds=seed, mechanisms=mechanism, quiet=quiet)
    say(["", *(out / TABLE).read_text("utf-8").split("\n")])
    wrote([out / "retention.json", out / TABLE])
    return exit_code(result)


def finetune(config: FinetuneConfig) -> int:
    """Teach a base to name the class of a sound by LoRA; exit code 0 go, 1 no-go, 2 not measured.

    It trains each seed, fits its temperature on dev and judges its test answers by the criteria.

    Examples:
        safe-train finetune runs/mine/shards --backbone runs/base --out runs/lora --epochs 8
        safe-train finetune runs/mine/shards --backbone runs/base --out runs/masked --time-shift-ms 50
    """
    from safe_eval.judging.verdict import EXIT_CODES
    from safe_train.finetune.finetune import finetune as tune
    from safe_train.finetune.finetune_text import finetune_lines

    found = tune(config)
    say(finetune_lines(found, config.run.out))
    return EXIT_CODES[found.verdict.decision]


def small_data(
    *, out: Path, size: Literal["small", "full"] = "small", speaker: str = "auto", quiet: bool = False
) -> int:
    """Study by which recipe few clips teach to tell speech from other sounds; exit code 0 go, 1 no-go, 2 not.

    Args:
        out: folder of the study; what it already holds is used again
        size: small takes minutes, full has all points of the grid, more clips and longer training
        speaker: who speaks: espeak-ng, formants (a made voice), or auto, espeak-ng where it is installed
        quiet: show no progress

    Examples:
        safe-train small-data --out runs/small_data
    """
    from safe_train.experiments.small_data import CSV, RESULT, TABLE, WRONG, exit_code, run_small_data

    result = run_small_data(out, size=size, speaker=speaker, quiet=quiet)
    say(["", *(out / TABLE).read_text("utf-8").split("\n")])
    wrote([out / name for name in (RESULT, TABLE, CSV, WRONG)])
    return exit_code(result)


COMMANDS: dict[str, Command] = {
    "demo": demo,
    "audit": audit,
    "stage-a": stage_a,
    "stage-b": stage_b,
    "stage-c": stage_c,
    "predict": predict,
    "gate": gate,
    "parity": parity,
    "retention": retention,
    "finetune": finetune,
    "small-data": small_data,
}


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


if __name__ == "__main__":
    sys.exit(main())
