"""Arm: all answers of one model under one condition, on one dataset, with one seed.

`make_arms` numbers the examples and clusters of all predictions once. From here on, these numbers alone
identify examples and clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.condition import CONDITIONS
from safe_eval.prediction import BASE, Prediction
from safe_eval.scorers.reading.reply import is_failure

COMPARED_SLICES = ("all", "audio", "vl")

Places = Int[ndarray, " places"]
Slices = dict[str, Bool[ndarray, " rows"]]
Order = tuple[str, int, bool, str, int, str]


class ArmKey(NamedTuple):
    """The four fields that identify an arm."""

    dataset: str | None
    seed: int
    model: str
    condition: str

    @property
    def name(self) -> str:
        """The name in comparisons and criteria: "model/condition"."""
        return f"{self.model}/{self.condition}"

    @property
    def order(self) -> Order:
        """The sort key of tables: the base model first, and `full` before all other conditions."""
        return self.order_after(BASE)

    def order_after(self, baseline: str | None) -> Order:
        """The sort key of tables in which the baseline comes first."""
        known = list(CONDITIONS)
        place = known.index(self.condition) if self.condition in known else len(known)
        return self.dataset or "", self.seed, self.model != baseline, self.model, place, self.condition


class Asked(NamedTuple):
    """What decides, beside the dataset, which metrics judge a row."""

    task: str | None
    choices: bool  # whether the row has choices


_arm_of = attrgetter(*ArmKey._fields, "prompt_id")


@dataclass(frozen=True)
class Arm:
    """The rows of one arm, in ascending order of their example ids."""

    key: ArmKey
    rows: tuple[Prediction, ...]
    places: Int[ndarray, " rows"]  # the positions of the rows among all predictions
    examples: Int[ndarray, " rows"]  # the number of each row's example, the same in all arms
    clusters: Int[ndarray, " rows"]  # the number of each row's cluster, the same in all arms
    answers: Int[ndarray, " rows"]  # the number of each answer's text, the same in all arms; −1 for an error
    prompt_id: str | None = None  # the wording of its questions, where it has a name
    referenced: Bool[ndarray, " rows"] | None = None  # the rows that rules here can score; None: all

    @cached_property
    def slices(self) -> Slices:
        """The rows of each slice that is not empty: all, audio, vl and `type:NAME`."""
        types = [row.question_type for row in self.rows]
        names = sorted({name for name in types if name is not None})
        numbers = {name: number for number, name in enumerate(names)}
        codes = np.array([numbers.get(name, -1) for name in types])  # type: ignore[arg-type]  # None: −1
        slices = {
            "all": np.ones(len(self.rows), dtype=bool),
            "audio": np.array([row.needs_audio is True for row in self.rows]),
            "vl": np.array([row.needs_audio is False for row in self.rows]),
        }
        slices |= {f"type:{name}": codes == number for name, number in numbers.items()}
        return {name: inside for name, inside in slices.items() if inside.any()}

    @cached_property
    def tasks(self) -> dict[Asked, Places]:
        """The places of the rows of each task, with and without choices; only those that rules can score."""
        asked = [(row.task, bool(row.choices)) for row in self.rows]
        if self.referenced is None and len(set(asked)) == 1:
            return {Asked(*asked[0]): np.arange(len(asked))}
        known = np.ones(len(asked), dtype=bool) if self.referenced is None else self.referenced
        places = {
            Asked(*kind): np.flatnonzero([kind == other for other in asked] & known)
            for kind in sorted(set(asked), key=str)
        }
        return {kind: at for kind, at in places.items() if len(at)}

    @cached_property
    def failed(self) -> Bool[ndarray, " rows"]:
        """The rows with an error instead of an answer, or with the text that a harness writes for one."""
        failed: Bool[ndarray, " rows"] = self.answers < 0
        return failed

    @cached_property
    def confidences(self) -> Float[ndarray, " rows"]:
        """The confidences in [0, 1]; NaN if a row states none or failed."""
        stated = [np.nan if row.confidence is None else row.confidence for row in self.rows]
        return np.where(self.failed, np.nan, np.array(stated, dtype=float))


def make_arms(predictions: Sequence[Prediction], baseline: str | None = BASE) -> tuple[Arm, ...]:
    """Make all arms of some predictions, in the order of the tables: those of the baseline first.

    Wordings of the questions make arms of their own, which have the same key: see `arms.prompts`.

    Raises:
        InputError: there are no predictions, an arm answers an example twice, or only some rows have the
            cluster field.
    """
    if not predictions:
        raise InputError("no predictions: an empty set has no score")
    field = cluster_field(predictions)
    examples = _numbered([row.example_id for row in predictions])
    clusters = _numbered([getattr(row, field) for row in predictions])
    texts = ["" if row.error is not None else row.answer or "" for row in predictions]
    failures = set(filter(is_failure, set(texts)))
    answers = _numbered(texts)
    failed = [row.error is not None or row.answer is None or row.answer in failures for row in predictions]
    answers[failed] = -1
    numbers: dict[tuple[str | None, int, str, str, str | None], int] = {}
    of_arm = np.array([numbers.setdefault(key, len(numbers)) for key in map(_arm_of, predictions)])
    referenced = _referenced(predictions)
    order = np.lexsort((examples, of_arm))
    parts = np.split(order, np.cumsum(np.bincount(of_arm))[:-1])
    arms = []
    keyed = [(ArmKey._make(named[:-1]), named[-1], at) for named, at in zip(numbers, parts, strict=True)]
    keyed.sort(key=lambda part: (part[0].order_after(baseline), part[1] or ""))
    for key, prompt, places in keyed:
        rows = tuple(map(predictions.__getitem__, places.tolist()))
        known = None if referenced is None else referenced[places]
        arm = Arm(key, rows, places, examples[places], clusters[places], answers[places], prompt, known)
        _check_once(arm)
        arms.append(arm)
    return tuple(arms)


def cluster_field(predictions: Sequence[Prediction]) -> str:
    """The field whose values are the clusters: `group`, otherwise `record_id`, otherwise `example_id`.

    Raises:
        InputError: only some rows have the field, so clusters would be guessed.
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


