"""Labelled answers as evidence: how often the scorer judges an answer as a person does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safe_data.core import numerals
from safe_eval.annotation.labels import Key, KeyItem, key_path, read_labels
from safe_eval.arms.arm import make_arms
from safe_eval.arms.scored_arm import score_arms
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.row_evidence import Evidence
from safe_eval.predictions import read_predictions
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.scores import Scores, scored_files
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import wilson_interval
from safe_eval.statistics.power import observed_design_effect

LABELS_FILE = "annotations.csv"  # in the folder of a run, unless another table is given
_TOLERANCE = 1e-9

_Answer = tuple[str | None, str, str, str, int, str]  # dataset, example, model, condition, seed, metric


@dataclass(frozen=True)
class Labelled:
    """A labelled table, and why it proves nothing about a run; None if it holds."""

    table: Path
    key: Key
    labels: Mapping[str, bool | None]
    fault: str | None


def find_labels(run: Path, given: Path | None) -> Path | None:
    """The labelled table of a run: the one given, or annotations.csv in its folder if it has its key."""
    if given is not None:
        return given
    table = run / LABELS_FILE
    return table if table.is_file() and key_path(table).is_file() else None


def check_labels(table: Path, run: Path, scores: Scores) -> Labelled:
    """Read a labelled table, and check that its key is of this run's answers and has their scores.

    Raises:
        InputError: see `annotation.labels.read_labels`.
    """
    key, labels = read_labels(table)
    return Labelled(table, key, labels, _fault(table, key, labels, run, scores))


def agreement_evidence(criterion: Criterion, labelled: Labelled | None, confidence: float) -> Evidence:
    """The share of labelled answers that scorer and person judge alike, with Wilson's interval.

    Where answers share clusters, the interval is of as many independent answers as say as much.
    """
    if labelled is None:
        return Evidence(
            "no table of labelled answers: draw one with safe-eval annotate RUN, label it, and give it as "
            "--labels TABLE"
        )
    if labelled.fault is not None:
        return Evidence(labelled.fault)
    asked = [item for item in labelled.key.items if item.drawn and _is_asked(item, criterion)]
    judged = [(item, labelled.labels[item.item]) for item in asked]
    decided = [(item, label) for item, label in judged if label is not None]
    name = labelled.table.name
    if not decided:
        whose = criterion.condition or criterion.dataset or "the run"
        return Evidence(f"{name} holds no label right or wrong for {whose}")
    same = np.array(
        [(item.score >= labelled.key.right_from) == label for item, label in decided], dtype=float
    )
    clusters = np.array([item.cluster for item, _ in decided])
    effect = max(1.0, observed_design_effect(same, clusters) or 1.0)
    interval = wilson_interval(float(same.mean()), len(same) / effect, confidence)
    text = (
        f"{int(same.sum())} of {len(same)} labelled answers of {name} are judged alike by scorer and person"
    )
    text += f", in {count_clusters(clusters)} clusters, drawn from {labelled.key.population}"
    if unsure := len(judged) - len(decided):
        text += f"; {unsure} more labelled '?'"
    text += f", {numerals.percent(confidence)} interval {numerals.interval(interval.low, interval.high)}"
    text += f" by {interval.method}"
    return Evidence(
        text,
        value=float(same.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=confidence,
        n=len(same),
        clusters=count_clusters(clusters),
    )


def _is_asked(item: KeyItem, criterion: Criterion) -> bool:
    named = f"{item.model}/{item.condition}"
    return criterion.condition in (None, named) and criterion.dataset in (None, item.dataset)


def _fault(table: Path, key: Key, labels: Mapping[str, bool | None], run: Path, scores: Scores) -> str | None:
    """Why a table proves nothing about these scores: answers of others, missing labels, or other scores."""
    known = {file.sha256 for file in scores.provenance.predictions}
    if not key.predictions or not {*key.predictions.values()} <= known:
        return f"{table.name}: its key is of other predictions than this run's; annotate this run"
    drawn = [item.item for item in key.items if item.drawn]
    unlabelled = [name for name in drawn if name not in labels]
    if unlabelled:
        return f"{table.name}: {len(unlabelled)} of {len(drawn)} answers have no label; write ? if unsure"
    files, metrics = scored_files(run, scores), sorted({item.metric for item in key.items})
    computed = _computed(files, metrics, scores.provenance.protocol)
    for item in key.items:
        found = computed.get(_answer(item))
        if found is None:
            return f"{table.name}: {item.item} of the key is no answer of this run; annotate again"
        if abs(found - item.score) > _TOLERANCE:
            return (
                f"{table.name}: {item.item} scores {item.score:g} in the key, and {found:g} by the "
                "predictions; annotate again"
            )
    return None


def _computed(
    predictions: Sequence[Path], metrics: Sequence[str], protocol: str | None
) -> dict[_Answer, float]:
    """The score of every answer by these metrics, computed from the predictions."""
    arms = make_arms(read_predictions(*predictions, allow_partial=True))
    return {
        (arm.key.dataset, row.example_id, arm.key.model, arm.key.condition, arm.key.seed, metric): score
        for metric in metrics
        if metric in ANSWER_METRICS
        for arm in score_arms(metric, arms, protocol=protocol)
        for row, score in zip(arm.rows, arm.scores.tolist(), strict=True)
    }


def _answer(item: KeyItem) -> _Answer:
    return item.dataset, item.example_id, item.model, item.condition, item.seed, item.metric
