"""The BCa cluster bootstrap of 10,000 clusters beside SciPy's BCa of as many items, 10,000 resamples each."""

import numpy as np

from benchmarks.timing import in_turns, print_ratio, seconds
from safe_eval.options import Sampling
from safe_eval.statistics.bca import bca_interval

ITEMS, RESAMPLES, ROUNDS = 10_000, 10_000, 5


def main() -> None:
    """Print seconds, taken in turn, and how many times SciPy takes as long, for graded and 0/1 scores."""
    from scipy.stats import bootstrap

    graded = np.random.default_rng(0).random(ITEMS)
    clusters = np.arange(ITEMS)
    for name, values in (("every cluster differs", graded), ("right or wrong", (graded < 0.7).astype(float))):

        def ours(values: np.ndarray = values) -> None:
            bca_interval(values, clusters, Sampling(resamples=RESAMPLES))

        def theirs(values: np.ndarray = values) -> None:
            rng = np.random.default_rng(0)
            bootstrap((values,), np.mean, method="BCa", n_resamples=RESAMPLES, batch=100, rng=rng)

        times = in_turns(ROUNDS, lambda ours=ours: seconds(ours), lambda theirs=theirs: seconds(theirs))
        print_ratio(
            "bootstrap_speed",
            f"BCa cluster bootstrap against SciPy's BCa, {name}",
            "intervals/s",
            *([1 / taken for taken in side] for side in times),
            {"items": ITEMS, "resamples": RESAMPLES},
            at_least=5,
        )
