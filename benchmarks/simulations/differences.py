"""How often a test of two models says what is false: a difference that is none, a loss that is there."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import RESAMPLES, Scores, graded, holds
from benchmarks.simulations.worlds import Sizes, changes, clusters_of, outcomes
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import t_interval
from safe_eval.statistics.paired import equivalence, mcnemar, mcnemar_mid_p, sign_flip
from safe_eval.statistics.paired_score import difference_interval, score_bounds


def loss_of_the_margin(
    rng: np.random.Generator, *, margin: float, gained: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool]:
    """Whether a net loss that is exactly the margin is ruled out: as we choose, by Student's t, by Tango."""
    clusters = clusters_of(rng, count, sizes)
    differences = changes(rng, clusters, margin + gained, gained, correlation)
    found = {
        "bounded mean": difference_interval(differences, clusters, 0.9).low,
        "t": t_interval(differences, clusters, 0.9, scale=(-1.0, 1.0)).low,
    }
    if sizes == "singletons":
        counts = (float((differences < 0).sum()), float((differences > 0).sum()))
        found["tango"] = -score_bounds(*counts, len(differences))[1]
    return {name: low is not None and low > -margin for name, low in found.items()}


def no_difference(rng: np.random.Generator, *, scores: Scores, count: int) -> dict[str, bool]:
    """Whether two models that are alike on average, not cluster by cluster, are told apart."""
    clusters = clusters_of(rng, count)
    differences = scores(rng, clusters) - scores(rng, clusters)
    sampling = Sampling(resamples=RESAMPLES, seed=int(rng.integers(1 << 30)))
    scale = (-1.0, 1.0) if scores is right_or_wrong else (-10.0, 10.0)
    at_margin = equivalence(differences + 0.2, clusters, 0.2, sampling, scale=(-10, 10))
    return {
        "sign flip": sign_flip(differences, clusters, sampling) <= 0.05,
        "interval without 0": not holds(difference_interval(differences, clusters, 0.95, scale=scale), 0.0),
        "equivalence at the margin by t": at_margin.verdict == "equivalent",
    }


def right_or_wrong(rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    """Scores 0 or 1 of mean 0.7 and intracluster correlation 0.3."""
    return outcomes(rng, clusters, 0.7, 0.3)


def by_mcnemar(rng: np.random.Generator, *, clustered: bool) -> dict[str, bool]:
    """McNemar's tests on a true null: of items alone, or of clustered ones, which they are not made for."""
    clusters = clusters_of(rng, 120) if clustered else np.arange(480)
    a, b = right_or_wrong(rng, clusters), right_or_wrong(rng, clusters)
    gained, lost = int((a > b).sum()), int((a < b).sum())
    return {"exact": mcnemar(gained, lost) <= 0.05, "mid-p": mcnemar_mid_p(gained, lost) <= 0.05}


def cases() -> Iterator[Case]:
    """Losses of the margin by sizes, numbers and likeness of clusters; two models alike; McNemar."""
    for count in (540, 600, 1000, 1500, 4000):
        trial = partial(
            loss_of_the_margin, margin=0.005, gained=0.0, count=count, sizes="singletons", correlation=0.0
        )
        yield Case(f"a loss of 0.5 points ruled out; {count} independent items", "<= 0.06", trial)
    kinds: tuple[Sizes, ...] = ("equal", "zipf", "random zipf", "giant", "singletons")
    for sizes, count, correlation, gained in itertools.product(
        kinds, (8, 20, 50, 200), (0.0, 0.3, 0.9), (0.0, 0.1)
    ):
        if sizes == "singletons" and correlation:
            continue
        trial = partial(
            loss_of_the_margin, margin=0.05, gained=gained, count=count, sizes=sizes, correlation=correlation
        )
        of = f"{gained:.0%} gained; {sizes}, {count} clusters, correlation {correlation:g}"
        yield Case(f"a loss of 5 points ruled out, {of}", "<= 0.06", trial)
    for scores, count in itertools.product((right_or_wrong, graded), (20, 120)):
        trial = partial(no_difference, scores=scores, count=count)
        yield Case(f"two models alike told apart; {scores.__name__}, {count} clusters", "0.05", trial)
    for clustered in (False, True):
        of = "clustered" if clustered else "independent"
        yield Case(
            f"two models alike told apart; {of} items", "0.05", partial(by_mcnemar, clustered=clustered)
        )
