"""Finetuning: the commands that teach a base to name the class of a sound, and study how."""

from pathlib import Path
from typing import Literal

from safe_data.core.terminal import say, wrote
from safe_train.settings.finetune import FinetuneConfig


def finetune(config: FinetuneConfig) -> int:
    """Teach a base to name the class of a sound by LoRA; exit code 0 go, 1 no-go, 2 not measured.

    It trains each seed, fits its temperature on dev and judges its test answers by the criteria.

    Examples:
        safe-train finetune runs/mine/shards --backbone runs/base --out runs/lora --epochs 8
        safe-train finetune runs/mine/shards --backbone runs/base --out runs/masked --time-shift-ms 50
    """
    from safe_eval.judging.verdict import EXIT_CODES
    from safe_train.finetune.finetune import run_finetune
    from safe_train.finetune.finetune_text import finetune_lines

    found = run_finetune(config)
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
