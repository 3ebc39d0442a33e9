"""How often as many items as are planned show what they are planned for, by the intervals of a verdict."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.worlds import Sizes, changes, clusters_of, outcomes
from safe_eval.comparison.power import plan_power
from safe_eval.options import Assumed, PowerOptions, Sampling
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.planned_power import Changes, Shown, fewest_clusters, power_of_difference
from safe_eval.statistics.planned_share import Share, power_of_share
from safe_eval.statistics.score_interval import score_interval
from safe_eval.statistics.seeds import seed_spread
from safe_eval.statistics.two_way import two_way_interval

EQUAL = 8  # items in each cluster of `clusters_of(…, "equal")`
UP_TO_EIGHT = tuple(float(size) for size in range(1, 9))
POWER = "0.80"


def difference_shown(
    rng: np.random.Generator,
    *,
    count: int,
    sizes: Sizes,
    correlation: float,
    lost: float,
    gained: float,
    shown: Shown,
) -> dict[str, bool]:
    """Whether the interval of a difference lies above and below what it should."""
    clusters = clusters_of(rng, count, sizes)
    found = difference_interval(
        changes(rng, clusters, lost, gained, correlation), clusters, 1 - 2 * shown.risk
    )
    above = shown.above is None or (found.low is not None and found.low > shown.above)
    below = shown.below is None or (found.high is not None and found.high < shown.below)
    return {"bounded mean": above and below}


def loss_shown(
    rng: np.random.Generator, *, count: int, sizes: Sizes, correlation: float, share: float, bound: float
) -> dict[str, bool]:
    """Whether the low end of the share of right answers that are lost reaches the bound."""
    clusters = clusters_of(rng, count, sizes)
    low = score_interval(outcomes(rng, clusters, share, correlation), clusters, 0.95).low
    return {"score": low is not None and low >= bound}


def agreement_shown(
    rng: np.random.Generator, *, seeds: int, items: int, changed: float, seed_std: float, at_most: float
) -> dict[str, bool]:
    """Whether the upper limit of the standard deviation between seeds is at most so much."""
    from scipy.special import chdtri

    is_open = np.arange(items) < 2 * changed * items  # items that a seed gets right by luck
    better = rng.normal(0, seed_std / (2 * changed), size=(seeds, 1))
    right = rng.random((seeds, items)) < np.where(is_open, 0.5 + better, 1.0)
    found = seed_spread(right.astype(float), np.arange(items), Sampling())
    std, noise = found.std or 0.0, found.noise_std or 0.0
    limit = std**2 * (seeds - 1) / float(chdtri(seeds - 1, 0.95)) - noise**2
    return {"limit of chi-squared": limit <= at_most**2}


def gain_over_seeds_shown(
    rng: np.random.Generator, *, seeds: int, items: int, changed: float, difference: float, seed_std: float
) -> dict[str, bool]:
    """Whether the interval over clusters and seeds of a gain lies above 0; seeds change the same items."""
    lost, gained = (changed - difference) / 2, (changed + difference) / 2
    same = changes(rng, np.arange(items), lost, gained, 0.0)
    better = rng.normal(0, seed_std, size=(seeds, 1))
    flipped = rng.random((seeds, items)) < np.abs(better)
    values = np.where(flipped & (same == 0), np.sign(better), same).ravel()
    labels = np.repeat(np.arange(seeds), items)
    low = two_way_interval(values, np.tile(np.arange(items), seeds), labels, Sampling()).low
    return {"two-way t": low is not None and low > 0}


def cases() -> Iterator[Case]:
    """Each goal of a plan, for independent items and for clusters."""
    yield from _differences()
    yield from _losses()
    for seeds, seed_std in ((3, 0.0), (10, 0.001), (20, 0.002)):
        plan = plan_power(
            PowerOptions("seeds", seeds=seeds, assumed=Assumed(changed=0.02, seed_std=seed_std))
        )
        trial = partial(
            agreement_shown, seeds=seeds, items=plan.items, changed=0.02, seed_std=seed_std, at_most=0.005
        )
        yield Case(
            f"{seeds} seeds of std {seed_std:g} shown to be 0.005 at most, {plan.items} items",
            POWER,
            trial,
        )
    plan = plan_power(PowerOptions(difference=0.03, seeds=5, assumed=Assumed(seed_std=0.01)))
    gain = partial(
        gain_over_seeds_shown, seeds=5, items=plan.items, changed=0.1, difference=0.03, seed_std=0.01
    )
    yield Case(f"a gain of 3 points shown by 5 seeds of std 0.01, {plan.items} items", POWER, gain)


def _differences() -> Iterator[Case]:
    worlds: tuple[tuple[Literal["singletons", "equal", "one to eight"], float], ...] = (
        ("singletons", 0.0),
        ("equal", 0.3),
        ("one to eight", 0.3),
    )
    asked = (
        ("a gain of 2 points", 0.04, 0.06, Shown(0.025, above=0.0)),
        ("a gain of 5 points", 0.1, 0.15, Shown(0.025, above=0.0)),
        ("no loss above half a point, 2 % changed", 0.01, 0.01, Shown(0.05, above=-0.005)),
        ("no loss above 1 point, 0.2 % changed", 0.001, 0.001, Shown(0.05, above=-0.01)),
        ("no loss above 1 point, 0.2 points lost", 0.006, 0.004, Shown(0.05, above=-0.01)),
        ("within 2 points, 10 % changed", 0.05, 0.05, Shown(0.05, above=-0.02, below=0.02)),
    )
    of_sizes = {"singletons": (1.0,), "equal": (float(EQUAL),), "one to eight": UP_TO_EIGHT}
    for name, lost, gained, shown in asked:
        for sizes, correlation in worlds:
            planned = Changes(lost, gained, of_sizes[sizes], correlation)
            count = fewest_clusters(partial(power_of_difference, planned, shown), 0.8, 100) or 0
            trial = partial(
                difference_shown,
                count=count,
                sizes=sizes,
                correlation=correlation,
                lost=lost,
                gained=gained,
                shown=shown,
            )
            yield Case(f"{name} shown; {sizes}, {count} clusters, correlation {correlation:g}", POWER, trial)


def _losses() -> Iterator[Case]:
    worlds: tuple[tuple[Sizes, tuple[float, ...], float], ...] = (
        ("singletons", (1.0,), 0.0),
        ("equal", (float(EQUAL),), 0.2),
        ("one to eight", UP_TO_EIGHT, 0.3),
    )
    for share in (0.85, 0.9, 0.95):
        for sizes, of_sizes, correlation in worlds:
            planned = Share(share, of_sizes, correlation)
            count = fewest_clusters(partial(power_of_share, planned, 0.8, 0.025), 0.8, 100) or 0
            trial = partial(
                loss_shown, count=count, sizes=sizes, correlation=correlation, share=share, bound=0.8
            )
            of = f"{sizes}, {count} clusters, {math.ceil(count * np.mean(of_sizes))} right answers"
            yield Case(f"a share lost of {share:g} shown to reach 0.8; {of}", POWER, trial)
