"""Grid file: which points a sweep runs, on which seeds, and what chooses among them. YAML.

    about: How many audio tokens are enough?
    presets: [baseline]              # presets of stage A that every point changes
    options: {steps: 2000}           # and single options
    vary:                            # every combination, the last one fastest
      tokens: [4, 8, 12]
      rank: [4, 8]
    seeds: [0, 1, 2]
    rules: [...]                     # safe_train/sweeps/rules_file.py

Instead of `vary`, `points` lists them: each with a `name`, and `presets` or `options` of its own. With
`search: random` or `tpe` and a number of `trials`, an option may be `{low: 1e-5, high: 1e-3, log: true}`.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator, model_validator

from safe_data.core.errors import InputError, Place, did_you_mean, explain, raise_row_errors
from safe_data.core.options_file import option_name
from safe_data.core.yaml_file import line_of, load_yaml, read_yaml
from safe_train.presets import PRESETS, preset_config
from safe_train.settings.train import TrainConfig
from safe_train.sweeps.rules_file import Block, Name, Rule

GRIDS = PRESETS / "sweeps"

Share = Annotated[float, Field(ge=0, lt=1)]
# What a sweep sets itself, for each trial.
_OURS = ("shards", "backbone", "out", "seed", "quiet", "force")


class Drawn(Block):
    """Numbers to draw between `low` and `high`: whole ones if both are; on a logarithmic scale with `log`."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "Drawn":
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low={self.low}, high={self.high}: low must be below high, and both finite")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low}: must be above 0 on a logarithmic scale")
        return self

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class Listed(Block):
    """A point that the file lists."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]
    presets: tuple[Name, ...] = ()
    options: dict[Name, Any] = Field(default_factory=dict)


class Pruning(Block):
    """When a trial is stopped early, at its evaluations from step `after` on.

    `drift`: VL questions are shown to lose more accuracy than this. `loss`: the recent loss is above this
    percentile of what the points before had at the same step, such as 50; the first `startup` points run on.
    """

    drift: Share | None = None
    loss: Annotated[float, Field(gt=0, le=100)] | None = None
    startup: Annotated[int, Field(ge=1)] = 4
    after: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _prunes(self) -> "Pruning":
        if self.drift is None and self.loss is None:
            raise ValueError("give 'drift', 'loss' or both; or write `pruning: off`")
        return self


class Objective(Block):
    """What TPE maximises, and the drift that it must stay below."""

    metric: Literal["audio_score", "audio_gain", "vl_score"] = "audio_score"
    drift_at_most: Share | None = 0.01


class Metrics(Block):
    """The metric of safe_eval that scores audio questions, and the one that scores VL questions."""

    audio: Name = "accuracy"
    vl: Name = "accuracy"


class Grid(Block):
    """The content of a grid file."""

    about: str = ""
    presets: tuple[Name, ...] = ()
    options: dict[Name, Any] = Field(default_factory=dict)
    world: Name | None = None
    world_seed: Annotated[int, Field(ge=0)] = 0
    clips: Annotated[int, Field(ge=20)] = 2400
    toy: dict[Name, int | float] = Field(default_factory=dict)
    shards: tuple[Name, ...] = ()
    backbone: Name | None = None
    vary: dict[Name, Drawn | Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    points: tuple[Listed, ...] = ()
    search: Literal["grid", "random", "tpe"] = "grid"
    trials: Annotated[int, Field(ge=1)] | None = None
    search_seed: Annotated[int, Field(ge=0)] = 0
    at_once: Annotated[int, Field(ge=1)] = 1
    objective: Objective = Field(default_factory=Objective)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    pruning: Pruning | None = None
    split: Name = "val"
    irrelevant: Literal["swap_audio", "noise_audio", "mute_audio"] = "swap_audio"
    metrics: Metrics = Field(default_factory=Metrics)
    batch_size: Annotated[int, Field(ge=1)] = 64
    latency_questions: Annotated[int, Field(ge=0)] = 20
    rules: tuple[Rule, ...] = ()
    confidence: Annotated[float, Field(gt=0.75, lt=1)] = 0.95

    @field_validator("pruning", mode="before")
    @classmethod
    def _may_be_off(cls, given: Any) -> Any:
        return None if given is False or given == "off" else given  # YAML reads a bare off as false

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"seeds={list(seeds)}: name each seed once")
        return seeds

    @model_validator(mode="after")
    def _has_points(self) -> "Grid":
        if bool(self.vary) == bool(self.points):
            raise ValueError("give 'vary' or 'points', one of them")
        drawn = [name for name, values in self.vary.items() if isinstance(values, Drawn)]
        if self.search == "grid" and drawn:
            raise ValueError(
                f"vary.{drawn[0]}: a range is drawn from; list its values, or set `search: random`"
            )
        if self.search == "grid" and self.trials is not None:
            raise ValueError(
                "trials: a grid runs all its points; leave it out, or set `search: random` or `tpe`"
            )
        if self.search != "grid" and (self.points or self.trials is None):
            raise ValueError(f"search: {self.search} needs 'vary' and a number of 'trials'")
        if self.world is not None and (self.shards or self.backbone):
            raise ValueError("'world' makes shards and a backbone; leave out 'shards' and 'backbone'")
        return self


def grid_names() -> list[str]:
    """The names of the grids that ship with SAFE."""
    return sorted(file.stem for file in GRIDS.glob("*.yaml"))


def read_grid(source: str) -> Grid:
    """Read a grid from a YAML file, or one that ships with SAFE by its name.

    Raises:
        InputError: there is no such file or name, or it is no grid; every fault is named with its line.
    """
    path = Path(source)
    if not path.is_file():
        path, known = GRIDS / f"{source}.yaml", grid_names()
        if source not in known:
            hint = did_you_mean(source, known, f"grids are {', '.join(known)}")
            raise InputError(f"{source}: is neither a file nor the name of a grid; {hint}")
    node, content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys such as 'vary', 'seeds' and 'rules'")
    grid: Grid | None = None
    try:
        grid = Grid.model_validate(content)
        faults = _option_faults(grid)
    except ValidationError as error:
        faults = explain(error, _known_fields)
    raise_row_errors([f"{path.name}:{line_of(node, place)}: {fault}" for place, fault in faults], str(path))
    if grid is None:
        raise InputError(f"{path}: is no grid")
    return grid


def _known_fields(place: Place) -> list[str]:
    """The fields that may stand where an unknown one does."""
    blocks: dict[str, type[BaseModel]] = {
        "pruning": Pruning,
        "objective": Objective,
        "metrics": Metrics,
        "points": Listed,
        "vary": Drawn,
    }
    return list((Grid if len(place) == 1 else blocks.get(str(place[0]), Grid)).model_fields)


def _option_faults(grid: Grid) -> list[tuple[Place, str]]:
    """What is wrong with options, which only stage A's settings know."""
    faults: list[tuple[Place, str]] = []
    places: list[tuple[Place, Mapping[str, Any]]] = [(("options",), grid.options)]
    places += [(("points", at, "options"), point.options) for at, point in enumerate(grid.points)]
    places += [
        (("vary",), {name: value})
        for name, values in grid.vary.items()
        for value in ([values.low, values.high] if isinstance(values, Drawn) else values)
    ]
    for place, options in places:
        for name, value in options.items():
            try:
                checked(name, value)
            except InputError as error:
                faults.append(((*place, name), str(error)))
    names = [point.name for point in grid.points]
    faults += [
        (("points", at), f"the name {name!r} is taken; give each point another one")
        for at, name in enumerate(names)
        if name in names[:at]
    ]
    for at, presets in (
        (("presets",), grid.presets),
        *((("points", n), p.presets) for n, p in enumerate(grid.points)),
    ):
        try:
            preset_config(*presets, shards=(Path("shards"),), backbone="backbone", out=Path("out"))
        except InputError as error:
            faults.append((at, str(error)))
    if grid.toy:
        faults += [(("toy", name), fault) for name, fault in _toy_faults(grid.toy)]
    return list(dict.fromkeys(faults))


