"""The stages of a curriculum, as written in YAML.

    stages:
      - name: first sounds
        weights: {audio: 0.8, vl: 0.2}
        difficulty: {audio: [easy]}
        until: {metric: audio_accuracy, at_least: 0.6, patience: 2, steps: 4000}
      - name: everything
        weights: {audio: 0.4, vl: 0.6}

`weights` are relative; a dataset they do not name rests. `difficulty` says which rows of a dataset to draw:
easy, medium, hard, unrated. A row without a difficulty is unrated, and left out unless that is listed.
`until` ends the stage after so many `steps`, or once `metric` was `at_least` so much, `patience` times in a
row, or by what comes first. The last stage has none and lasts as long as training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from safe_data.core.errors import InputError, Place, explain, raise_row_errors
from safe_data.sampling.mixture import exact_shares

Level = Literal["easy", "medium", "hard", "unrated"]
Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[int, Field(ge=1)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Until(_Block):
    """When a stage ends."""

    steps: Positive | None = None
    metric: Name | None = None
    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    patience: Positive = 1

    @model_validator(mode="after")
    def _is_a_rule(self) -> "Until":
        if (self.metric is None) != (self.at_least is None):
            raise ValueError("'metric' and 'at_least' go together")
        if self.metric is None and "patience" in self.model_fields_set:
            raise ValueError("'patience' is of a metric; add 'metric' and 'at_least', or remove it")
        if self.metric is None and self.steps is None:
            raise ValueError("says nothing; give 'steps', or 'metric' and 'at_least', or all three")
        return self


class Stage(_Block):
    """What is drawn from, and until when."""

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
                raise ValueError(f"'difficulty' lists nothing for {name!r}; list some, or leave {name!r} out")
            if not self.weights.get(name):
                raise ValueError(f"'difficulty' names {name!r}, which has no weight in this stage")
        return self


class _Stages(_Block):
    stages: tuple[Stage, ...]

    @field_validator("stages")
    @classmethod
    def _has_some(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if not stages:
            raise ValueError("holds no stages; one is enough")
        return stages


def read_stages(path: Path) -> tuple[Stage, ...]:
    """Read the stages of a curriculum file.

    Raises:
        InputError: not YAML, or not stages; every fault with its line.
    """
    node, content = _parsed(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected one list named 'stages', with 'name' and 'weights' in each")
    stages: tuple[Stage, ...] = ()
    try:
        stages = _Stages.model_validate(content).stages
        faults = _sequence_faults(stages)
    except ValidationError as error:
        faults = explain(error, _fields_at)
    raise_row_errors([f"{path.name}:{_line(node, place)}: {fault}" for place, fault in faults], str(path))
    return stages


def _parsed(path: Path) -> tuple[yaml.Node | None, Any]:
    """What the file holds, and where in it."""
    try:
        loader = _Loader(path.read_text("utf-8"))
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node else None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None


def _sequence_faults(stages: Sequence[Stage]) -> list[tuple[Place, str]]:
    """What no stage can see by itself."""
    faults: list[tuple[Place, str]] = []
    for number, stage in enumerate(stages):
        place, is_last = ("stages", number), number == len(stages) - 1
        if stage.name in [earlier.name for earlier in stages[:number]]:
            faults.append((place, f"stage {stage.name!r}: the name is taken; give each stage its own"))
        if stage.until is None and not is_last:
            faults.append((place, f"stage {stage.name!r}: without 'until' no later stage would begin"))
        if stage.until is not None and is_last:
            faults.append((place, f"stage {stage.name!r}: the last stage has no 'until'; remove it"))
    return faults


class _Loader(yaml.SafeLoader):
    """YAML that refuses what would otherwise be lost: of a key given twice, the first value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                )
        return super().construct_mapping(node, deep)


def _fields_at(place: Place) -> list[str]:
    blocks: dict[int, type[BaseModel]] = {1: _Stages, 3: Stage, 4: Until}  # by the depth of their fields
    return list(blocks[len(place)].model_fields)


def _line(node: yaml.Node | None, location: Place) -> int:
    """The line in which a field stands, or what should hold it."""
    line = node.start_mark.line if node else 0
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line
    return int(line) + 1
