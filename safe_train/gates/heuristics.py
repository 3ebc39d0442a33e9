"""Heuristic gates: listen where the base alone is unsure; and the two that need no state, always and never.

A score lies in [0, 1] and a threshold cuts it: entropy over the largest there is, 1 − the probability of the
likeliest first token, or 1 − its lead over the second.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_train.gates.gate import Decisions, check_scores, thresholded
from safe_train.gates.states import States

ALWAYS, NEVER = "always", "never"
CONSTANT_THRESHOLD = 0.5  # between the score of always, 1, and that of never, 0

Scores = Float64[ndarray, " questions"]
Scorer = Callable[[States], Scores]


@dataclass(frozen=True)
class ThresholdGate:
    """Listens with `tokens` where the score reaches the threshold, and skips the sound elsewhere."""

    kind: str
    score: Scorer
    threshold: float
    tokens: int
    needs_state: bool = True

    def decide(self, states: States) -> Decisions:
        """Decide for each question.

        Raises:
            ValueError: see `check_scores`.
        """
        scores = self.score(states)
        check_scores(self.kind, scores)
        return thresholded(scores, self.threshold, self.tokens)


def entropy_score(states: States) -> Scores:
    """The entropy of the first token, as a fraction of the largest that there is.

    >>> one = np.array([0.0])
    >>> entropy_score(States(np.array([1.0]), one, one, np.zeros((1, 1), np.float32), 4.0)).tolist()
    [0.25]
    """
    return _within(states.entropy / states.largest_entropy)


def confidence_score(states: States) -> Scores:
    """1 − the probability of the likeliest first token."""
    return _within(1 - states.confidence)


def margin_score(states: States) -> Scores:
    """1 − the lead of the likeliest first token over the second."""
    return _within(1 - states.margin)


def constant_score(value: float) -> Scorer:
    """A score that is the same for every question, whatever its state.

    >>> nothing = np.full(2, np.nan)
    >>> constant_score(1.0)(States(nothing, nothing, nothing, np.zeros((2, 0), np.float32), 1.0)).tolist()
    [1.0, 1.0]
    """
    return lambda states: np.full(len(states), value)


HEURISTICS: dict[str, Scorer] = {
    ALWAYS: constant_score(1.0),
    NEVER: constant_score(0.0),
    "entropy": entropy_score,
    "confidence": confidence_score,
    "margin": margin_score,
}


def _within(scores: Scores) -> Scores:
    """Scores without the rounding that may put them a bit outside [0, 1]; NaN stays NaN."""
    return np.asarray(np.where(np.abs(scores - 0.5) < 0.5 + 1e-9, np.clip(scores, 0.0, 1.0), scores))
