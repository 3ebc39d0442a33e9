"""Explaining: the command that shows what a checkpoint's answers rest on."""

from pathlib import Path

from safe_data.core.terminal import say, wrote
from safe_train.settings.explain import ExplainConfig


def explain(checkpoint: Path, shards: Path, *, backbone: str, out: Path, config: ExplainConfig) -> int:
    """Show what answers rest on, how the model attends, and when it fails; exit code of the sanity checks.

    0: the maps pass every check, 1: they fail one, 2: one was not measured. Each number is written with what
    it does not show. If the command is stopped, run it again to go on.

    Args:
        checkpoint: folder written by `safe-train stage-a`
        shards: folder of the dataset whose questions are explained
        backbone: model the checkpoint was trained for, as a directory or a hub id; any other is refused
        out: folder of explain.json, explain.md, items.csv and the charts; `safe-eval report RUN` shows what
            is in RUN/explain

    Examples:
        safe-train explain runs/mine/adapter runs/mine/shards --backbone base --out runs/mine/explain
        safe-train explain runs/mine/adapter runs/mine/shards --backbone base --segments 8 --out runs/fine
    """
    from safe_eval.judging.verdict import EXIT_CODES
    from safe_train.explain.explain import explain_checkpoint
    from safe_train.explain.explain_text import explanation_lines

    written = explain_checkpoint(checkpoint, shards, backbone=backbone, out=out, config=config)
    say(explanation_lines(written.found))
    wrote(written.files)
    return EXIT_CODES[written.found.decision]
