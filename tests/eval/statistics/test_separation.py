"""Separation: the difference of two mean losses whose items share clusters, against an outside truth."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.lomo import of_the_separation, told_apart
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.separation import Losses, Separation, separation
from safe_eval.statistics.two_way import two_way_interval


def losses(values: np.ndarray, clusters: np.ndarray) -> Losses:
    return Losses(np.atleast_2d(values).astype(float), clusters)


def worlds(clusters: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses of four heard and four seen questions in each video, which go together."""
    rng = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(clusters), 4)
    chance = rng.random(clusters)[numbers]
    return (rng.random(len(numbers)) < chance), (rng.random(len(numbers)) < chance / 2), numbers


def test_the_standard_error_is_that_of_a_clustered_regression() -> None:
    """Of equal clusters, CR2 is CR0 times C / (C − 1); what is not seen adds next to nothing here."""
    linear = pytest.importorskip("statsmodels.regression.linear_model")
    heard, seen, clusters = worlds()
    found = separation(losses(heard, clusters), losses(seen, clusters), 0.95)
    of_audio = np.repeat([1.0, 0.0], len(clusters))
    design = np.column_stack([np.ones(2 * len(clusters)), of_audio])
    fitted = linear.OLS(np.concatenate([heard, seen]).astype(float), design).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.tile(clusters, 2), "use_correction": False},
    )
    assert found.value == pytest.approx(fitted.params[1])
    assert found.stderr == pytest.approx(fitted.bse[1] * np.sqrt(200 / 199), rel=1e-3)
    assert found.stderr > fitted.bse[1]
    assert found.freedom == pytest.approx(199)


def test_questions_of_one_video_are_not_taken_as_independent() -> None:
    heard, seen, clusters = worlds()
    joint = separation(losses(heard, clusters), losses(seen, clusters), 0.95)
    apart = separation(losses(heard, clusters), losses(seen, clusters + 200), 0.95)
    assert joint.value == apart.value
    assert joint.stderr < 0.9 * apart.stderr  # they go together, so their difference varies less


def test_the_p_value_is_that_of_the_interval() -> None:
    heard, seen, clusters = worlds(40)
    found = separation(losses(heard, clusters), losses(seen, clusters), 0.95)
    touching = separation(losses(heard, clusters), losses(seen, clusters), 1 - found.p_value)
    ends = (touching.interval.low, touching.interval.high)
    assert min(map(abs, ends)) == pytest.approx(0, abs=1e-9)
    assert found.test == found.interval.method == "cluster t"


@pytest.mark.parametrize("count", [2, 20, 200])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_it_is_never_certain(count: int, level: float) -> None:
    """All of what is heard is lost, or nothing is, and nothing of what is seen."""
    clusters = np.repeat(np.arange(count), 3)
    found = separation(losses(np.full(len(clusters), level), clusters), losses(0 * clusters, clusters), 0.95)
    assert found.value == level
    assert found.interval.high - found.interval.low > 1 / count
    assert found.p_value > 0
    assert -2 <= found.interval.low <= level <= found.interval.high <= 2


def test_the_interval_moves_smoothly_from_no_loss_to_one() -> None:
    clusters = np.arange(100)
    heard = np.repeat([1.0, 0.0], [60, 40])
    found = [
        separation(losses(heard, clusters), losses(clusters < lost, clusters), 0.95).interval.low
        for lost in range(6)
    ]
    steps = -np.diff(found)
    assert (steps > 0).all()  # each picture that is lost sets them less far apart
    assert steps.max() < 0.03


@settings(max_examples=60, deadline=None)
@given(
    heard=st.lists(st.booleans(), min_size=12, max_size=60),
    place=st.integers(0, 11),
)
def test_losing_less_of_what_is_heard_never_sets_it_further_apart(heard: list[bool], place: int) -> None:
    clusters = np.arange(len(heard))
    worse = np.array(heard, dtype=float)
    worse[place] = 1.0
    better = worse.copy()
    better[place] = 0.0
    seen = losses(0 * clusters, clusters)
    low = [separation(losses(one, clusters), seen, 0.95).interval.low for one in (better, worse)]
    assert low[0] <= low[1] + 1e-12


def test_one_cluster_of_a_kind_is_not_measured() -> None:
    clusters = np.arange(10)
    found = separation(losses(np.ones(10), clusters), losses(np.zeros(3), np.zeros(3, dtype=int)), 0.95)
    assert found == Separation(1.0, 1.0, 0.0, (1.0,))


def test_seeds_that_differ_widen_it_as_the_two_way_interval_does() -> None:
    heard, _, clusters = worlds(300)
    nothing = losses(np.zeros((3, len(clusters))), clusters + 300)
    of_seeds = np.stack([heard, heard, heard]).astype(float)
    same = separation(Losses(of_seeds, clusters), nothing, 0.95)
    moved = of_seeds.copy()
    moved[1, ::5], moved[2, ::7] = 1.0, 0.0
    other = separation(Losses(moved, clusters), nothing, 0.95)
    assert other.interval.method == "cluster and seed t"
    assert other.interval.high - other.interval.low > same.interval.high - same.interval.low
    labels = np.repeat(np.arange(3), len(clusters))
    two_way = two_way_interval(moved.ravel(), np.tile(clusters, 3), labels, Sampling())
    assert (other.interval.low, other.interval.high) == pytest.approx((two_way.low, two_way.high), abs=0.01)


def test_what_cannot_be_set_apart_is_refused() -> None:
    clusters = np.arange(4)
    with pytest.raises(InputError, match="1 and 2 seeds cannot be set apart"):
        separation(losses(np.ones(4), clusters), losses(np.ones((2, 4)), clusters), 0.95)
    with pytest.raises(InputError, match=r"losses of shape \(1, 0\) beside 0 clusters: none to compare"):
        separation(losses(np.ones(4), clusters), losses(np.ones((1, 0)), clusters[:0]), 0.95)


@pytest.mark.parametrize(
    ("world", "least", "most"),
    [
        ({"heard": 0.8, "seen": 0.0, "count": 50, "correlation": 0.3}, 0.90, 1.0),
        ({"heard": 0.5, "seen": 0.02, "count": 200, "correlation": 0.0}, 0.90, 0.99),
        (
            {"heard": 0.8, "seen": 0.05, "count": 30, "correlation": 0.3, "seeds": 3, "seed_std": 0.05},
            0.90,
            1.0,
        ),
    ],
)
def test_how_often_it_holds_the_truth(world: dict[str, float], least: float, most: float) -> None:
    case = Case("held", "0.95", partial(of_the_separation, sizes="equal", **world))
    assert least <= shares(case, 200)["joint t"] <= most


def test_how_often_kinds_that_lose_alike_are_called_apart() -> None:
    case = Case("apart", "0.025", partial(told_apart, lost=0.05, count=50, sizes="equal", correlation=0.3))
    assert shares(case, 300)["joint t"] <= 0.05
