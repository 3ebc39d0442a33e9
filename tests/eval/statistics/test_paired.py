"""Paired differences: McNemar against statsmodels, sign flips of many clusters, gained and lost."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.statistics.paired import (
    MCNEMAR,
    SIGN_FLIP,
    mcnemar,
    mcnemar_mid_p,
    mcnemar_p_values,
    paired_difference,
    paired_test,
    sign_flip,
)
from safe_eval.statistics.sampling import Sampling


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


def test_the_test_of_a_pair_is_not_fooled_by_clusters() -> None:
    """Fifty changes of five clips are no fifty changes: not McNemar's case, though right or wrong."""
    assert paired_test(np.ones(50), np.zeros(50), np.arange(50), Sampling())[1] == MCNEMAR
    p_value, test = paired_test(np.ones(50), np.zeros(50), np.arange(50) // 10, Sampling())
    assert test == SIGN_FLIP
    assert p_value == pytest.approx(2 / 2**5, abs=0.01)


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(InputError, match="3 scores beside 2 in 3 clusters are no pairs"):
        paired_difference(np.ones(3), np.ones(2), np.arange(3), Sampling())
