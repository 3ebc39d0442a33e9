"""Point: one choice of options, with a readable name that is its folder; and a grid's points in order."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_train.presets import preset_config
from safe_train.settings.train import TrainConfig
from safe_train.sweeps.grid import Grid, checked

DIGITS = 4  # of a drawn number, so that its name is all of it

# The letters that the field uses for these options; others have their own name.
_SHORT = {
    "tokens": "k",
    "rank": "r",
    "kl_weight": "kl",
    "projector_lr": "plr",
    "fusion_lr": "flr",
    "lora_rank": "lora",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "residual_scale": "scale",
    "temperature": "t",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Point:
    """One choice of options; `options` are those that it has beside the presets."""

    name: str
    presets: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    varied: dict[str, Any] = field(default_factory=dict)

    def config(
        self,
        *,
        shards: Sequence[Path],
        backbone: str | Path,
        out: Path,
        seed: int,
        quiet: bool = False,
        force: bool = False,
    ) -> TrainConfig:
        """The settings of one trial.

        A run that drifts goes on to its end, unless an option says otherwise: what it lost is to be seen.

        Raises:
            InputError: the options do not go together.
        """
        options = {"drift_stop": None, "tracker": ("none",)} | self.options
        options |= {"seed": seed, "quiet": quiet, "force": force}
        try:
            return preset_config(*self.presets, shards=tuple(shards), backbone=backbone, out=out, **options)
        except InputError as error:
            raise InputError(f"point {self.name}: {error.lines[0]}", *error.lines[1:]) from None


def points_of(grid: Grid) -> tuple[Point, ...]:
    """The points of a grid that lists them all, in the order of the file.

    Raises:
        InputError: two points have one name.
    """
    if grid.points:
        return tuple(
            Point(
                listed.name,
                (*grid.presets, *listed.presets),
                _typed(grid.options | listed.options),
                _typed(listed.options) | ({"preset": " ".join(listed.presets)} if listed.presets else {}),
            )
            for listed in grid.points
        )
    lists = [
        [(name, value) for value in values] for name, values in grid.vary.items() if isinstance(values, list)
    ]
    found = tuple(point_of(grid, dict(choice)) for choice in itertools.product(*lists))
    names = [point.name for point in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two points are called {name}; name them under 'points'")
    return found


def point_of(grid: Grid, choice: Mapping[str, Any]) -> Point:
    """The point of a choice of what varies.

    >>> from safe_train.sweeps.grid import Grid
    >>> grid = Grid(vary={"tokens": [4], "rank": [8]}, options={"steps": 9})
    >>> point_of(grid, {"tokens": 4, "rank": 8}).name, point_of(grid, {"location": "early"}).name
    ('k4-r8', 'location_early')
    """
    varied = _typed(choice)
    return Point(point_name(varied), grid.presets, _typed(grid.options) | varied, varied)


def point_name(varied: Mapping[str, Any]) -> str:
    """A readable name for what varies.

    >>> point_name({"encoder": ("clap", "whisper"), "residual_scale": 0.05, "bottleneck": None})
    'encoder_clap+whisper-scale0.05-bottleneck_null'
    """
    return "-".join(_part(name, value) for name, value in varied.items())


def _part(name: str, value: Any) -> str:
    short = _SHORT.get(name, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    values = value if isinstance(value, tuple | list) else (value,)
    written = "+".join(_written(one) for one in values)
    return _UNSAFE.sub("_", f"{short}{written}" if is_number else f"{short}_{written}")


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def rounded(value: float) -> float:
    """A drawn number, as its point's name says it.

    >>> rounded(0.00012345678)
    0.0001235
    """
    return float(f"{value:.{DIGITS}g}")


def _typed(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: checked(name, value) for name, value in options.items()}


def check_only(only: Sequence[str], points: Sequence[Point]) -> None:
    """Refuse the name of a point that the grid does not have.

    Raises:
        InputError: there is no such point.
    """
    names = [point.name for point in points]
    for name in only:
        if name not in names:
            hint = did_you_mean(name, names, f"points are {', '.join(names)}")
            raise InputError(f"only={name!r}: {hint}")
