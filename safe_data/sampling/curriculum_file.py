"""Read the stages of a curriculum from YAML.

    stages:
      - name: first sounds
        weights: {audio: 0.8, vl: 0.2}
        difficulty: {audio: [easy]}
        until: {metric: audio_accuracy, at_least: 0.6, patience: 2, steps: 4000}
      - name: harder sounds
        weights: {audio: 0.6, vl: 0.4}
        until: {metric: vl_drift, at_most: 0.02, steps: 4000, extend_steps: 2000}
      - name: everything
        weights: {audio: 0.4, vl: 0.6}

`weights` are relative; a dataset without a weight is not drawn. `difficulty` lists which rows of a dataset to
draw: easy, medium, hard, harder, hardest, unrated. A row without a difficulty is unrated. Datasets without a
list are drawn whole. The last stage has no `until` and lasts as long as training.

`until` ends a stage after that many `steps`, or once its `metric` holds, whichever comes first. `steps` are
always given: a metric may never hold, and then no later stage would begin. The metric holds if it was
`at_least` or `at_most` its bound at the last `patience` evaluations. With `extend_steps`, `steps` is the
planned length: the stage does not end earlier. It ends there if the metric holds by then; otherwise it is
extended until the metric holds, by `extend_steps` at most.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from safe_data.core.errors import InputError, Place, explain, raise_row_errors
from safe_data.core.yaml_file import line_of, read_yaml
from safe_data.sampling.mixture import exact_shares

Level = Literal["easy", "medium", "hard", "harder", "hardest", "unrated"]
Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[int, Field(ge=1)]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Until(_Block):
    """When a stage ends; with `extend_steps`, also how much longer than planned it may last."""

    steps: Positive = 0  # not given; no such rule is accepted
    metric: Name | None = None
    at_least: Bound | None = None
    at_most: Bound | None = None
    patience: Positive = 1
    extend_steps: Positive | None = None

    @model_validator(mode="after")
    def _is_a_rule(self) -> "Until":
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("has 'at_least' and 'at_most'; give one of them")
        if (self.metric is None) != (self.at_least is None and self.at_most is None):
            raise ValueError("'metric' goes with 'at_least' or 'at_most'; give both, or neither")
        if self.metric is None and "patience" in self.model_fields_set:
            raise ValueError(
                "'patience' needs a metric; add 'metric' with 'at_least' or 'at_most', or remove it"
            )
        if self.extend_steps is not None and not (self.metric and self.steps):
            lacking = "metric" if self.metric is None else "steps"
            raise ValueError(
                f"'extend_steps' needs {lacking!r}: after 'steps', the stage goes on until the metric holds; "
                "add it, or remove 'extend_steps'"
            )
        if not self.steps:
            why = "is empty" if self.metric is None else f"{self.metric!r} may never hold"
            raise ValueError(f"{why}; give 'steps', the most that the stage may last")
        return self

    @property
    def most_steps(self) -> int:
        """The steps after which the stage ends in any case."""
        return self.steps + (self.extend_steps or 0)

    def accepts(self, value: float) -> bool:
        """Whether this value of the metric is within its bound."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def is_over(self, steps: int, held: int) -> bool:
        """Whether a stage ends that took this many steps, and whose metric held this often in a row."""
        holds = self.metric is not None and held >= self.patience
        if self.extend_steps is None:
            return holds or steps >= self.steps
        return steps >= self.most_steps or (holds and steps >= self.steps)


class Stage(_Block):
    """Which rows are drawn with which weights, and until when."""

    name: Name
    weights: dict[Name, float]
    difficulty: dict[Name, tuple[Level, ...]] = Field(default_factory=dict)
    until: Until | None = None

    @field_validator("weights")
    @classmethod
    def _can_be(cls, weights: dict[str, float]) -> dict[str, float]:
        exact_shares(weights)
        return weights

    @model_validator(mode="after")
    def _filters_what_it_draws(self) -> "Stage":
        for name, levels in self.difficulty.items():
            if not levels:
                raise ValueError(f"'difficulty' is empty for {name!r}; list some, or leave {name!r} out")
            if not self.weights.get(name):
                raise ValueError(f"'difficulty' names {name!r}, which has no weight in this stage")
        return self


class _Stages(_Block):
    stages: tuple[Stage, ...]

    @field_validator("stages")
    @classmethod
    def _has_some(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if not stages:
            raise ValueError("holds no stages; give one or more")
        return stages


def read_stages(path: Path) -> tuple[Stage, ...]:
    """Read the stages of a curriculum file.

    Raises:
        InputError: it is not YAML, or not a list of stages; every fault is named with its line.
    """
    node, content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected one list named 'stages', with 'name' and 'weights' in each")
    stages: tuple[Stage, ...] = ()
    try:
        stages = _Stages.model_validate(content).stages
        faults = _sequence_faults(stages)
    except ValidationError as error:
        faults = explain(error, _fields_at)
    raise_row_errors([f"{path.name}:{line_of(node, place)}: {fault}" for place, fault in faults], str(path))
    return stages


def _sequence_faults(stages: Sequence[Stage]) -> list[tuple[Place, str]]:
    """The faults that only the whole list of stages shows."""
    faults: list[tuple[Place, str]] = []
    for number, stage in enumerate(stages):
        place, is_last = ("stages", number), number == len(stages) - 1
        if stage.name in [earlier.name for earlier in stages[:number]]:
            faults.append((place, f"stage {stage.name!r}: the name is taken; give each stage another one"))
        if stage.until is None and not is_last:
            faults.append(
                (place, f"stage {stage.name!r}: without 'until' no later stage would begin; add it")
            )
        if stage.until is not None and is_last:
            faults.append((place, f"stage {stage.name!r}: the last stage has no 'until'; remove it"))
    return faults


def _fields_at(place: Place) -> list[str]:
    blocks: dict[int, type[BaseModel]] = {1: _Stages, 3: Stage, 4: Until}  # by the depth of their fields
    return list(blocks[len(place)].model_fields)
