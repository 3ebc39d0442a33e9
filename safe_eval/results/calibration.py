"""Confidences: how honest the confidences of each cell are, as metrics beside its scores.

Right is what the cell's own metric says, a share where it gives one: a VQA answer worth 0.6 is right to 0.6,
so that honest confidence is the expected score. An answer that failed has no confidence.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from safe_eval.arms.arm import Cell, CellKey, cell_key
from safe_eval.prediction import Prediction
from safe_eval.results.metrics import Metric
from safe_eval.scorers.scorer import SCORERS
from safe_eval.statistics.bca import BCA, bca_levels
from safe_eval.statistics.bootstrap import Resampled, Totals, cluster_totals
from safe_eval.statistics.calibration.calibration import Forecasts
from safe_eval.statistics.calibration.ece_interval import (
    draw_totals,
    ece_and_interval,
    method_name,
    residuals_by_bin,
)
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, brier, nll
from safe_eval.statistics.calibration.reliability import check_confidences
from safe_eval.statistics.intervals import clustered_stderr, ratio, without_spread
from safe_eval.statistics.sampling import Interval, Sampling

CALIBRATION_METRICS = {"ece": 1.0, "brier": 1.0, "nll": LARGEST_NLL, "confidence": 1.0}  # and their highest


def calibration_rows(
    predictions: Sequence[Prediction], cells: Mapping[str, Sequence[Cell]], sampling: Sampling
) -> list[Metric]:
    """ECE (equal width, 15 bins), Brier score, NLL and mean confidence of every cell that states any.

    The scores come from `cells`, by metric; those of metrics on request judge the same answers once more, and
    those of captions are no shares of right, so both are left out. Intervals as in `calibration`, all from
    one set of draws.
    """
    return [
        row
        for key, answers in confident_answers(predictions, cells).items()
        for row in _rows(key, answers, sampling)
    ]


def confident_answers(
    predictions: Sequence[Prediction], cells: Mapping[str, Sequence[Cell]]
) -> dict[CellKey, Forecasts]:
    """The judged answers that state a confidence, by cell, in the order of the tables."""
    said: dict[CellKey, dict[str, float]] = {}
    for row in predictions:
        if row.confidence is not None and row.error is None:
            said.setdefault(cell_key(row), {})[row.example_id] = row.confidence
    judging: dict[CellKey, list[Cell]] = {}
    for metric in SCORERS:
        for cell in cells.get(metric, ()):
            judging.setdefault(cell.key, []).append(cell)
    found = {}
    for key in sorted(said.keys() & judging.keys(), key=lambda key: key.order):
        parts = [_stated(cell, said[key]) for cell in judging[key]]
        answers = Forecasts(
            examples=np.concatenate([part.examples for part in parts]),
            clusters=np.concatenate([part.clusters for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            correct=np.concatenate([part.correct for part in parts]),
        )
        if len(answers.confidence):
            found[key] = answers
    return found


def confidence_notes(rows: Sequence[Metric], metrics: Sequence[Metric]) -> Iterator[str]:
    """One line for each cell of which only some judged answers state a confidence."""
    for row in rows:
        if row.metric != "confidence":
            continue
        judged = sum(
            m.n for m in metrics if m.metric in SCORERS and m.slice == "all" and _cell(m) == _cell(row)
        )
        if row.n < judged:
            yield (
                f"{row.n} of {judged} answers of {row.model}/{row.condition}, seed {row.seed}, state a "
                "confidence: calibration is of these alone"
            )


def _cell(row: Metric) -> CellKey:
    return CellKey(row.dataset, row.seed, row.model, row.condition)


def _stated(cell: Cell, said: Mapping[str, float]) -> Forecasts:
    confidence = np.array([said.get(name, np.nan) for name in cell.example_ids], dtype=float)
    kept = ~np.isnan(confidence)
    return Forecasts(
        examples=np.array(cell.example_ids, dtype=object)[kept],
        clusters=cell.clusters[kept],
        confidence=confidence[kept],
        correct=cell.scores[kept],
    )


def _rows(key: CellKey, answers: Forecasts, sampling: Sampling) -> Iterator[Metric]:
    confidence, correct, clusters = answers.confidence, answers.correct, answers.clusters
    check_confidences(confidence, correct)
    means = {"brier": brier(confidence, correct), "nll": nll(confidence, correct), "confidence": confidence}
    gaps = residuals_by_bin(confidence, correct)
    totals = cluster_totals(np.column_stack([gaps, *means.values(), np.ones(len(confidence))]), clusters)
    drawn = draw_totals(totals, sampling)
    of_gaps = [*range(gaps.shape[1]), -1]
    error, interval = ece_and_interval(
        totals[:, of_gaps], None if drawn is None else drawn[:, of_gaps], sampling
    )
    found: dict[str, tuple[float, float | None, Interval]] = {"ece": (error, None, interval)}
    for place, (name, values) in enumerate(means.items(), gaps.shape[1]):
        interval = _mean_interval(totals, drawn, place, CALIBRATION_METRICS[name], sampling)
        found[name] = float(values.mean()), clustered_stderr(values, clusters), interval
    for name, (value, stderr, interval) in found.items():
        yield Metric(
            metric=name,
            **key._asdict(),
            slice="all",
            value=value,
            stderr=stderr,
            ci_low=interval.low,
            ci_high=interval.high,
            confidence=sampling.confidence,
            interval=interval.method,
            n=len(confidence),
            clusters=len(totals),
        )


def _mean_interval(
    totals: Totals, drawn: Resampled | None, place: int, highest: float, sampling: Sampling
) -> Interval:
    columns = totals[:, [place, -1]]
    certain = without_spread(columns, sampling.confidence, (0.0, highest))
    if certain is not None or drawn is None:
        return certain or Interval()
    means, whole = ratio(drawn[:, [place, -1]]), columns.sum(axis=0)
    levels = bca_levels(means, float(ratio(whole)), ratio(whole - columns), sampling.confidence)
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high), method_name(BCA, len(totals)))
