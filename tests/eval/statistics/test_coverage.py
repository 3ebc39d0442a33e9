"""Intervals contain the truth, and tests reject a true null hypothesis, as often as they claim."""

import numpy as np
import pytest

from benchmarks.coverage_simulation import (
    Scores,
    clusters_of,
    coverage,
    graded,
    holds,
    loss_rejections,
    rejections,
    right_or_wrong,
)
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import mean_interval


@pytest.mark.parametrize("scores", [right_or_wrong, graded])
def test_intervals_cover_and_tests_reject_as_often_as_they_say(scores: Scores) -> None:
    """A short run of `python -m benchmarks coverage_simulation`; the bounds are wider by its noise."""
    covered = coverage(scores, 120, trials=400, resamples=400)
    assert {name: share for name, share in covered.items() if not 0.92 <= share <= 0.98} == {}
    rejected = rejections(scores, 120, trials=400, resamples=400)
    assert {name: share for name, share in rejected.items() if not 0.02 <= share <= 0.08} == {}


def test_items_taken_as_independent_cover_too_little() -> None:
    """The test above can fail: the same intervals without their clusters."""
    held = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        clusters = clusters_of(rng, 120)
        values = right_or_wrong(rng, clusters)
        held += holds(mean_interval(values, np.arange(len(values)), Sampling(resamples=200)), 0.7)
    assert held / 200 < 0.9


def test_a_loss_that_is_there_is_ruled_out_no_more_often_than_said() -> None:
    """Half a point lost in 120 clusters: few answers change, and Student's t sees too little spread."""
    share = loss_rejections(0.005, 0.0, 120, trials=300)
    assert share["chosen"] <= 0.05 < 0.08 < share["t"]
    assert 0.02 <= loss_rejections(0.1, 0.08, 120, trials=300)["chosen"] <= 0.08


def test_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    clusters, held = np.repeat(np.arange(60), 4), 0
    for trial in range(1000):
        right = rng.random(60)  # each cluster has its own chance, 0.5 on average
        scores = (rng.random(240) < right[clusters]).astype(float)
        interval = mean_interval(scores, clusters, Sampling(resamples=500, seed=trial))
        held += interval.low <= 0.5 <= interval.high
    assert 0.92 <= held / 1000 <= 0.97
