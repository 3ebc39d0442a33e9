"""Holm and Benjamini–Hochberg against statsmodels."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.statistics.multiplicity import benjamini_hochberg, holm

METHODS = [(holm, "holm"), (benjamini_hochberg, "fdr_bh")]


@pytest.mark.parametrize(("adjust", "name"), METHODS)
def test_adjusted_as_by_statsmodels(adjust: Callable[..., np.ndarray], name: str) -> None:
    """Few families: statsmodels collects all garbage of the process at each call."""
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    for family in (
        np.array([0.03]),
        np.array([0.0, 1.0, 0.5, 0.5]),
        rng.random(7).round(1),
        rng.random(40) ** 3,
    ):
        assert adjust(family) == pytest.approx(multipletests(family, method=name)[1], abs=1e-12)


@pytest.mark.parametrize(("adjust", "name"), METHODS)
@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_adjusted_values_are_larger_and_do_not_depend_on_the_order(
    adjust: Callable[..., np.ndarray], name: str, p_values: list[float], random: Random
) -> None:
    adjusted = adjust(np.array(p_values))
    assert (adjusted >= np.array(p_values) - 1e-12).all()
    assert (adjusted <= 1).all()
    order = list(range(len(p_values)))
    random.shuffle(order)
    assert adjust(np.array(p_values)[order]) == pytest.approx(adjusted[order], abs=1e-12)


@pytest.mark.parametrize(("adjust", "name"), METHODS)
@pytest.mark.parametrize(
    ("bad", "words"), [([], "without a test"), ([0.5, np.nan], "not between"), ([1.1], "not")]
)
def test_no_family(adjust: Callable[..., np.ndarray], name: str, bad: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        adjust(np.array(bad))
