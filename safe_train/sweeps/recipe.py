"""Recipe: the winner of a sweep as commands that train, ask and score it at full size."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safe_train.sweeps.grid import Grid
from safe_train.sweeps.point import Point
from safe_train.sweeps.result import SweepResult

# What belongs to a sweep on a small world, not to a recipe.
_SIZE = ("steps", "epochs", "validation_questions", "eval_steps", "checkpoint_steps", "tracker", "drift_stop")


def recipe(
    result: SweepResult, grid: Grid, points: Sequence[Point], shards: Sequence[Path], backbone: str
) -> str:
    """recipe.md: commands for the winner; without one, what is needed to find it."""
    lines = [f"# Recipe from sweep {result.grid}", ""]
    by_name = {point.name: point for point in points}
    winner = by_name.get(result.winner or "")
    if winner is None:
        needs = sorted({rule.needs for rule in result.rules if rule.needs})
        lines += ["No point was shown to be the choice, so there is no recipe.", ""]
        lines += [f"- {rule.name}: {rule.statement}" for rule in result.rules]
        lines += [f"- needed: {need}" for need in needs]
        return "\n".join([*lines, ""])
    why = "; ".join(rule.statement for rule in result.rules if rule.winner == winner.name)
    lines += [
        f"`{winner.name}` was chosen: {why}.",
        "",
        "Options that fix the size of a run are left out; give `--epochs` or `--steps` for the real data.",
        "",
    ]
    for seed in result.seeds:
        lines += [f"    {line}" for line in commands(winner, grid, shards, backbone, seed)] + [""]
    return "\n".join(lines)


def commands(point: Point, grid: Grid, shards: Sequence[Path], backbone: str, seed: int) -> list[str]:
    """The commands of one seed."""
    adapter = f"runs/{point.name}-seed-{seed}"
    base = backbone.replace("{seed}", str(seed))
    train = ["safe-train", "stage-a", *map(str, shards), "--backbone", base, "--out", adapter]
    train += [word for preset in point.presets for word in ("--config", preset)]
    train += [
        word for name, value in point.options.items() if name not in _SIZE for word in words(name, value)
    ]
    train += ["--seed", str(seed)]
    predictions = f"{adapter}/predictions.jsonl"
    ask = ["safe-train", "predict", adapter, str(shards[0]), "--backbone", base, "--out", predictions]
    ask += ["--condition", "full", "--condition", grid.irrelevant, "--split", "test"]
    score = ["safe-eval", "score", predictions, "--out", adapter]
    return [shlex.join(command) for command in (train, ask, score)]


def words(name: str, value: Any) -> list[str]:
    """An option as words of a command line.

    >>> words("tokens", (4, 8)), words("projector_lr", 0.003), words("layer", ()), words("bottleneck", None)
    (['--tokens', '4', '--tokens', '8'], ['--projector-lr', '0.003'], ['--layer=[]'], ['--bottleneck=null'])
    """
    option = "--" + name.replace("_", "-")
    if isinstance(value, tuple | list):
        return [word for one in value for word in (option, str(one))] or [f"{option}=[]"]
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, dict):
        import json

        return [option, json.dumps(value)]
    return [f"{option}=null"] if value is None else [option, str(value)]
