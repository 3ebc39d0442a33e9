"""The command that asks a model: run."""

from pathlib import Path

from safe_data.core.command import HOLDS, NOT_JUDGED
from safe_data.core.command_help import Topics, lists
from safe_data.core.terminal import complain, say
from safe_eval.run_options import ModelOptions, RunOptions


def _kinds_and_conditions() -> Topics:
    from safe_eval.condition import CONDITIONS, FAMILIES

    conditions = {**CONDITIONS, **{family.written: family.does for family in FAMILIES.values()}}
    kinds = {
        "transformers:PATH|ID": "an image-text-to-text, audio or text model of transformers",
        "openai:URL#MODEL": "a server with OpenAI's chat completions",
        "replay:FILE": "the answers of a predictions file",
        "python:MODULE:FUNCTION": "a function that takes an Input and returns a text",
        "safe:CHECKPOINT": "a checkpoint of safe-train, and its base",
    }
    return {"Models:": kinds, "Conditions (docs/modality.md):": conditions}


@lists(_kinds_and_conditions)
def run(
    *,
    model: str,
    data: tuple[Path, ...],
    out: Path,
    options: RunOptions,
    asked: ModelOptions,
    quiet: bool = False,
) -> int:
    """Ask a model every question of built datasets under each condition; exit code 2 if any answer failed.

    A run that was stopped or killed goes on when it is started again. `safe-eval score` scores what it wrote.

    Args:
        model: what to ask, as KIND:WHICH; see below
        data: folder of a built dataset; several are asked one after the other
        out: folder of the run, which gets predictions.jsonl and config.yaml
        quiet: show no progress

    Examples:
        safe-eval run --model openai:http://localhost:8000/v1#qwen --data shards/avqa --out runs/qwen
        safe-eval run --model python:mine:answer --data shards/vqa --condition mute_audio --out runs/deaf
        safe-eval run --model safe:runs/demo/adapter --data runs/demo/shards --limit 100 --out runs/again
    """
    from safe_eval.runner.dry_run import dry_run_lines
    from safe_eval.runner.evaluation import PREDICTIONS, Job, evaluate

    if options.dry_run:
        say(dry_run_lines(Job(model, data, out, options, asked)))
        return HOLDS
    evaluated = evaluate(model, data, out=out, options=options, asked=asked, quiet=quiet)
    finished = evaluated.finished
    note = "; it was finished before, and nothing was done" if evaluated.was_there else ""
    say([f"{out / PREDICTIONS}: {finished.rows} predictions, {finished.errors} errors{note}"])
    if finished.errors:
        complain([f"the first: {finished.first_error}", "ask those again with --retry-errors"])
    return NOT_JUDGED if finished.errors else HOLDS
