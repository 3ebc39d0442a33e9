"""The settings of a sweep: which grid is run, where, and on what."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_at_least_one, check_choices, check_seed

SweepEngine = Literal["local", "ray"]


@dataclass(frozen=True)
class SweepConfig:
    """Which grid is run, and what it is run on.

    Raises:
        InputError: a number outside the range that its option names, no such choice, or --out is missing.
    """

    grid: str = field(metadata={"positional": True})
    """YAML file of the grid, or the name of one that ships with SAFE, such as demo or tokens (docs/sweeps.md
    lists them)"""

    out: Path | None = None
    """folder of the trials and the results; the same command goes on where it was stopped"""

    shards: tuple[Path, ...] = ()
    """folders of the datasets to train on (default: those of the grid, or its world); the first is asked"""

    backbone: str | None = None
    """vision-language model, as a directory or a hub id; {seed} in it stands for the seed of a trial
    (default: that of the grid, or one taught for each seed)"""

    world: str | None = None
    """make a synthetic world, such as hard, and a toy backbone for each seed, instead of --shards and
    --backbone (default: what the grid says)"""

    presets: tuple[str, ...] = field(default=(), metadata={"option": "preset"})
    """preset that every point is a change of, such as demo (default: what the grid says)"""

    changes: tuple[str, ...] = field(default=(), metadata={"option": "set"})
    """an option of every point as NAME=VALUE, such as steps=200; it wins over the grid's own"""

    seeds: tuple[int, ...] = field(default=(), metadata={"option": "seed", "nargs": "+"})
    """seeds of each point, 0 or more (default: those of the grid)"""

    only: tuple[str, ...] = ()
    """name of a point to run, such as k4-r8; the results then say which are missing (default: all)"""

    engine: SweepEngine = "local"
    """local: one trial after another; ray: several at a time by Ray Tune, with the same results"""

    workers: int = 2
    """trials at a time with --engine ray, at least 1"""

    address: str | None = None
    """address of a Ray cluster, whose nodes share the folders (default: a Ray started here)"""

    dry_run: bool = False
    """train nothing: print the points in their order, and the steps"""

    audit: str | None = None
    """model whose config.json, as a file, a directory or a hub id, a dry run counts parameters and memory
    for; no weights are needed"""

    quiet: bool = False
    """show no progress"""

    force: bool = False
    """start over the trials that OUT holds of other settings (default: refuse them)"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "workers")
        check_choices(self, engine=get_args(SweepEngine))
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seed={list(self.seeds)}: name each seed once")
        for seed in self.seeds:
            check_seed(seed)
        if self.out is None and not self.dry_run:
            raise InputError("a sweep needs a folder: add --out DIR, or --dry-run to see what it would do")
        if self.audit is not None and not self.dry_run:
            raise InputError(f"audit={self.audit!r}: is counted in a dry run; add --dry-run")
        if self.world is not None and (self.shards or self.backbone):
            raise InputError("--world makes shards and a backbone; leave out --shards and --backbone")
