"""Plan questions: how many questions the data of a plan has, and how many steps an epoch of them takes.

They are counted before anything is made or trained: by the manifests of shards, or by the rules of a
synthetic world. What is not there yet is not known, and is None.
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from safe_data.core.errors import InputError
from safe_data.sampling.mixture import exact_shares
from safe_data.shards.layout import MANIFEST, read_dataset
from safe_data.sources.synthetic.world import ABOUT_EACH, clips_of_splits
from safe_data.sources.synthetic.worlds import find_world
from safe_train.settings.plan import PlanConfig
from safe_train.settings.train import TrainConfig

NOT_THERE = "the shards are not there, so questions are not counted"


class Questions(NamedTuple):
    """The questions of a split, and those of them that need the sound."""

    all: int
    audio: int

    @property
    def vl(self) -> int:
        """Those that do not need the sound."""
        return self.all - self.audio


NO_QUESTIONS = Questions(0, 0)


def questions_of(plan: PlanConfig, split: str) -> Questions | None:
    """The questions of a split of all datasets of a plan together; None if one is not there."""
    found = by_dataset(plan, split)
    if found is None:
        return None
    return Questions(sum(one.all for one in found.values()), sum(one.audio for one in found.values()))


def by_dataset(plan: PlanConfig, split: str) -> dict[str, Questions] | None:
    """The questions of a split of each dataset, in the plan's order; none where it has no such split."""
    if plan.world is not None:
        clips = _clips_of(plan.world, plan.clips, plan.seeds[0]).get(split, 0)
        return {find_world(plan.world).dataset: Questions(2 * ABOUT_EACH * clips, ABOUT_EACH * clips)}
    found = {}
    for folder in plan.shards:
        try:
            name = read_dataset(folder).name
            found[name] = _counted(str(folder), (folder / MANIFEST).stat().st_mtime_ns).get(
                split, NO_QUESTIONS
            )
        except (InputError, OSError):
            return None
    return found


@cache
def _clips_of(world: str, clips: int, seed: int) -> Mapping[str, int]:
    return clips_of_splits(world, clips=clips, seed=seed)


@cache
def _counted(folder: str, _changed: int) -> Mapping[str, Questions]:
    """The questions of each split by a manifest; one that needs the sound of a clip without one is none."""
    table = pq.read_table(
        Path(folder) / MANIFEST, columns=["split", "status", "has_audio", "examples", "audio_examples"]
    )
    table = table.filter(pc.equal(table["status"], "ok"))
    found = {}
    for split in table["split"].unique().to_pylist():
        rows = table.filter(pc.equal(table["split"], split))
        every, audio = pc.sum(rows["examples"]).as_py(), pc.sum(rows["audio_examples"]).as_py()
        silent = rows.filter(pc.invert(rows["has_audio"]))
        lost = pc.sum(silent["audio_examples"]).as_py() or 0
        found[split] = Questions(every - lost, audio - lost)
    return found


def steps_of_training(plan: PlanConfig, config: TrainConfig) -> int | None:
    """The steps of a training, which are those of its epochs where it has no number; None if not known."""
    optim, data = config.optim, config.data
    if optim.steps is not None:
        return optim.steps
    found = by_dataset(plan, data.split)
    if found is None or data.curriculum is not None:
        return None
    shares = exact_shares(data.weights)
    names = [name for name in shares if name.rpartition("/")[2] == "audio"] or list(shares)
    questions = sum(_of_pool(name, found) for name in names)
    if data.examples is not None:
        questions = min(questions, data.examples)
    rows = optim.batch_size * sum(shares[name] for name in names)
    epoch = max(1, math.ceil(questions / rows))
    return math.ceil((1.0 if optim.epochs is None else optim.epochs) * epoch)


def _of_pool(name: str, found: Mapping[str, Questions]) -> int:
    """The questions of a role, or of one dataset in a role."""
    dataset, _, role = name.rpartition("/")
    chosen = [one for key, one in found.items() if not dataset or key == dataset]
    return sum(one.vl if role == "vl" else one.audio for one in chosen)
