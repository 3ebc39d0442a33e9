"""Plan: which questions are asked together, and in which arms. It is fixed before the first is asked.

The batches depend on the dataset, the questions chosen and the batch size alone. So the numbers in a row do
not depend on the other conditions of a run, on where it was interrupted, or on how many processes it had.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from safe_data.core.errors import InputError
from safe_data.records import Example, Record
from safe_eval.runner.conditions import check_conditions, what_lacks
from safe_eval.runner.media import Dataset
from safe_eval.runner.partners import OF_ANOTHER, partners_of

Choose = Callable[[Example], bool]


class Arm(NamedTuple):
    """A model under a condition."""

    model: str
    condition: str


class Span(NamedTuple):
    """Questions of one record, by their places in it."""

    record: int
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The arms, and the batches of questions that each arm is asked.

    `partners` has, for a condition that sends what is of another record, whose it is.
    """

    arms: tuple[Arm, ...]
    batches: tuple[tuple[Span, ...], ...]
    partners: dict[str, dict[int, int]]

    @property
    def rows(self) -> list[int]:
        """The number of predictions of each batch."""
        return [len(self.arms) * sum(len(span.examples) for span in batch) for batch in self.batches]


def make_plan(
    dataset: Dataset,
    arms: Sequence[Arm],
    *,
    seed: int,
    batch_size: int,
    choose: Choose | None = None,
    limit: int | None = None,
) -> Plan:
    """Plan to ask every question of a split in each arm; of those that `choose` wants, the first `limit`.

    Partners are drawn among all records, whatever is chosen.

    Raises:
        InputError: there are no questions, or a condition is unknown, repeated or has nothing to change.
    """
    chosen = _chosen(dataset, choose)
    if not any(chosen):
        raise InputError(f"{_described(dataset)} ask nothing" + (" of this kind" if choose else ""))
    has_sound, has_picture = _has(dataset, "audio"), _has(dataset, "image")
    by_model: dict[str, list[str]] = {arm.model: [] for arm in arms} or {"": []}
    for arm in arms:
        by_model[arm.model].append(arm.condition)
    for conditions in by_model.values():
        check_conditions(conditions, has_sound=has_sound, has_picture=has_picture)
    partners: dict[str, dict[int, int]] = {}
    records: list[Record] = []
    for condition in dict.fromkeys(arm.condition for arm in arms):
        if condition in OF_ANOTHER:
            records = records or [dataset.record(index) for index in range(len(dataset))]
            partners[condition] = partners_of(condition, records, seed)
    return Plan(tuple(arms), batches_of(_first(chosen, limit), batch_size), partners)


def possible_conditions(dataset: Dataset, conditions: Sequence[str]) -> tuple[str, ...]:
    """Those of some conditions for which a split has something to change: a sound, or a picture."""
    has_sound, has_picture = _has(dataset, "audio"), _has(dataset, "image")
    return tuple(
        one for one in conditions if not what_lacks(one, has_sound=has_sound, has_picture=has_picture)
    )


def sample_of_groups(dataset: Dataset, *, most: int, seed: int) -> Choose:
    """Choose at most so many questions of a split by drawing whole groups, such as videos.

    The order of the groups is that of a hash of the seed and their names, so it says nothing about what they
    hold, and a group that is drawn stays drawn where others are added. A group that has more questions than
    are left ends the draw.
    """
    by_group: dict[str, list[str]] = {}
    for record in map(dataset.record, range(len(dataset))):
        by_group.setdefault(record.group, []).extend(example.id for example in record.examples)
    drawn: set[str] = set()
    for group in sorted(by_group, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest()):
        if len(drawn) + len(by_group[group]) > most:
            break
        drawn.update(by_group[group])
    return lambda example: example.id in drawn


def _described(dataset: Dataset) -> str:
    """A dataset in an error message."""
    root, split = getattr(dataset, "root", None), getattr(dataset, "split", None)
    return f"{root}: the {len(dataset)} records of split {split!r}" if root else f"{len(dataset)} records"


def _chosen(dataset: Dataset, choose: Choose | None) -> list[tuple[int, ...]]:
    """The places of the questions that are wanted of each record."""
    manifest = getattr(dataset, "manifest", None)
    if choose is None and manifest is not None:  # then no record has to be read
        return [tuple(range(count)) for count in manifest["examples"].to_pylist()]
    return [
        tuple(place for place, example in enumerate(record.examples) if choose is None or choose(example))
        for record in map(dataset.record, range(len(dataset)))
    ]


def _first(chosen: Sequence[tuple[int, ...]], limit: int | None) -> list[tuple[int, ...]]:
    if limit is None:
        return list(chosen)
    kept, room = [], limit
    for places in chosen:
        kept.append(places[:room])
        room -= len(kept[-1])
    return kept


def _has(dataset: Dataset, kind: str) -> bool:
    """Whether any record has a sound (audio) or a picture (image)."""
    manifest: Any = getattr(dataset, "manifest", None)
    if manifest is not None:
        return bool(manifest[f"has_{kind}"].to_numpy().any())
    return any(getattr(dataset.record(index), kind) for index in range(len(dataset)))


def batches_of(chosen: Sequence[tuple[int, ...]], size: int) -> tuple[tuple[Span, ...], ...]:
    """Batches of at most `size` questions, from the places of the questions of each record.

    The questions of a record stay together unless they are more than a batch holds.

    >>> for batch in batches_of([(0, 1), (0, 1), (), (2,), (0, 1, 2, 3, 4)], 4):
    ...     print([tuple(span) for span in batch])
    [(0, (0, 1)), (1, (0, 1))]
    [(3, (2,))]
    [(4, (0, 1, 2, 3))]
    [(4, (4,))]
    """
    batches: list[list[Span]] = []
    room = 0
    for record, places in enumerate(chosen):
        for first in range(0, len(places), size):
            span = Span(record, places[first : first + size])
            if len(span.examples) > room or first > 0:
                batches.append([])
                room = size
            batches[-1].append(span)
            room -= len(span.examples)
    return tuple(map(tuple, batches))