def shared_examples(a: Int[ndarray, " a"], b: Int[ndarray, " b"]) -> tuple[Places, Places]:
    """The places in a and in b of the examples that both hold. Both are ascending and hold no number twice.

    >>> shared_examples(np.array([1, 4, 7]), np.array([4, 5, 7]))
    (array([1, 2]), array([0, 2]))
    """
    if np.array_equal(a, b):
        every = np.arange(len(a))
        return every, every
    _, at_a, at_b = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    return at_a, at_b


def count_examples(arms: Sequence[Arm]) -> dict[str | None, int]:
    """The number of examples of each dataset, over all its arms."""
    asked: dict[str | None, list[Int[ndarray, " rows"]]] = {}
    for arm in arms:
        asked.setdefault(arm.key.dataset, []).append(arm.examples)
    return {dataset: len(np.unique(np.concatenate(examples))) for dataset, examples in asked.items()}


def _referenced(predictions: Sequence[Prediction]) -> Bool[ndarray, " rows"] | None:
    """The rows that a rule can score; None if it can score all.

    Others have no references because another harness judged them. A failed row beside them, which need not
    say what was right, is one of them where its example is, or where no row of its task has references.
    """
    judged = {
        (row.dataset, row.example_id) for row in predictions if not row.references and row.error is None
    }
    if not judged:
        return None
    datasets = {dataset for dataset, _ in judged}
    known = {(row.dataset, row.task, bool(row.choices)) for row in predictions if row.references}
    return np.array(
        [
            bool(row.references)
            or not (
                (row.dataset, row.example_id) in judged
                or (row.dataset in datasets and (row.dataset, row.task, bool(row.choices)) not in known)
            )
            for row in predictions
        ]
    )


def _numbered(labels: Sequence[str]) -> Int[ndarray, " rows"]:
    """Labels as numbers from 0, in the sorted order of the labels."""
    numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
    return np.array(list(map(numbers.__getitem__, labels)))


def _check_once(arm: Arm) -> None:
    twice = np.flatnonzero(np.diff(arm.examples) == 0)
    if len(twice):
        name = arm.rows[int(twice[0])].example_id
        raise InputError(f"{name!r} is answered twice by {arm.key.name}, seed {arm.key.seed}; keep one")
