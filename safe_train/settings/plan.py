"""The settings of a plan: the data, the base, the seeds, and what each experiment does with them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, check_at_least_one, check_seed


@dataclass(frozen=True)
class PlanConfig:
    """What a plan runs: on a synthetic world and a toy that is taught to see it, or on your own.

    Raises:
        InputError: neither a world nor shards and a backbone are given, or both; a number outside its range.
    """

    world: str | None = None
    """synthetic world to make, and a toy that is taught to see it: plain, hard or foggy (default: shards and
    backbone are given)"""

    clips: int = 2400
    """clips of the synthetic world, at least 1"""

    shards: tuple[Path, ...] = ()
    """folders of your datasets"""

    backbone: str | None = None
    """your model, as a directory or a hub id"""

    seeds: tuple[int, ...] = (0, 1, 2)
    """seeds of trainings, 0 or more; the first is that of the synthetic world and its toy, too"""

    presets: tuple[str, ...] = ("demo",)
    """presets of stage A; a later one wins"""

    options: dict[str, Any] = field(default_factory=dict)
    """options of stage A, over its presets, such as steps: 800"""

    conditions: tuple[str, ...] = (
        "full",
        "gate_off",
        "mute_audio",
        "noise_audio",
        "swap_audio",
        "snr_10db",
    )
    """conditions under which the trained models answer the test split"""

    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """options of experiments, by name, over their defaults"""

    leave_out: tuple[str, ...] = ()
    """experiments that are not run; the checklist shows them as not measured"""

    def __post_init__(self) -> None:
        own = bool(self.shards) or self.backbone is not None
        if own == (self.world is not None):
            raise InputError("name a synthetic world, or shards and a backbone, and not both")
        if own and not (self.shards and self.backbone):
            raise InputError("shards and backbone: give both")
        check_at_least_one(self, "clips")
        for seed in self.seeds:
            check_seed(seed)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={[*self.seeds]}: name at least one seed, and each once")
