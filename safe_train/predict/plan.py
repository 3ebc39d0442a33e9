"""Plan: which questions are asked together, and in which arms. It is fixed before the first is asked.

The batches depend on the dataset and the batch size alone. So the numbers in a row do not depend on the other
conditions of a run, on where it was interrupted, or on how many processes it had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_eval.prediction import BASE
from safe_eval.runner.conditions import check_conditions, swap_partners
from safe_train.settings.predict import SAFE


class Arm(NamedTuple):
    """A model under a condition."""

    model: str
    condition: str


class Span(NamedTuple):
    """Questions of one record: those from number `first` up to number `last`, without it."""

    record: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The arms, the batches of questions that each arm is asked, and whose sound a record hears instead."""

    arms: tuple[Arm, ...]
    batches: tuple[tuple[Span, ...], ...]
    partners: dict[int, int]

    @property
    def rows(self) -> list[int]:
        """The number of predictions of each batch."""
        return [len(self.arms) * sum(span.last - span.first for span in batch) for batch in self.batches]


def make_plan(
    dataset: ShardDataset,
    conditions: Sequence[str],
    *,
    seed: int,
    batch_size: int,
    name: str = SAFE,
    without_base: bool = False,
) -> Plan:
    """Plan to ask the base, and the model `name` under each condition, every question of a split.

    Raises:
        InputError: the split has no questions, or a condition is unknown, repeated or has nothing to change.
    """
    questions = dataset.manifest["examples"].to_numpy()
    if not questions.sum():
        raise InputError(f"{dataset.root}: the {len(dataset)} records of split {dataset.split!r} ask nothing")
    has_picture = bool(dataset.manifest["has_image"].to_numpy().any())
    check_conditions(conditions, has_sound=bool(dataset.has_audio.any()), has_picture=has_picture)
    partners = {}
    if "swap_audio" in conditions:
        partners = swap_partners([dataset.record(index) for index in range(len(dataset))], seed)
    arms = (Arm(BASE, "full"), *(Arm(name, condition) for condition in conditions))
    return Plan(arms[without_base:], batches_of(questions.tolist(), batch_size), partners)


def batches_of(questions: Sequence[int], size: int) -> tuple[tuple[Span, ...], ...]:
    """Batches of at most `size` questions, from the number of questions of each record.

    The questions of a record stay together unless they are more than a batch holds.

    >>> for batch in batches_of([2, 2, 0, 1, 5], 4):
    ...     print([tuple(span) for span in batch])
    [(0, 0, 2), (1, 0, 2)]
    [(3, 0, 1)]
    [(4, 0, 4)]
    [(4, 4, 5)]
    """
    batches: list[list[Span]] = []
    room = 0
    for record, count in enumerate(questions):
        for first in range(0, count, size):
            span = Span(record, first, min(first + size, count))
            length = span.last - span.first
            if length > room or first > 0:
                batches.append([])
                room = size
            batches[-1].append(span)
            room -= length
    return tuple(map(tuple, batches))
