"""Holm and Benjamini–Hochberg against statsmodels."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.errors import InputError
from safe_eval.statistics.multiplicity import benjamini_hochberg, holm

METHODS = [(holm, "holm"), (benjamini_hochberg, "fdr_bh")]


@pytest.mark.parametrize(("adjust", "name"), METHODS)
@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_as_by_statsmodels(
    adjust: Callable[..., np.ndarray], name: str, p_values: list[float]
) -> None:
    from statsmodels.stats.multitest import multipletests

    given_order = np.array(p_values)
    adjusted = adjust(given_order)
    assert adjusted == pytest.approx(multipletests(given_order, method=name)[1], abs=1e-9)
    assert (adjusted >= given_order - 1e-12).all()
    assert (adjusted <= 1).all()


@pytest.mark.parametrize(("adjust", "name"), METHODS)
@pytest.mark.parametrize(
    ("bad", "words"), [([], "without a test"), ([0.5, np.nan], "not between"), ([1.1], "not")]
)
def test_no_family(adjust: Callable[..., np.ndarray], name: str, bad: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        adjust(np.array(bad))
