"""Fitting rows: what memory is made of, and the most rows of a training pass that fit a card."""

from collections.abc import Callable
from typing import NamedTuple

from safe_train.profiling.memory_model import MemoryModel
from safe_train.profiling.result import (
    AnsweringRung,
    Component,
    Largest,
    PassMemory,
    TrainingRung,
)

GB = 10**9
ALWAYS = "always, in training"


class Lasting(NamedTuple):
    """What is there in training whatever the rows are, in bytes; `beside` is None where nobody knows it."""

    base: int
    pathway: int
    gradients: int
    optimizer: int
    beside: int | None

    @property
    def total(self) -> int:
        """All of it."""
        return self.base + self.pathway + self.gradients + self.optimizer + (self.beside or 0)


def components_of(
    lasting: Lasting, training: TrainingRung, answering: AnsweringRung
) -> tuple[Component, ...]:
    """The parts of the memory; those of passes are of the sizes of these rungs."""
    passes, answers = f"a pass of {training.rows} rows", f"a batch of {answering.rows} answers"
    held, peak = training.memory.held_bytes, training.memory.peak_bytes
    return (
        Component("base", lasting.base, ALWAYS),
        Component("pathway", lasting.pathway, ALWAYS),
        Component("gradients", lasting.gradients, ALWAYS),
        Component("optimizer's state", lasting.optimizer, ALWAYS),
        Component("process beside tensors", lasting.beside, "all it holds, less its weights"),
        Component("activations for backward", held, passes),
        Component("beside them, at the peak", None if held is None else peak - held, passes),
        Component("answering without sound, peak", answering.without.peak_bytes, answers),
        Component("answering with sound, peak", answering.with_sound.peak_bytes, answers),
        Component("KV cache behind the prompts", answering.cache_bytes, answers),
        Component("keys and values of sounds", answering.heard_bytes, answers),
    )


def largest_of(
    model: MemoryModel | None,
    *,
    always: int,
    card: int,
    card_from: str,
    headroom: float,
    most_run: int,
    check: Callable[[int], PassMemory],
) -> Largest:
    """The most rows that the line has fit; where so many may be run, they are, to check it.

    `most_run` is the most that may be run: a line that leads far beyond what was measured is not checked.
    """
    rows = None if model is None else model.rows_within((1 - headroom) * card - always)
    checked = check(rows).peak_bytes + always if rows is not None and rows <= most_run else None
    return Largest(
        rows=rows,
        card_bytes=card,
        card_from=card_from,
        headroom=headroom,
        always_bytes=always,
        checked_bytes=checked,
    )


def taken_at(rung: TrainingRung, always: int, beside: int) -> int:
    """The memory that training takes with the rows of a rung.

    Where the allocator of a GPU reserved more than its tensors held, that counts, with what is not PyTorch's.

    >>> from safe_train.profiling.quantiles import Quantile
    >>> once = Quantile(1.0, None, None, 1)
    >>> rung = TrainingRung(rows=1, positions=9, pass_ms=once, memory=PassMemory(50, 20, 220))
    >>> taken_at(rung, always=150, beside=30)
    250
    """
    held = always + rung.memory.peak_bytes
    reserved = rung.memory.reserved_bytes
    return held if reserved is None else max(held, reserved + beside)
