"""What the scale of the projector's output does, with and without a norm behind it, on the demo's world.

One stage A for each, seed 0, as in the preset `demo`; evaluated on the validation split. One seed of one tiny
model: evidence, not law.
"""

import json
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.timing import print_line
from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_train.presets import preset_config
from safe_train.stages.loop import EVALUATIONS
from safe_train.stages.stage_a import stage_a
from safe_train.toy.backbone import pretrain

CLIPS = 2000
SCALES = (None, 2.0, 10.0)


def main() -> None:
    """Train six pathways, and print the last evaluation of each."""
    print_line(benchmark="token_scale", **machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_world(root / "world", clips=CLIPS, seed=0)
        build_dataset(root / "world", root / "shards")
        pretrain(root / "backbone", seed=0)
        for token_norm in (True, False):
            for scale in SCALES:
                out = root / f"{token_norm}-{scale}"
                config = preset_config(
                    "demo",
                    shards=(root / "shards",),
                    backbone=root / "backbone",
                    out=out,
                    token_norm=token_norm,
                    tanh_scale=scale,
                    tracker=("none",),
                )
                stage_a(config)
                last = json.loads((out / EVALUATIONS).read_text().splitlines()[-1])
                print_line(benchmark="token_scale", token_norm=token_norm, tanh_scale=scale, **last)
