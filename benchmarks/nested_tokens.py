"""One pathway trained for several numbers of audio tokens, beside one trained for each number alone.

`python -m benchmarks.nested_tokens --seed 1 --out runs/nested` makes the world, its shards and the toy of a
seed, and trains by the preset `demo` with tokens [4, 8, 12], and with 4, with 8 and with 12, on the same data
from the same base. Each line compares the two on the test split, at one number of tokens: audio questions
with their own sound, and vision questions with an irrelevant one, of which greedy decoding would give exactly
the answer. Goal: at most half a point below the pathway of that number alone.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_data.sources.synthetic.worlds import WORLDS
from safe_train.base.backbone import load_backbone
from safe_train.base.prompts import Prompts
from safe_train.batches import Loader
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.corpora import Corpora
from safe_train.presets import preset_config
from safe_train.questions import read_questions
from safe_train.retention.distillation import answer_logits
from safe_train.stages.evaluation import Evaluation, is_right
from safe_train.stages.stage_a import stage_a
from safe_train.toy.backbone import pretrain
from safe_train.toy.recipe import recipe_for

NESTED = (4, 8, 12)
SEEDS = (0, 1, 2)
WORLD = "hard"  # in the plain one, every number of tokens answers nearly all
CLIPS, ROWS, ALL = 2000, 100, 10**9
MOST_LOST = 0.005  # of accuracy: half a point


class Found(NamedTuple):
    """Which test questions a pathway answers right by so many tokens, and its training's CPU seconds."""

    audio: dict[int, ndarray]
    vl: dict[int, ndarray]
    seconds: float


def main() -> None:
    """Print the lines of all seeds."""
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), SEEDS, WORLD)


def command(words: Sequence[str]) -> int:
    """Measure some seeds; what is made stays in the folder, and is used again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nested_tokens")
    parser.add_argument("--seed", type=int, action="append", help="a seed; may be given several times")
    parser.add_argument("--out", type=Path, required=True, help="the folder of what is made")
    parser.add_argument("--world", choices=tuple(WORLDS), default=WORLD)
    given = parser.parse_args(words)
    measure(given.out, given.seed or SEEDS, given.world)
    return 0


def measure(out: Path, seeds: Sequence[int], world: str) -> None:
    """Print a line for each seed and number of tokens, and for each number over the seeds."""
    import torch

    torch.set_num_threads(1)
    print_line(benchmark="nested_tokens", world=world, **describe())
    lost: dict[tuple[str, int], list[float]] = {}
    for seed in seeds:
        folder = out / f"{world}-{seed}"
        write_world(folder / "world", clips=CLIPS, seed=seed, world=world)
        build_dataset(folder / "world", folder / "shards", encoders=("logmel",))
        pretrain(folder / "backbone", seed=seed, recipe=recipe_for(world))
        nested = _trained(folder, seed, NESTED)
        for tokens in NESTED:
            fixed = _trained(folder, seed, tokens)
            for what in ("audio", "vl"):
                ours, alone = getattr(nested, what)[tokens], getattr(fixed, what)[tokens]
                lost.setdefault((what, tokens), []).append(float(alone.mean() - ours.mean()))
                _print_pair(seed, what, tokens, ours, alone, nested.seconds / fixed.seconds)
    for (what, tokens), losses in lost.items():
        print_line(
            benchmark="nested_tokens",
            what=f"{what} questions, mean over seeds {list(seeds)}",
            tokens=tokens,
            lost_points=100 * float(np.mean(losses)),
            most_lost_points=100 * max(losses),
            goal="<= 0.5",
            met=max(losses) <= MOST_LOST,
        )


def _trained(folder: Path, seed: int, tokens: int | tuple[int, ...]) -> Found:
    """Train with these tokens, and answer the test split by each number that was trained."""
    import torch

    name = "-".join(map(str, tokens if isinstance(tokens, tuple) else (tokens,)))
    config = preset_config(
        "demo",
        shards=(folder / "shards",),
        backbone=folder / "backbone",
        out=folder / f"tokens-{name}",
        **{"tokens": tokens, "seed": seed, "eval_steps": 0, "tracker": ("none",), "quiet": True},
    )
    start = process_time()
    stage_a(config)
    seconds = process_time() - start
    backbone = load_backbone(folder / "backbone")
    model = attach_checkpoint(read_checkpoint(config.run.out), backbone)
    questions = read_questions(Corpora([folder / "shards"], "test"), quiet=True)
    loader = Loader(questions, backbone.processor, Prompts(backbone.processor, config.asking))
    asked = Evaluation(loader, questions=ALL, seed=seed, rows=ROWS)
    found = Found({}, {}, seconds)
    for budget in config.pathway.budgets:
        for rows, right in ((asked.audio, found.audio), (asked.vl, found.vl)):
            answers = []
            for batch in loader.batches(rows, ROWS):
                with torch.no_grad(), model.fuse(audio=batch.audio, tokens=budget):
                    answers.append(is_right(answer_logits(model.base, batch), batch).numpy())
            right[budget] = np.concatenate(answers)
    model.detach()
    return found


def _print_pair(seed: int, what: str, tokens: int, ours: ndarray, alone: ndarray, time: float) -> None:
    lost = float(alone.mean() - ours.mean())
    print_line(
        benchmark="nested_tokens",
        what=f"{what} questions",
        seed=seed,
        tokens=tokens,
        ours=float(ours.mean()),
        reference=float(alone.mean()),
        lost_points=100 * lost,
        goal="<= 0.5",
        met=lost <= MOST_LOST,
        questions=len(ours),
        training_cpu_ratio=time,
    )


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
