"""Agreement of a scorer and a person: kappa equals statsmodels, and intervals resample clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics import agreement as module
from safe_eval.statistics.agreement import agreement, cohens_kappa

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("items", "kinds"), [(50, 2), (200, 3), (30, 5)])
def test_equals_statsmodels(items: int, kinds: int) -> None:
    from statsmodels.stats.inter_rater import cohens_kappa as reference

    rng = np.random.default_rng(items)
    first = rng.integers(0, kinds, items)
    second = np.where(rng.random(items) < 0.6, first, rng.integers(0, kinds, items))
    table = np.zeros((kinds, kinds))
    np.add.at(table, (first, second), 1)
    expected, found = reference(table), cohens_kappa(first.tolist(), second.tolist())
    assert found.value == pytest.approx(expected.kappa, abs=1e-12)
    assert found.stderr == pytest.approx(expected.std_kappa, abs=1e-12)


def test_perfect_chance_and_undefined() -> None:
    assert cohens_kappa("aabb", "aabb").value == 1
    assert cohens_kappa("aabb", "abab").value == 0
    assert cohens_kappa("aabb", "bbaa").value == -1
    assert cohens_kappa("aaaa", "aaaa") == module.Kappa(None, None)
    with pytest.raises(InputError, match="0 and 0 labels"):
        cohens_kappa([], [])


@given(labels)
def test_symmetric_and_at_most_one(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    found, turned = cohens_kappa(first, second), cohens_kappa(second, first)
    assert (found.value is None) == (turned.value is None)
    if found.value is not None:
        assert found.value == pytest.approx(turned.value)
        assert -1 - 1e-12 <= found.value <= 1 + 1e-12


def made(items: int, agreeing: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scorer = rng.random(items) < 0.5
    return scorer, np.where(rng.random(items) < agreeing, scorer, ~scorer)


def test_intervals_hold_the_figures_and_agree_with_the_analytic_one() -> None:
    scorer, person = made(400, 0.85)
    found = agreement(scorer, person, np.arange(400), Sampling(resamples=2000))
    assert found.both_right + found.scorer_only + found.person_only + found.both_wrong == found.n == 400
    assert found.agreement_low < found.agreement < found.agreement_high
    assert found.kappa_high - found.kappa_low == pytest.approx(2 * 1.96 * found.kappa_stderr, rel=0.1)


def test_duplicated_items_with_their_clusters_do_not_shrink_the_intervals() -> None:
    scorer, person = made(100, 0.8)
    sampling = Sampling(resamples=1000)
    once = agreement(scorer, person, np.arange(100), sampling)
    thrice = agreement(scorer.repeat(3), person.repeat(3), np.arange(100).repeat(3), sampling)
    assert (thrice.kappa_low, thrice.kappa_high) == pytest.approx((once.kappa_low, once.kappa_high))
    assert (thrice.agreement_low, thrice.agreement_high) == pytest.approx(
        (once.agreement_low, once.agreement_high)
    )


def test_what_says_nothing_is_not_measured() -> None:
    alike = np.array([True, False] * 5)
    assert agreement(alike, alike, np.arange(10), Sampling()).kappa_low is None  # each resample repeats 1
    one_cluster = agreement(alike, ~alike, np.zeros(10), Sampling())
    assert (one_cluster.kappa, one_cluster.kappa_low, one_cluster.agreement_low) == (-1, None, None)
    rare = np.arange(10) == 0
    assert agreement(rare, np.zeros(10, dtype=bool), np.arange(10), Sampling()).kappa_low is None
