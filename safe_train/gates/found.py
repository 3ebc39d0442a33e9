"""Found: what a gate did on a table of outcomes, and how well its score tells where hearing helps."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.auroc import auroc_and_interval
from safe_eval.statistics.calibration.calibration import Estimate as Measured
from safe_eval.statistics.calibration.calibration import calibration
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import score_interval
from safe_train.gates.drop import AUDIO, VL, Limits, drops_of, group_numbers, slice_rows
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import Bar, Estimate, Found, Reliability
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.reference import mean_of

BINS = 10

Inside = Bool[ndarray, " questions"]
Groups = Int64[ndarray, " questions"]


def found_of(outcomes: Outcomes, decisions: Decisions, tokens: int, limits: Limits) -> Found:
    """What these decisions skip, score and lose against listening always with so many tokens."""
    groups = group_numbers(outcomes)
    audio, vl = (slice_rows(outcomes, name) for name in (AUDIO, VL))
    skips = (~decisions.listens).astype(np.float64)
    scores = outcomes.under(decisions)
    drops = drops_of(outcomes, decisions, tokens, limits)

    def share(values: Float64[ndarray, " questions"], inside: Inside) -> Estimate | None:
        return _estimate(values[inside], groups[inside], limits.confidence) if inside.any() else None

    return Found(
        skips=_estimate(skips, groups, limits.confidence),
        skips_audio=share(skips, audio),
        skips_vl=share(skips, vl),
        mean_tokens=float(decisions.tokens.mean()),
        audio=mean_of(scores, outcomes, AUDIO),
        vl=mean_of(scores, outcomes, VL),
        drop_audio=drops[0],
        drop_vl=drops[1],
        against_base_vl=_lost_to_base(outcomes, scores, vl, groups, limits.confidence),
        false_consultation=share(1 - skips, vl),
    )


def reliability_of(
    outcomes: Outcomes,
    scores: Float64[ndarray, " questions"],
    labels: Inside,
    inside: Inside,
    sampling: Sampling,
) -> Reliability | None:
    """How well scores tell where hearing corrects the answer, on the questions inside; None without any.

    The score of a heuristic is no chance: its reliability says how far it is from one, and its AUROC whether
    it has the right order.
    """
    if not inside.any():
        return None
    score, right = scores[inside], labels[inside]
    groups = group_numbers(outcomes)[inside]
    forecasts = Forecasts(np.asarray(outcomes.example_ids)[inside], groups, score, right.astype(np.float64))
    measured = calibration(forecasts, sampling, bins=BINS)
    area = None
    if right.any() and not right.all():
        value, interval = auroc_and_interval(score, right, groups, sampling.confidence)
        area = Estimate(value=value, low=interval.low, high=interval.high, n=len(score))
    return Reliability(
        corrected=_of(measured.accuracy, len(score)),
        auroc=area,
        ece=_of(measured.ece, len(score)),
        brier=_of(measured.brier, len(score)),
        bars=tuple(
            Bar(low=bar.low, high=bar.high, n=bar.n, score=bar.confidence, corrected=bar.accuracy)
            for bar in measured.bars
        ),
    )


def _of(measured: Measured, n: int) -> Estimate:
    interval = measured.interval
    return Estimate(value=measured.value, low=interval.low, high=interval.high, n=n)


def _estimate(values: Float64[ndarray, " rows"], groups: Groups, confidence: float) -> Estimate:
    interval = score_interval(values, groups, confidence)
    return Estimate(value=float(values.mean()), low=interval.low, high=interval.high, n=len(values))


def _lost_to_base(
    outcomes: Outcomes,
    scores: Float64[ndarray, " questions"],
    inside: Inside,
    groups: Groups,
    confidence: float,
) -> Estimate | None:
    """What VL questions lose against the base, two-sided."""
    if not inside.any():
        return None
    lost = (outcomes.scores[:, outcomes.column(0)] - scores)[inside]
    interval = difference_interval(lost, groups[inside], confidence)
    return Estimate(value=float(lost.mean()), low=interval.low, high=interval.high, n=len(lost))
