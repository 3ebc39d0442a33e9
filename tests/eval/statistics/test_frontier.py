"""Frontier: joint intervals, who is dominated, and what is shown and not shown."""

import numpy as np
import pytest

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.frontiers import cases
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.frontier import Joint, joint_points, jointly, standings
from safe_eval.statistics.intervals import clustered_stderr
from safe_eval.statistics.score_interval import score_interval

SAMPLING = Sampling(resamples=4000)


def made(accuracies: list[float], costs: list[float], *, items: int = 400, seed: int = 0) -> Joint:
    """Independent answers of models in clusters of two, and latencies that vary."""
    rng = np.random.default_rng(seed)
    shape = (len(costs), items)
    scores = (rng.random(shape) < np.array(accuracies)[:, None]).astype(float)
    spent = np.array(costs)[:, None] * rng.uniform(0.8, 1.2, shape)
    return jointly(scores, spent, np.arange(items) // 2, SAMPLING)


def test_the_errors_are_those_of_clustered_means() -> None:
    joint = made([0.6, 0.8], [100, 120])
    of_values = [clustered_stderr(row, joint.clusters) for row in joint.scores]
    of_costs = [clustered_stderr(row, joint.clusters) for row in joint.spent]
    drawn = joint.errors.std(axis=0)
    assert np.sqrt((joint.pulls**2).sum(axis=0)) == pytest.approx([*of_values, *of_costs])
    assert drawn == pytest.approx([*of_values, *of_costs], rel=0.06)


def test_independent_intervals_hold_at_once_at_sidaks_level() -> None:
    """Šidák 1967: m independent intervals hold at once in 95 % if each holds in 0.95^(1/m)."""
    joint = made([0.6, 0.7, 0.8], [100, 110, 120], items=2000)
    found = joint_points(joint)[0].value_interval
    expected = score_interval(joint.scores[0], joint.clusters, 0.95 ** (1 / 6))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_a_clearly_dominated_point_is_shown_and_a_close_one_is_not() -> None:
    found = standings(made([0.6, 0.8, 0.6, 0.79], [100, 110, 130, 112]))
    assert [one.dominated_by for one in found] == [None, None, 1, 1]
    assert [one.is_shown for one in found] == [False, False, True, False]
    assert found[2].share < 0.01
    assert 0.05 < found[3].share < 0.7
    assert found[0].share == 1.0


def test_costs_that_are_the_same_in_every_item_are_the_same() -> None:
    joint = made([0.5, 0.8], [100, 100])
    same = jointly(joint.scores, np.full((2, 400), 8.0), joint.clusters, SAMPLING)
    found = standings(same)
    assert [(one.dominated_by, one.is_shown) for one in found] == [(1, True), (None, False)]


def test_answers_that_are_the_same_do_not_show_that_others_would_be() -> None:
    joint = made([0.7, 0.7], [100, 130])
    alike = jointly(joint.scores[[0, 0]], joint.spent, joint.clusters, SAMPLING)
    found = standings(alike)
    assert [(one.dominated_by, one.is_shown) for one in found] == [(None, False), (0, False)]


def test_two_equal_points_are_both_on_the_frontier() -> None:
    joint = made([0.7], [100])
    twice = jointly(joint.scores[[0, 0]], joint.spent[[0, 0]], joint.clusters, SAMPLING)
    assert [(one.dominated_by, one.share) for one in standings(twice)] == [(None, 1.0)] * 2


def test_intervals_of_bounded_and_unbounded_costs() -> None:
    always = np.ones((2, 60))
    known = joint_points(jointly(always, always * 8, np.arange(60), SAMPLING), highest_cost=8)[0]
    assert known.cost_interval.low < 8.0 == known.cost_interval.high
    assert known.value_interval.low < 1.0
    unbounded = joint_points(jointly(always, always * 8, np.arange(60), SAMPLING))[0]
    assert unbounded.cost_interval.low is None  # without any spread, nothing bounds a latency


def test_a_failed_answer_has_no_cost() -> None:
    joint = made([0.6, 0.8], [100, 120])
    spent = joint.spent.copy()
    spent[0, :40] = np.nan
    found = joint_points(jointly(joint.scores, spent, joint.clusters, SAMPLING))
    assert found[0].cost == pytest.approx(np.nanmean(spent[0]))
    spent[0] = np.nan
    with pytest.raises(InputError, match="a point has no cost, so it is no point"):
        jointly(joint.scores, spent, joint.clusters, SAMPLING)


def test_what_cannot_be_resampled_is_refused() -> None:
    table = np.ones((2, 4))
    with pytest.raises(InputError, match="all items are in one cluster"):
        jointly(table, table, np.zeros(4, dtype=int), SAMPLING)
    with pytest.raises(InputError, match=r"\(2, 4\) scores, \(1, 4\) costs and \(4,\) clusters do not match"):
        jointly(table, table[:1], np.arange(4), SAMPLING)


@pytest.mark.parametrize("name", ["all intervals of a frontier hold", "a gate's curve holds"])
def test_intervals_hold_all_at_once(name: str) -> None:
    case = next(one for one in cases() if one.name.startswith(name) and "one to eight, 50" in one.name)
    (share,) = shares(case, 60).values()
    assert share >= 0.93 - 0.08


def test_a_point_on_the_frontier_is_seldom_called_dominated() -> None:
    case = next(one for one in cases() if "on the frontier called dominated; 6" in one.name)
    found: dict[str, float] = shares(Case(case.name, case.nominal, case.trial), 60)
    assert found["shown"] <= 0.05 < found["in the sample"]
