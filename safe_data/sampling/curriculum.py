"""Curriculum: stages of training, one after another, each with its own mixture and difficulties.

    curriculum = Curriculum(read_stages(path), {"audio": …, "vl": …}, batch_size=256, seed=0)
    progress = Progress()  # or Progress(**saved)
    while progress.step < steps:
        draw = curriculum.batch(progress, rank=rank, ranks=ranks)
        …  # train on it; log draw.composition()
        progress = curriculum.advance(progress, metrics)  # None if nothing was evaluated

A batch is a pure function of the stages, the seed and the progress: four integers, to be saved with each
checkpoint. If only steps end stages, all four follow from `step`; the step at which a metric ended a stage
must be saved. `curriculum.is_extended(progress)` says whether a stage lasts longer than planned, because its
metric did not hold in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.sampling.curriculum_file import Stage
from safe_data.sampling.mixture import Draw, Mixture

UNRATED = "unrated"


@dataclass(frozen=True)
class Progress:
    """Where a run is: step, stage, first step of that stage, and how often in a row its metric held."""

    step: int = 0
    stage: int = 0
    stage_start: int = 0
    held: int = 0


class Curriculum:
    """Batches by stage; `difficulties` maps each dataset to the difficulty of every row, None if unrated.

    Every stage shuffles its rows separately and begins a new epoch.

    Raises:
        InputError: a stage names an unknown dataset, or its difficulties leave a dataset without rows.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        difficulties: Mapping[str, Sequence[str | None]],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.stages = tuple(stages)
        levels = {name: levels_of(column) for name, column in difficulties.items()}
        self._rows = [_rows(stage, levels) for stage in self.stages]
        self._mixtures = []
        for stage, rows in zip(self.stages, self._rows, strict=True):
            weights = {name: stage.weights.get(name, 0.0) for name in rows}
            mixture = Mixture(rows, weights, batch_size=batch_size, seed=seed, stream=stage.name)
            self._mixtures.append(mixture)

    def batch(self, progress: Progress, *, rank: int = 0, ranks: int = 1) -> Draw:
        """One rank's part of the batch at this point; rows are numbered as in the whole datasets."""
        place = self._stage_number(progress)
        draw = self._mixtures[place].batch(progress.step - progress.stage_start, rank=rank, ranks=ranks)
        row = draw.row.copy()
        for number, rows in enumerate(self._rows[place].values()):
            here = draw.dataset == number
            row[here] = rows[row[here]]
        return replace(draw, step=progress.step, row=row, stage=self.stages[place].name)

    def drawn_before(self, progress: Progress) -> dict[str, int]:
        """The number of rows that the stage has drawn from each dataset before this batch."""
        place = self._stage_number(progress)
        return self._mixtures[place].drawn_before(progress.step - progress.stage_start)

    def advance(self, progress: Progress, metrics: Mapping[str, float] | None = None) -> Progress:
        """The progress after one more step; `metrics` were evaluated in it, and are equal on every rank.

        Raises:
            InputError: `metrics` lacks the metric that the stage waits for, or it is not a number.
        """
        stage = self.stages[self._stage_number(progress)]
        step, held, until = progress.step + 1, progress.held, stage.until
        if until is None:
            return replace(progress, step=step)
        if until.metric and metrics:
            held = held + 1 if until.accepts(_value_of(until.metric, metrics, stage.name)) else 0
        if until.is_over(step - progress.stage_start, held):
            return Progress(step, progress.stage + 1, step)
        return replace(progress, step=step, held=held)

    def is_extended(self, progress: Progress) -> bool:
        """Whether the stage has taken its planned steps, and goes on because its metric does not hold yet."""
        until = self.stages[self._stage_number(progress)].until
        if until is None or until.extend_steps is None:
            return False
        return progress.step - progress.stage_start >= until.steps

    def notes(self) -> list[str]:
        """What a user may not expect of a stage: see `Mixture.notes`."""
        return [
            f"stage {stage.name!r}: {note}"
            for stage, mixture in zip(self.stages, self._mixtures, strict=True)
            for note in mixture.notes(stage.until.most_steps if stage.until else None)
        ]

    def _stage_number(self, progress: Progress) -> int:
        if not (0 <= progress.stage < len(self.stages) and 0 <= progress.stage_start <= progress.step):
            count = len(self.stages)
            raise InputError(
                f"{progress} does not belong to this curriculum of {count} stages; begin with Progress()"
            )
        return progress.stage


def levels_of(difficulties: Sequence[str | None]) -> ndarray:
    """The difficulty of every row, as stages name it."""
    return np.array([level or UNRATED for level in difficulties], dtype=np.str_)


def rows_drawn(stage: Stage, name: str, levels: ndarray) -> Int64[ndarray, " some"]:
    """The rows of a dataset that a stage may draw, given their difficulties.

    Raises:
        InputError: the stage wants difficulties that no row has.
    """
    wanted = stage.difficulty.get(name)
    if wanted is None:
        return np.arange(len(levels))
    rows = np.flatnonzero(np.isin(levels, wanted))
    if not len(rows):
        counts = zip(*np.unique(levels, return_counts=True), strict=True)
        found = ", ".join(f"{count} {level}" for level, count in counts) or "no rows"
        raise InputError(f"stage {stage.name!r}: {name!r} has {found}, none {' or '.join(wanted)}")
    return rows


def _rows(stage: Stage, levels: Mapping[str, ndarray]) -> dict[str, Int64[ndarray, " some"]]:
    """The rows of each dataset that the stage may draw."""
    for name in stage.weights:
        if name not in levels:
            raise InputError(f"stage {stage.name!r}: weights name {name!r}; datasets are {', '.join(levels)}")
    return {name: rows_drawn(stage, name, column) for name, column in levels.items()}


def _value_of(metric: str, metrics: Mapping[str, float], stage: str) -> float:
    if metric not in metrics:
        raise InputError(f"stage {stage!r} waits for {metric!r}; metrics are {', '.join(metrics)}")
    if isnan(metrics[metric]):
        raise InputError(f"stage {stage!r} waits for {metric!r}, which is not a number")
    return metrics[metric]
