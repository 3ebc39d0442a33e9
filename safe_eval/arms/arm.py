"""Cell: the scored answers of one model under one condition, with one seed, on one dataset."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.prediction import BASE, CONDITIONS, Prediction
from safe_eval.scorers.scorer import Slices, judges, no_slices, scorer_of


class CellKey(NamedTuple):
    """What an answer was given under."""

    dataset: str | None
    seed: int
    model: str
    condition: str

    @property
    def name(self) -> str:
        """As comparisons and criteria write it."""
        return f"{self.model}/{self.condition}"

    @property
    def order(self) -> tuple[str, int, bool, str, int, str]:
        """Where tables show it: the base model first, `full` before what was done to it."""
        known = list(CONDITIONS)
        place = known.index(self.condition) if self.condition in known else len(known)
        return self.dataset or "", self.seed, self.model != BASE, self.model, place, self.condition


Kinds = dict[tuple[str | None, str | None], list[int]]
_KEY = attrgetter(*CellKey._fields)


@dataclass(frozen=True)
class Cell:
    """Scores by example; examples and clusters are numbers that mean the same in every cell of a dataset."""

    key: CellKey
    examples: Int[ndarray, " items"]  # ascending
    example_ids: tuple[str, ...]  # of the same examples
    clusters: Int[ndarray, " items"]
    scores: Float[ndarray, " items"]
    unparsed: Bool[ndarray, " items"]  # replies the scorer did not understand; their score is 0
    answers: tuple[str | None, ...]  # None where there is an error
    slices: dict[str, Bool[ndarray, " items"]]
    counts: Shaped[ndarray, "items counts"] | None = None  # what a score that is no mean is computed from
    highest: float = 1.0  # the score of a perfect answer; the lowest is 0

    def is_whole(self, slice_name: str) -> bool:
        """Whether a slice holds every item, so that nothing needs to be computed for it again."""
        return slice_name in self.slices and bool(self.slices[slice_name].all())


@dataclass(frozen=True)
class Scoring:
    """A metric's value of each of some predictions: NaN for what is unparsed."""

    values: Float[ndarray, " items"]
    counts: Shaped[ndarray, "items counts"] | None = None
    highest: float = 1.0


def cell_key(row: Prediction) -> CellKey:
    """The cell a prediction belongs to."""
    return CellKey._make(_KEY(row))


def cluster_field(predictions: Sequence[Prediction]) -> str:
    """The field whose values are the clusters: `group`, or else `record_id`, or else `example_id`.

    Raises:
        InputError: some rows have the field and some have none, so that clusters would be guessed.
    """
    for field in ("group", "record_id"):
        without = [row for row in predictions if getattr(row, field) is None]
        if not without:
            return field
        if len(without) < len(predictions):
            raise InputError(
                f"{len(without)} of {len(predictions)} rows have no {field!r}, for example "
                f"{without[0].example_id!r}; give it in every row, or in none"
            )
    return "example_id"


def places_by_kind(predictions: Sequence[Prediction]) -> Kinds:
    """The places of the predictions of each dataset and task, which decide what judges them."""
    kinds: Kinds = {}
    for place, row in enumerate(predictions):
        kind = row.dataset, row.task
        if kind in kinds:
            kinds[kind].append(place)
        else:
            kinds[kind] = [place]
    return kinds


def score_cells(metric: str, predictions: Sequence[Prediction], kinds: Kinds | None = None) -> list[Cell]:
    """Score every prediction the metric judges; what failed or is unparsed scores 0. In the tables' order."""
    kinds = places_by_kind(predictions) if kinds is None else kinds
    judged = [places for places in kinds.values() if judges(metric, predictions[places[0]])]
    places = sorted(itertools.chain(*judged))
    scorer, rows = scorer_of(metric), [predictions[place] for place in places]
    values = np.where([row.error is not None for row in rows], 0.0, scorer.score_all(rows))
    return cells_of(predictions, places, {metric: Scoring(values, highest=scorer.highest)}, scorer.slices)[
        metric
    ]


