"""The BCa cluster bootstrap of 10,000 clusters beside SciPy's BCa of as many items, 10,000 resamples each."""

import json
from statistics import median

import numpy as np

from benchmarks.timing import seconds
from safe_eval.statistics import Sampling, bca_interval

ITEMS, ROUNDS = 10_000, 5


def main() -> None:
    """Print seconds (the median of five rounds, taken in turn) and the ratio, for graded and 0/1 scores."""
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    graded = rng.random(ITEMS)
    clusters = np.arange(ITEMS)
    for name, values in (("every cluster differs", graded), ("right or wrong", (graded < 0.7).astype(float))):

        def ours(values: np.ndarray = values) -> None:
            bca_interval(values, clusters, Sampling())

        def theirs(values: np.ndarray = values) -> None:
            bootstrap(
                (values,), np.mean, method="BCa", n_resamples=10_000, batch=100, rng=np.random.default_rng(0)
            )

        timed = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
        mine, reference = (median(side) for side in zip(*timed, strict=True))
        line = {"case": name, "seconds": round(mine, 4), "scipy_seconds": round(reference, 4)}
        print(json.dumps(line | {"ratio": round(reference / mine, 1)}), flush=True)
