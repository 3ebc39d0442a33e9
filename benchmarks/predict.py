"""`safe-train predict`: five conditions in one run, against five runs of one condition each.

The world and the models are those of the demo. The base is asked in every run, as the command does it.
"""

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import process
from benchmarks.machine import describe
from benchmarks.timing import in_turns, print_line, print_ratio, seconds
from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.presets import preset_config
from safe_train.stages.stage_a import stage_a
from safe_train.toy.backbone import pretrain

CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off", "noise_audio")
CLIPS, STEPS, BATCH_SIZE, REPEATS = 2000, 200, 64, 3
GOAL = 0.45


class World(NamedTuple):
    """The folders of a dataset, a backbone and an adapter."""

    shards: Path
    backbone: Path
    adapter: Path


def main() -> None:
    """Time both ways in turns, as whole processes and in this one."""
    print_line(benchmark="predict", **describe())
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        _whole_processes(world, Path(folder))
        _in_one_process(world)


def make_world(folder: Path) -> World:
    """Make a world, teach its backbone, and train a pathway for it."""
    world = World(folder / "shards", folder / "backbone", folder / "adapter")
    write_world(folder / "world", clips=CLIPS, seed=0)
    build_dataset(folder / "world", world.shards)
    pretrain(world.backbone, seed=0)
    options = {"shards": (world.shards,), "backbone": world.backbone, "out": world.adapter}
    stage_a(preset_config("demo", **options, steps=STEPS, seed=0))
    return world


def _whole_processes(world: World, folder: Path) -> None:
    names = (folder / f"{number}.jsonl" for number in itertools.count())
    peaks: list[float] = []

    def run(conditions: Sequence[str]) -> float:
        asked = [word for condition in conditions for word in ("--condition", condition)]
        taken = process.run([*_command(world), "--out", next(names), *asked])
        peaks.append(taken.peak_mb)
        return taken.wall_seconds

    together, apart = in_turns(
        REPEATS, lambda: run(CONDITIONS), lambda: sum(run([condition]) for condition in CONDITIONS)
    )
    _print("whole processes", together, apart, peak_mb=max(peaks))


def _command(world: World) -> list[str | Path]:
    start = "import sys, safe_train.cli as c; sys.exit(c.main(sys.argv[1:]))"
    return [
        *(sys.executable, "-c", start, "predict", world.adapter, world.shards),
        *("--backbone", world.backbone, "--batch-size", str(BATCH_SIZE), "--quiet"),
    ]


def _in_one_process(world: World) -> None:
    checkpoint, backbone = read_checkpoint(world.adapter), load_backbone(world.backbone)
    model = attach_checkpoint(checkpoint, backbone)
    dataset, encoders = ShardDataset(world.shards, "test"), wanted_encoders(checkpoint)

    def run(conditions: Sequence[str]) -> float:
        rows = predictions(model, backbone, dataset, encoders, conditions, batch_size=BATCH_SIZE)
        return seconds(lambda: list(rows))

    run(["full"])  # the first run of a process is slower
    together, apart = in_turns(
        REPEATS, lambda: run(CONDITIONS), lambda: sum(run([condition]) for condition in CONDITIONS)
    )
    _print("one process, without loading", together, apart)


def _print(where: str, together: Sequence[float], apart: Sequence[float], **more: float) -> None:
    what = f"{len(CONDITIONS)} conditions in one run against as many runs, {where}"
    sizes = {"clips": CLIPS, "batch": BATCH_SIZE, "seconds_saved": median(apart) - median(together), **more}
    print_ratio("predict", what, "s", together, apart, sizes, at_most=GOAL)
