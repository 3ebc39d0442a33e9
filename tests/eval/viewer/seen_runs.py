"""Runs as the overview sees them: their folders, scores and arms, without the items."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.scores import Scores, read_scores


@dataclass(frozen=True)
class SeenRun:
    name: str
    folder: Path
    scores: Scores


@dataclass(frozen=True)
class SeenArm:
    arm: int
    run: str
    model: str
    condition: str
    seed: int


@dataclass(frozen=True)
class Seen:
    runs: tuple[SeenRun, ...]
    arms: tuple[SeenArm, ...]
    metric_of: Mapping[str, str]


def seen(*folders: Path) -> Seen:
    """The runs in these folders, with arms in the order of their scores."""
    runs = tuple(SeenRun(one.name, one, read_scores(one, absent=True)) for one in folders)
    keys = dict.fromkeys(
        (run.name, cell.model, cell.condition, cell.seed) for run in runs for cell in run.scores.cells
    )
    metrics: dict[str, str] = {}
    for run in runs:
        for row in run.scores.metrics:
            if row.metric in ANSWER_METRICS:
                metrics.setdefault(row.dataset or "", row.metric)
    return Seen(runs, tuple(SeenArm(number, *key) for number, key in enumerate(keys)), metrics)
