"""Scorers: each gives one prediction a score; how scores are averaged and compared is not their business.

A scorer is a module with `TASKS` (the tasks it judges; a row without a task is judged too) and `score`.
"""

from typing import Protocol

from safe_eval.predictions import Prediction
from safe_eval.scorers import vqa

__all__ = ["SCORERS", "Scorer"]


class Scorer(Protocol):
    """How a metric judges one prediction, with 1.0 for a perfect answer."""

    TASKS: frozenset[str]

    def score(self, prediction: Prediction) -> float: ...


SCORERS: dict[str, Scorer] = {"vqa_accuracy": vqa}
