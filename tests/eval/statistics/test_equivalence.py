"""Equivalence: against statsmodels, and where it must not be claimed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired import equivalence

NOISE = np.random.default_rng(0).normal(0.001, 0.05, size=400)


@pytest.mark.parametrize("margin", [0.002, 0.005, 0.01])
def test_p_value_is_statsmodels(margin: float) -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    theirs = DescrStatsW(NOISE).ttost_mean(-margin, margin)[0]
    ours = equivalence(NOISE, np.arange(400), margin, Sampling(), scale=(-10.0, 10.0))
    assert ours.p_value == pytest.approx(theirs, rel=1e-9)
    assert (ours.verdict == "equivalent") == (ours.p_value < 0.05)


@given(st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.0, 1.0]), min_size=5, max_size=60), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_bounded_difference_is_within_its_margin_where_both_tests_say_so(
    changes: list[float], size: int
) -> None:
    found = equivalence(np.array(changes), np.arange(len(changes)) // size, 0.3, Sampling())
    if found.p_value is not None:
        assert (found.verdict == "equivalent") == (found.p_value < 0.05)


def test_three_verdicts() -> None:
    assert equivalence(NOISE, np.arange(400), 0.02, Sampling()).verdict == "equivalent"
    assert equivalence(NOISE, np.arange(400), 0.001, Sampling()).verdict == "undecided"
    assert equivalence(NOISE + 0.1, np.arange(400), 0.01, Sampling()).verdict == "different"
    assert equivalence(NOISE - 0.1, np.arange(400), 0.01, Sampling()).verdict == "different"


def test_no_change_in_few_clusters_proves_nothing() -> None:
    few = equivalence(np.zeros(100), np.arange(100), 0.005, Sampling())
    assert (few.verdict, few.p_value) == ("undecided", pytest.approx(0.606, abs=0.001))
    assert few.interval.low == pytest.approx(-(1 - 0.05 ** (1 / 100)))
    assert equivalence(np.zeros(1000), np.arange(1000), 0.005, Sampling()).verdict == "equivalent"


def test_one_cluster_is_undecided() -> None:
    single = equivalence(NOISE, np.zeros(400), 0.01, Sampling())
    assert (single.verdict, single.interval, single.p_value) == ("undecided", Interval(), None)


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_is_above_0(margin: float) -> None:
    with pytest.raises(InputError, match="is not above 0"):
        equivalence(NOISE, np.arange(400), margin, Sampling())


def test_a_confidence_too_low_for_two_tests() -> None:
    with pytest.raises(InputError, match="too low for two one-sided tests"):
        equivalence(NOISE, np.arange(400), 0.01, Sampling(confidence=0.7))
