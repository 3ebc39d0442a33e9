"""Gate: what decides for each question, from what the base alone thinks of it, whether to listen.

A gate sees the base's state behind the prompt (`States`) and no sound. What it decides stays the same for the
whole request: if the gate changed between the prompt and the answer, the key-value cache would hold states of
both kinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_train.gates.states import States


@dataclass(frozen=True)
class Decisions:
    """For each question: the audio tokens that it may hear (0: it skips the sound), and the gate's score.

    A score lies in [0, 1]; higher means that hearing seems to be worth more.
    """

    tokens: Int64[ndarray, " questions"]
    scores: Float64[ndarray, " questions"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def listens(self) -> Bool[ndarray, " questions"]:
        """Which questions are answered with the sound."""
        found: Bool[ndarray, " questions"] = self.tokens > 0
        return found

    def of(self, rows: Sequence[int]) -> "Decisions":
        """The decisions of these questions."""
        return Decisions(self.tokens[list(rows)], self.scores[list(rows)])


def are_budgets(found: Sequence[object]) -> bool:
    """Whether these are numbers of audio tokens to choose from: whole numbers, 0 or more, ascending.

    >>> are_budgets([0, 4]), are_budgets([4, 0]), are_budgets([True]), are_budgets([])
    (True, False, False, False)
    """
    whole = [one for one in found if type(one) is int and one >= 0]
    return 0 < len(found) == len(whole) and whole == sorted(set(whole))


class Gate(Protocol):
    """Decides for a batch of questions. A question's decision does not depend on the others in the batch.

    `needs_state` is False for a gate that decides without the base's state, which then costs nothing.
    """

    @property
    def kind(self) -> str: ...

    @property
    def needs_state(self) -> bool: ...

    def decide(self, states: States) -> Decisions: ...


def check_scores(kind: str, scores: Float64[ndarray, " questions"]) -> None:
    """Refuse scores that are not numbers in [0, 1], as behind a base that computes NaN: they are no skips.

    Raises:
        ValueError: one of them is not.
    """
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"the gate {kind!r} scored outside [0, 1]: is the base's state all finite?")


def thresholded(scores: Float64[ndarray, " questions"], threshold: float, tokens: int) -> Decisions:
    """Listen with so many tokens where the score reaches the threshold, and skip the sound elsewhere.

    >>> thresholded(np.array([0.2, 0.5]), threshold=0.5, tokens=8).tokens.tolist()
    [0, 8]
    """
    return Decisions(np.where(scores >= threshold, tokens, 0).astype(np.int64), scores)