def cells_of(
    predictions: Sequence[Prediction],
    places: Sequence[int],
    scorings: Mapping[str, Scoring],
    slices: Slices = no_slices,
) -> dict[str, list[Cell]]:
    """The cells of each metric, from its values of the predictions at some places. In the tables' order.

    Raises:
        InputError: an example answered twice in a cell, or clusters given in some rows only.
    """
    found: dict[str, list[Cell]] = {metric: [] for metric in scorings}
    if not places:
        return found
    field = cluster_field(predictions)
    clusters = _numbers([getattr(row, field) for row in predictions])
    examples = _numbers([row.example_id for row in predictions])
    by_key: dict[CellKey, list[int]] = {}
    for nth, place in enumerate(places):
        by_key.setdefault(cell_key(predictions[place]), []).append(nth)
    for key in sorted(by_key, key=lambda key: key.order):
        order = sorted(by_key[key], key=lambda nth: predictions[places[nth]].example_id)
        rows = [predictions[places[nth]] for nth in order]
        _check_once(key, rows)
        whole = Cell(
            key=key,
            examples=np.array([examples[row.example_id] for row in rows]),
            example_ids=tuple(row.example_id for row in rows),
            clusters=np.array([clusters[getattr(row, field)] for row in rows]),
            scores=np.zeros(len(rows)),
            unparsed=np.zeros(len(rows), dtype=bool),
            answers=tuple(None if row.error is not None else row.answer for row in rows),
            slices=_slices(rows, slices),
        )
        for metric, scoring in scorings.items():
            found[metric].append(_scored(whole, scoring, order))
    return found


def _scored(cell: Cell, scoring: Scoring, order: Sequence[int]) -> Cell:
    values, counts = scoring.values[order], scoring.counts
    return replace(
        cell,
        scores=np.nan_to_num(values),
        unparsed=np.isnan(values),
        counts=None if counts is None else counts[order],
        highest=scoring.highest,
    )


def _check_once(key: CellKey, rows: Sequence[Prediction]) -> None:
    for row, following in pairwise(rows):
        if row.example_id == following.example_id:
            raise InputError(f"{row.example_id!r} is answered twice by {key.name}, seed {key.seed}; keep one")


def _numbers(labels: Sequence[str]) -> dict[str, int]:
    return {label: number for number, label in enumerate(sorted(set(labels)))}


def _slices(rows: Sequence[Prediction], own: Slices) -> dict[str, Bool[ndarray, " items"]]:
    """Which rows are in which slice; only slices that hold any."""
    numbers = _numbers([row.question_type for row in rows if row.question_type is not None])
    types = np.array([-1 if row.question_type is None else numbers[row.question_type] for row in rows])
    slices = {
        "all": np.ones(len(rows), dtype=bool),
        "audio": np.array([row.needs_audio is True for row in rows]),
        "vl": np.array([row.needs_audio is False for row in rows]),
    }
    slices |= {f"type:{name}": types == number for name, number in numbers.items()}
    slices |= own(rows)
    return {name: members for name, members in slices.items() if members.any()}


COMPARED_SLICES = ("all", "audio", "vl")


class _Sliced(Protocol):
    @property
    def slice(self) -> str: ...
    @property
    def n(self) -> int: ...


Row = TypeVar("Row", bound=_Sliced)


def without_repeats(rows: Sequence[Row], about: Sequence[str]) -> list[Row]:
    """Rows without the slices that hold every item of `all`: what is only about the sound is shown once.

    `about` names the fields by which rows with the same slices are told apart.
    """

    def key(row: Row) -> tuple[object, ...]:
        return tuple(getattr(row, name) for name in about)

    whole = {key(row): row.n for row in rows if row.slice == "all"}
    return [row for row in rows if row.slice == "all" or row.n != whole.get(key(row))]
