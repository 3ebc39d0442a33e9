"""Intervals contain the truth, and tests reject a true null hypothesis, as often as they claim.

Short runs of `python -m benchmarks coverage_simulation`; the bounds are wider by their noise.
"""

from functools import partial

import numpy as np
import pytest

from benchmarks.coverage_simulation import TOPICS
from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.differences import loss_of_the_margin, no_difference, right_or_wrong
from benchmarks.simulations.means import Scores, called_rare, graded, holds, of_graded, of_right_or_wrong
from benchmarks.simulations.worlds import Sizes, clusters_of
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import mean_interval


@pytest.mark.parametrize("mean", [0.7, 0.95, 0.99])
@pytest.mark.parametrize(("sizes", "count"), [("equal", 20), ("equal", 100), ("zipf", 50), ("zipf", 200)])
def test_the_interval_of_a_mean_holds_it_as_often_as_it_says(sizes: Sizes, count: int, mean: float) -> None:
    trial = partial(of_right_or_wrong, mean=mean, count=count, sizes=sizes, correlation=0.3)
    assert shares(Case("means", "0.95", trial), 150)["score"] >= 0.93 - 0.04


def test_a_rate_is_seldom_called_rarer_than_it_is() -> None:
    trial = partial(called_rare, rate=0.05, count=50, sizes="zipf", correlation=0.3)
    assert shares(Case("rates", "<= 0.04", trial), 300)["score"] <= 0.06


def test_intervals_of_skewed_grades_cover_as_often_as_they_say() -> None:
    found = shares(Case("grades", "0.95", partial(of_graded, count=120)), 300)
    assert {name: share for name, share in found.items() if not 0.91 <= share <= 0.985} == {}


@pytest.mark.parametrize("scores", [right_or_wrong, graded])
def test_two_models_alike_are_told_apart_no_more_often_than_said(scores: Scores) -> None:
    found = shares(Case("alike", "0.05", partial(no_difference, scores=scores, count=120)), 300)
    assert {name: share for name, share in found.items() if not 0.01 <= share <= 0.085} == {}


def test_items_taken_as_independent_cover_too_little() -> None:
    """The tests above can fail: the same intervals without their clusters."""
    held = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        clusters = clusters_of(rng, 120)
        values = right_or_wrong(rng, clusters)
        held += holds(mean_interval(values, np.arange(len(values)), Sampling(resamples=200)), 0.7)
    assert held / 200 < 0.9


@pytest.mark.parametrize(
    ("sizes", "count", "correlation"),
    [("equal", 50, 0.3), ("zipf", 50, 0.3), ("giant", 50, 0.3), ("singletons", 200, 0.0)],
)
def test_a_loss_that_is_there_is_ruled_out_no_more_often_than_said(
    sizes: Sizes, count: int, correlation: float
) -> None:
    trial = partial(
        loss_of_the_margin, margin=0.05, gained=0.0, count=count, sizes=sizes, correlation=correlation
    )
    found = shares(Case("losses", "<= 0.06", trial), 200)
    assert found["bounded mean"] <= 0.06 + 0.035
    assert sizes not in ("zipf", "giant") or found["t"] > 0.1


def test_few_independent_items_do_not_rule_out_a_loss_of_half_a_point() -> None:
    trial = partial(
        loss_of_the_margin, margin=0.005, gained=0.0, count=540, sizes="singletons", correlation=0.0
    )
    found = shares(Case("losses", "<= 0.06", trial), 300)
    assert found["bounded mean"] <= 0.06 + 0.03 < 0.15 < found["t"]


def test_every_case_of_the_simulations_has_a_name_of_its_own() -> None:
    """The name seeds the draws; the cases of `power` are planned first, which takes seconds."""
    names = [case.name for topic, cases in TOPICS.items() if topic != "power" for case in cases()]
    assert len(names) > 600
    assert [name for name in names if names.count(name) > 1] == []
