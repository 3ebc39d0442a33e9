"""safe-train: the demo; and its parts as commands: audit a plan, train stage A, predict, prove parity."""

import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED, Command, run
from safe_data.core.errors import InputError, require_extra
from safe_data.core.terminal import complain, say, wrote
from safe_train.demonstrating import demo, real
from safe_train.deploying import export, precision, serve
from safe_train.explaining import explain
from safe_train.finetuning import finetune, small_data
from safe_train.planning import plan, retention, sweep
from safe_train.presets import PRESETS
from safe_train.settings.audit import AuditConfig
from safe_train.settings.gate import GateConfig
from safe_train.settings.parity import ParityConfig
from safe_train.settings.predict import PredictConfig
from safe_train.settings.profile import ProfileConfig
from safe_train.settings.stage_b import StageBConfig
from safe_train.settings.stage_c import StageCConfig
from safe_train.settings.train import TrainConfig

SUMMARY = "Teach a frozen vision-language model to hear, and have it answer."

_TRAIN = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft")
# The demo also checks its shards and writes a report.
_EXTRAS = {
    "demo": ("train,gx,report", *_TRAIN, "great_expectations", "pandas", "jinja2", "altair", "vl_convert"),
    "real": (
        *("train,gx,report,real", *_TRAIN, "great_expectations", "pandas"),
        *("jinja2", "altair", "vl_convert", "gguf"),
    ),
    "retention": ("train,gx", *_TRAIN, "great_expectations", "pandas"),
    "plan": (
        *("train,gx,report,sweep", *_TRAIN, "great_expectations", "pandas"),
        *("jinja2", "markupsafe", "altair", "vl_convert", "optuna"),
    ),
    "sweep": ("train,sweep", *_TRAIN, "optuna"),
    "explain": ("train,explain", *_TRAIN, "captum"),
}


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

    from safe_train.retention.drift import DriftedError
    from safe_train.stages.stage_a import stage_a as train
    from safe_train.stages.stage_a_text import stage_a_lines

    try:
        trained = train(config)
    except DriftedError as stopped:
        if PartialState().is_main_process:
            complain([f"safe-train stage-a: {stopped}"])
        return DOES_NOT_HOLD
    if not PartialState().is_main_process:
        return HOLDS
    say(stage_a_lines(trained, config))
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


def profile(config: ProfileConfig) -> int:
    """Measure the time and memory of training and answers here; exit code 0 go, 1 no-go, 2 not measured.

    Of a checkpoint, or of a plan by its options. It writes tables and charts to OUT.

    Examples:
        safe-train profile runs/mine/adapter --data runs/mine/shards --backbone runs/base --out runs/profile
        safe-train profile --config baseline --data runs/mine/shards --backbone runs/base --out runs/plan
    """
    from safe_eval.judging.verdict import EXIT_CODES
    from safe_train.profiling.profile import profile_checkpoint
    from safe_train.profiling.profile_text import profile_lines
    from safe_train.profiling.result import PROFILE

    found = profile_checkpoint(config)
    say(profile_lines(found))
    wrote([config.out / PROFILE, config.out / "profile.md"])
    return EXIT_CODES[found.decision]


COMMANDS: dict[str, Command] = {
    "demo": demo,
    "real": real,
    "audit": audit,
    "stage-a": stage_a,
    "stage-b": stage_b,
    "stage-c": stage_c,
    "predict": predict,
    "gate": gate,
    "parity": parity,
    "profile": profile,
    "explain": explain,
    "retention": retention,
    "finetune": finetune,
    "small-data": small_data,
    "sweep": sweep,
    "plan": plan,
    "precision": precision,
    "export": export,
    "serve": serve,
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
