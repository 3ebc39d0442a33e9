"""What a base guesses and SAFE hears in a synthetic world, by what makes a question easy or hard.

`python -m benchmarks.worlds --world foggy --seed 1` goes the way of a user: the world, its shards, the toy
that knows the world's hints, stage A by the preset `demo`, and predictions of the test split. Each line is a
slice of the questions, with the accuracy of the base and of SAFE with its own sound, another's and none. The
last lines say how well the base's entropy tells where hearing corrects an answer.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.sounds import NOISE_DB
from safe_data.sources.synthetic.world import write_world
from safe_data.sources.synthetic.worlds import WORLDS
from safe_eval.models.token_batches import collate, pad_token
from safe_eval.prediction import BASE, Prediction
from safe_eval.statistics.auroc import auroc
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.prompts import encode_prompt
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.gates.states import joined, states_from
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.presets import preset_config
from safe_train.settings.predict import SAFE
from safe_train.stages.stage_a import stage_a
from safe_train.toy.backbone import pretrain, read_toy_backbone
from safe_train.toy.recipe import recipe_for

CLIPS, BATCH_SIZE = 2400, 64
TOKENS = (4, 8, 12)  # trained together; SAFE is asked with the most
CONDITIONS = ("full", "swap_audio", "mute_audio")
UNSURE = 0.5  # nats: above, a gate by entropy would rather listen
_ARMS = ((BASE, "full"), *((SAFE, condition) for condition in CONDITIONS))

Facts = dict[str, Any]
Slice = Callable[[Prediction, Facts], bool]


def main() -> None:
    """Print the lines of seed 0 of the hard and of the foggy world."""
    for world in ("hard", "foggy"):
        measure(world, seed=0)


def command(words: Sequence[str]) -> int:
    """Measure one world and seed; with a folder, what is made stays there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds")
    parser.add_argument(
        "--world", choices=[name for name, one in WORLDS.items() if not one.speech], default="hard"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--out", type=Path, help="new folder for what is made (default: none is kept)")
    asked = parser.parse_args(words)
    measure(asked.world, seed=asked.seed, clips=asked.clips, out=asked.out)
    return 0


def measure(world: str, *, seed: int, clips: int = CLIPS, out: Path | None = None, **settings: Any) -> None:
    """Make everything of a world and print its lines; `settings` are options of stage A."""
    import torch

    torch.set_num_threads(1)
    print_line(benchmark="worlds", world=world, seed=seed, clips=clips, **describe())
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        with _timed(world, seed, "world and shards"):
            write_world(folder / "world", clips=clips, seed=seed, world=world)
            build_dataset(folder / "world", folder / "shards")
        with _timed(world, seed, "toy"):
            pretrain(folder / "backbone", seed=seed, recipe=recipe_for(world))
        taught = read_toy_backbone(folder / "backbone").held_out_accuracy
        print_line(world=world, seed=seed, slice="pictures the toy never saw", base=taught)
        # What was kept is measured below, on more questions than would stop a drifting run.
        settings = {"drift_stop": None, "seed": seed, "tokens": TOKENS, **settings}
        where: Facts = {"backbone": folder / "backbone", "out": folder / "adapter"}
        plan = preset_config("demo", shards=(folder / "shards",), **where, **settings)
        with _timed(world, seed, "stage A"):
            stage_a(plan)
        dataset = ShardDataset(folder / "shards", "test")
        with _timed(world, seed, "predictions"):
            checkpoint, backbone = read_checkpoint(folder / "adapter"), load_backbone(folder / "backbone")
            model = attach_checkpoint(checkpoint, load_backbone(folder / "backbone"))
            asked = predictions(
                *(model, backbone, dataset, wanted_encoders(checkpoint), CONDITIONS),
                seed=seed,
                batch_size=BATCH_SIZE,
            )
            rows = {(row.model, row.condition, row.example_id): row for row in asked}
        for line in (*accuracies(rows), *tells(rows, _entropies(backbone, dataset))):
            print_line(world=world, seed=seed, **line)


@contextmanager
def _timed(world: str, seed: int, what: str) -> Iterator[None]:
    start = perf_counter()
    yield
    print_line(world=world, seed=seed, step=what, seconds=perf_counter() - start)


def slices() -> dict[str, Slice]:
    """The slices of the questions, by name."""

    def told(row: Prediction, facts: Facts) -> bool:
        return bool(row.needs_audio and facts.get("picture_tells"))

    found: dict[str, Slice] = {
        "VL": lambda row, _: not row.needs_audio,
        "VL, clear": lambda row, facts: not row.needs_audio and not facts.get("fog"),
        "VL, in fog": lambda row, facts: not row.needs_audio and bool(facts.get("fog")),
        "audio": lambda row, _: bool(row.needs_audio),
        "audio, the hint is true": lambda row, facts: told(row, facts) and not facts["contradicts"],
        "audio, the hint misleads": lambda row, facts: told(row, facts) and facts["contradicts"],
        "audio, no hint": lambda row, facts: bool(row.needs_audio) and not told(row, facts),
        "audio, nothing is heard": lambda row, _: bool(row.needs_audio) and row.references == ("zero",),
        "audio, a murmur": lambda row, facts: bool(row.needs_audio and facts.get("murmur")),
    }

    def of_level(level: str) -> Slice:
        return lambda row, facts: bool(row.needs_audio) and facts.get("difficulty") == level

    return found | {f"audio, {level}": of_level(level) for level in NOISE_DB}


def accuracies(rows: dict[tuple[str, str, str], Prediction]) -> Iterator[Facts]:
    """A line for each slice: how many questions, and the accuracy in each arm."""
    asked = [row for (model, _, _), row in rows.items() if model == BASE]
    for name, inside in slices().items():
        ids = [row.example_id for row in asked if inside(row, row.metadata or {})]
        if ids:
            shares = {
                model if model == BASE else f"{model} {condition}": np.mean(
                    [_right(rows[model, condition, one]) for one in ids]
                )
                for model, condition in _ARMS
            }
            yield {"slice": name, "questions": len(ids), **{arm: float(x) for arm, x in shares.items()}}


def tells(rows: dict[tuple[str, str, str], Prediction], entropy: dict[str, float]) -> Iterator[Facts]:
    """How well entropy tells where hearing corrects the base, and how often pictures leave it unsure."""
    asked = [row for (model, _, _), row in rows.items() if model == BASE]
    corrected = np.array([not _right(row) and _right(rows[SAFE, "full", row.example_id]) for row in asked])
    values = np.array([entropy[row.example_id] for row in asked])
    audio = np.array([bool(row.needs_audio) for row in asked])
    for name, chosen in (("all", np.ones_like(audio)), ("audio", audio)):
        share = float(corrected[chosen].mean())
        found = auroc(values[chosen], corrected[chosen]) if 0 < share < 1 else None
        yield {"auroc_of_entropy": found, "questions": name, "corrected_by_hearing": share}
    yield {"base_entropy_above": UNSURE, "questions": "VL", "share": float((values[~audio] > UNSURE).mean())}


def _right(row: Prediction) -> bool:
    return row.answer in row.references


def _entropies(backbone: Backbone, dataset: ShardDataset) -> dict[str, float]:
    """The entropy of the base's first token, in nats, for each question."""
    import torch

    asked = [(index, one) for index in range(len(dataset)) for one in dataset.record(index).examples]
    parts = []
    for start in range(0, len(asked), BATCH_SIZE):
        prompts = [
            encode_prompt(backbone.processor, example.prompt, dataset.image(index))
            for index, example in asked[start : start + BATCH_SIZE]
        ]
        batch = collate(prompts, pad_token(backbone.processor))
        with torch.no_grad():
            first = backbone.model(**batch, logits_to_keep=1).logits[:, -1]
        parts.append(states_from(first, first[:, :1]))
    entropy: Float64[ndarray, " questions"] = joined(parts).entropy
    return {example.id: float(value) for (_, example), value in zip(asked, entropy, strict=True)}


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