def _toy_faults(changes: Mapping[str, float]) -> list[tuple[str, str]]:
    from safe_train.toy.recipe import Recipe

    known = [field.name for field in fields(Recipe) if field.name not in ("version", "world")]
    return [
        (
            name,
            f"toy.{name} is no part of the toy's recipe; {did_you_mean(name, known, f'there are {known}')}",
        )
        for name in changes
        if name not in known
    ]


def checked(name: str, value: Any) -> Any:
    """The value of an option of stage A, in the type of its setting.

    Raises:
        InputError: there is no such option, a sweep sets it itself, or the value has another type.

    >>> checked("tokens", [4, 8]), checked("projector_lr", 1), checked("encoder", ["clap"])
    ((4, 8), 1.0, ('clap',))
    """
    hints = _options()
    if name in _OURS:
        raise InputError(f"{name} is set for each trial; leave it out (see --shards, --backbone and --seed)")
    if name not in hints:
        raise InputError(f"no option {name!r}; {did_you_mean(name, hints, 'see safe-train stage-a --help')}")
    try:
        return TypeAdapter(hints[name]).validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise InputError(f"{name} is {value!r}: {said[:1].lower()}{said[1:]}") from None


def _options() -> dict[str, Any]:
    """The options of stage A, each with its type."""
    found: dict[str, Any] = {}
    for section in get_type_hints(TrainConfig).values():
        kinds = get_type_hints(section)
        found |= {option_name(field): kinds[field.name] for field in fields(section)}
    return found


def set_options(words: tuple[str, ...]) -> dict[str, Any]:
    """The options that a command line sets, each as NAME=VALUE, where VALUE is YAML.

    Raises:
        InputError: a word has no =, or names no option.

    >>> set_options(("steps=200", "tokens=[4, 8]"))
    {'steps': 200, 'tokens': (4, 8)}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"set={word!r}: write NAME=VALUE, such as steps=200")
        try:
            found[name] = checked(name, load_yaml(value))
        except yaml.YAMLError:
            raise InputError(f"set={word!r}: {value!r} is not YAML") from None
    return found
