"""Paired differences: McNemar against statsmodels, sign flips against SciPy, gained, lost and flips."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.paired import (
    MCNEMAR,
    SIGN_FLIP,
    flips,
    mcnemar,
    mcnemar_mid_p,
    mcnemar_p_values,
    paired_difference,
    paired_test,
    sign_flip,
)


@pytest.mark.parametrize(("gained", "lost"), [(3, 11), (7, 7), (0, 0), (0, 6), (120, 80)])
def test_exact_mcnemar_is_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference

    theirs = reference([[0, gained], [lost, 0]], exact=True).pvalue
    assert mcnemar(gained, lost) == pytest.approx(theirs, abs=1e-12)


def test_mid_p_by_hand() -> None:
    """3 of 14: 2·(1 + 14 + 91 + 364/2)/2^14; 1 of 2 each: 1 − C(2,1)/2^3; nothing changed: 1."""
    assert mcnemar_mid_p(3, 11) == mcnemar_mid_p(11, 3) == pytest.approx(2 * (106 + 182) / 2**14)
    assert mcnemar_mid_p(3, 11) == pytest.approx(0.03515625)
    assert mcnemar(3, 11) == pytest.approx(0.057373047, abs=1e-9)
    assert mcnemar_mid_p(1, 1) == pytest.approx(0.75)
    assert mcnemar_mid_p(0, 0) == 1.0


def test_gained_lost_difference_and_interval() -> None:
    a, b = np.array([1.0, 1, 1, 0, 1, 1] * 20), np.array([1.0, 0, 0, 1, 1, 1] * 20)
    found = paired_difference(a, b, np.arange(120), Sampling())
    assert (found.gained, found.lost, found.n, found.clusters) == (40, 20, 120, 120)
    assert found.difference == pytest.approx(1 / 6)
    assert found.interval.low < 1 / 6 < found.interval.high
    assert (found.mcnemar, found.mcnemar_mid_p) == (mcnemar(40, 20), mcnemar_mid_p(40, 20))
    assert found.p_value == pytest.approx(found.mcnemar, abs=0.01)  # one item a cluster: the same question


def test_mcnemar_by_item_whatever_the_clusters() -> None:
    a, b = np.array([1.0, 1, 1, 0, 1, 1] * 20), np.array([1.0, 0, 0, 1, 1, 1] * 20)
    assert mcnemar_p_values(a, b) == (mcnemar(40, 20), mcnemar_mid_p(40, 20))
    assert mcnemar_p_values(a, b / 2) == (None, None)


def test_graded_scores_have_no_mcnemar() -> None:
    rng = np.random.default_rng(0)
    found = paired_difference(rng.random(50), rng.random(50), np.arange(50), Sampling())
    assert found.mcnemar is None
    assert found.mcnemar_mid_p is None


def test_items_that_share_a_cluster_count_once_in_the_p_value() -> None:
    """Five clips whose ten questions all changed: McNemar sees 50 changes, the clusters 5."""
    found = paired_difference(np.ones(50), np.zeros(50), np.arange(50) // 10, Sampling())
    assert found.mcnemar < 1e-9
    assert found.p_value == pytest.approx(2 / 2**5, abs=0.01)


def test_many_sizes_are_flipped_as_by_scipy() -> None:
    """Four hundred clusters, each a size of its own, which are drawn bit by bit."""
    from scipy.stats import permutation_test

    differences = np.random.default_rng(1).normal(0.06, 1.0, size=400)
    theirs = permutation_test(
        (differences, np.zeros(400)),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    )
    assert 0.05 < theirs.pvalue < 0.9
    assert sign_flip(differences, np.arange(400), Sampling()) == pytest.approx(theirs.pvalue, abs=0.03)


def test_mcnemar_is_not_used_on_changes_that_share_clusters() -> None:
    """Fifty changes of five clips count as five."""
    assert paired_test(np.ones(50), np.zeros(50), np.arange(50), Sampling())[1] == MCNEMAR
    p_value, test = paired_test(np.ones(50), np.zeros(50), np.arange(50) // 10, Sampling())
    assert test == SIGN_FLIP
    assert p_value == pytest.approx(2 / 2**5, abs=0.01)


def test_scores_that_are_not_paired_are_refused() -> None:
    with pytest.raises(InputError, match="3 scores and 2 in 3 clusters are not paired"):
        paired_difference(np.ones(3), np.ones(2), np.arange(3), Sampling())


QUICK = Sampling(resamples=1000)


@pytest.mark.parametrize(("gained", "lost"), [(0, 1), (3, 11), (20, 5), (400, 300), (5, 5)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    assert mcnemar(gained, lost) == pytest.approx(binomtest(gained, gained + lost, 0.5).pvalue)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_mcnemar_without_any_change_says_nothing() -> None:
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar(-1, 2)


def test_right_or_wrong_is_tested_by_mcnemar_and_shares_by_sign_flips() -> None:
    right, half, clusters = np.ones(12), np.full(12, 0.3), np.arange(12)
    assert paired_test(right, 1 - right, clusters, QUICK) == (mcnemar(12, 0), MCNEMAR)
    p_value, test = paired_test(right, half, clusters, QUICK)
    assert test == SIGN_FLIP
    assert p_value < 0.01


def test_sign_flips_agree_with_scipys_permutation_test() -> None:
    from scipy.stats import permutation_test

    differences = np.random.default_rng(8).normal(0.15, 0.4, size=40)
    theirs = permutation_test(
        (differences, np.zeros(40)),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    )
    ours = sign_flip(differences, np.arange(40), Sampling())
    assert ours == pytest.approx(theirs.pvalue, abs=0.015)


def test_sign_flips_turn_whole_clusters() -> None:
    """Ten questions of one clip that all get better are one change, not ten."""
    better = np.full(10, 0.3)
    assert sign_flip(better, np.arange(10), QUICK) < 0.01
    assert sign_flip(better, np.zeros(10, dtype=int), QUICK) == 1.0
    assert sign_flip(np.zeros(10), np.arange(10), QUICK) == 1.0
    assert sign_flip(np.full(200, 0.3), np.arange(200), QUICK) == 1 / 1001  # never 0


def test_flips_by_question_type() -> None:
    types = ["count", "count", "what", "what"]
    before, after = np.array([1.0, 0.0, 0.6, 0.0]), np.array([1.0, 0.0, 0.3, 1.0])
    table = flips(before, after, types, right_from=0.5)
    assert [(f.question_type, f.n, f.stayed_right, f.gained, f.lost, f.stayed_wrong) for f in table] == [
        ("count", 2, 1, 0, 0, 1),
        ("what", 2, 0, 1, 1, 0),
    ]


def test_flips_of_other_items_are_refused() -> None:
    with pytest.raises(InputError, match="not of the same items"):
        flips(np.ones(4), np.ones(2), ["a"] * 4, right_from=0.5)
    with pytest.raises(InputError, match="1 question types of 4 items"):
        flips(np.ones(4), np.ones(4), ["what"], right_from=0.5)
