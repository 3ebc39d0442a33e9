"""How often 95 % intervals hold the truth, and tests at 5 % reject a true null, on clustered data.

One JSON line a case: what was tried, the share of trials, its Monte Carlo standard error. 15 minutes.
"""

import json
import math
from collections.abc import Callable, Iterator

import numpy as np

from safe_eval.options import Sampling
from safe_eval.statistics.bca import bca_interval
from safe_eval.statistics.calibration.calibration import Forecasts, calibration
from safe_eval.statistics.intervals import Interval, mean_interval, t_interval, wilson_interval
from safe_eval.statistics.paired import equivalence, mcnemar, mcnemar_mid_p, sign_flip
from safe_eval.statistics.paired_score import one_sided_interval
from safe_eval.statistics.power import observed_design_effect
from safe_eval.statistics.seeds import two_way_interval

CORRELATION, MEAN = 0.3, 0.7
TRIALS, RESAMPLES = 4000, 1000
INTERVALS: dict[str, Callable[[np.ndarray, np.ndarray, Sampling], Interval]] = {
    "percentile": mean_interval,
    "bca": bca_interval,
    "t": lambda values, clusters, sampling: t_interval(values, clusters, sampling.confidence),
}

Scores = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def clusters_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Clusters of one to eight items."""
    return np.repeat(np.arange(count), rng.integers(1, 9, size=count))


def right_or_wrong(rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    """Scores 0 or 1 of mean 0.7 and intracluster correlation 0.3: beta-binomial."""
    weight = 1 / CORRELATION - 1
    chance = rng.beta(MEAN * weight, (1 - MEAN) * weight, size=clusters.max() + 1)
    return (rng.random(len(clusters)) < chance[clusters]).astype(float)


def graded(rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    """Skewed scores of mean 0.7 and intracluster correlation 0.3, as captions have."""
    of_cluster = rng.exponential(size=clusters.max() + 1)[clusters] - 1
    of_item = rng.exponential(size=len(clusters)) - 1
    return MEAN + 0.3 * (math.sqrt(CORRELATION) * of_cluster + math.sqrt(1 - CORRELATION) * of_item)


def coverage(scores: Scores, count: int, trials: int, resamples: int = RESAMPLES) -> dict[str, float]:
    """The share of trials in which each interval of the mean holds 0.7."""
    held = dict.fromkeys([*INTERVALS, "wilson by design effect"], 0)
    for trial in range(trials):
        rng = np.random.default_rng([trial, count])
        clusters = clusters_of(rng, count)
        values = scores(rng, clusters)
        sampling = Sampling(resamples=resamples, seed=trial)
        for name, interval in INTERVALS.items():
            held[name] += holds(interval(values, clusters, sampling), MEAN)
        if scores is right_or_wrong:
            effect = observed_design_effect(values, clusters) or 1.0
            held["wilson by design effect"] += holds(
                wilson_interval(float(values.mean()), len(values) / effect, 0.95), MEAN
            )
    if scores is not right_or_wrong:
        del held["wilson by design effect"]
    return {name: count / trials for name, count in held.items()}


def rejections(scores: Scores, count: int, trials: int, resamples: int = RESAMPLES) -> dict[str, float]:
    """The share of trials that reject a true null: of two models alike on average, not cluster by cluster.

    Equivalence is tried where the difference is the margin, the nearest of all that are not equivalent.
    """
    rejected = dict.fromkeys(["sign flip", "interval without 0", "equivalence at the margin"], 0)
    for trial in range(trials):
        rng = np.random.default_rng([trial, count, 1])
        clusters = clusters_of(rng, count)
        differences = scores(rng, clusters) - scores(rng, clusters)
        sampling = Sampling(resamples=resamples, seed=trial)
        rejected["sign flip"] += sign_flip(differences, clusters, sampling) <= 0.05
        interval = mean_interval(differences, clusters, sampling, scale=(-10, 10))
        rejected["interval without 0"] += not holds(interval, 0.0)
        at_margin = equivalence(differences + 0.2, clusters, 0.2, sampling, scale=(-10, 10))
        rejected["equivalence at the margin"] += at_margin.verdict == "equivalent"
    return {name: count / trials for name, count in rejected.items()}


def mcnemar_rejections(clustered: bool, trials: int, count: int = 120) -> dict[str, float]:
    """McNemar's tests on a true null: of items alone, or of clustered ones, which they are not made for."""
    rejected = {"exact": 0, "mid-p": 0}
    for trial in range(trials):
        rng = np.random.default_rng([trial, 2])
        clusters = clusters_of(rng, count) if clustered else np.arange(4 * count)
        a, b = right_or_wrong(rng, clusters), right_or_wrong(rng, clusters)
        gained, lost = int((a > b).sum()), int((a < b).sum())
        rejected["exact"] += mcnemar(gained, lost) <= 0.05
        rejected["mid-p"] += mcnemar_mid_p(gained, lost) <= 0.05
    return {name: count / trials for name, count in rejected.items()}


def loss_rejections(loss: float, gain: float, count: int, trials: int) -> dict[str, float]:
    """The share of trials that rule out a loss which is exactly there, by Student's t and as we choose.

    A share of the answers is lost and another gained, the net loss is the margin, and those of a cluster go
    together. Few changes are what a frozen model shows.
    """
    ruled_out = {"t": 0, "chosen": 0}
    weight = 1 / CORRELATION - 1
    for trial in range(trials):
        rng = np.random.default_rng([trial, count, 5])
        clusters = clusters_of(rng, count)
        changes = rng.dirichlet(weight * np.array([loss, gain, 1 - loss - gain]), size=count)[clusters]
        drawn = rng.random(len(clusters))
        lost, gained = drawn < changes[:, 0], drawn > 1 - changes[:, 1]
        differences = gained.astype(float) - lost
        for name, interval in (("t", t_interval), ("chosen", one_sided_interval)):
            low = interval(differences, clusters, 0.9, scale=(-1.0, 1.0)).low
            ruled_out[name] += low is not None and low > gain - loss
    return {name: count / trials for name, count in ruled_out.items()}


def two_way_coverage(seeds: int, seed_std: float, trials: int, count: int = 120) -> float:
    """The share of trials in which the interval over clusters and seeds holds the mean."""
    held = 0
    for trial in range(trials):
        rng = np.random.default_rng([trial, seeds, 3])
        clusters = clusters_of(rng, count)
        worth = rng.normal(0, seed_std, size=(seeds, 1))
        shared = graded(rng, clusters)
        values = shared + worth + rng.normal(0, 0.3, size=(seeds, len(clusters)))
        labels = np.repeat(np.arange(seeds), len(clusters))
        held += holds(two_way_interval(values.ravel(), np.tile(clusters, seeds), labels, Sampling()), MEAN)
    return held / trials


def ece_coverage(sharpening: float, count: int, trials: int, resamples: int = RESAMPLES) -> dict[str, float]:
    """The share of trials in which the interval of each error contains its value on half a million items.

    Unsharpened confidences are the chances themselves: there the errors in bins are 0, not noise.
    """
    truth = calibration(answers_of(np.random.default_rng(0), 100_000, sharpening), Sampling(resamples=100))
    names = ("ece", "debiased_ece", "mce", "brier")
    held = dict.fromkeys(names, 0)
    for trial in range(trials):
        rng = np.random.default_rng([trial, count, 4])
        sampling = Sampling(resamples=resamples, seed=trial)
        measured = calibration(answers_of(rng, count, sharpening), sampling)
        for name in names:
            calibrated = sharpening == 1 and name != "brier"
            value = 0.0 if calibrated else getattr(truth, name).value
            held[name] += holds(getattr(measured, name).interval, value)
    return {name: count / trials for name, count in held.items()}


def holds(interval: Interval, truth: float) -> bool:
    """Whether an interval holds a number; one that was not measured does not."""
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def answers_of(rng: np.random.Generator, count: int, sharpening: float) -> Forecasts:
    """Forecasts whose chance of being right is shared in a cluster, said more sharply than it is."""
    clusters = clusters_of(rng, count)
    logits = rng.normal(1, 1, size=count)[clusters] + rng.normal(0, 0.5, size=len(clusters))
    correct = (rng.random(len(clusters)) < 1 / (1 + np.exp(-logits))).astype(float)
    return Forecasts(np.arange(len(clusters)), clusters, 1 / (1 + np.exp(-sharpening * logits)), correct)


def _cases() -> Iterator[tuple[str, dict[str, float], int]]:
    for scores in (right_or_wrong, graded):
        for count in (10, 20, 30, 50, 120, 300):
            yield f"coverage, {scores.__name__}, {count} clusters", coverage(scores, count, TRIALS), TRIALS
        for count in (20, 120):
            yield (
                f"rejections, {scores.__name__}, {count} clusters",
                rejections(scores, count, TRIALS),
                TRIALS,
            )
    for loss, gain, count in ((0.005, 0.0, 120), (0.005, 0.0, 600), (0.02, 0.0, 225), (0.02, 0.01, 225)):
        yield (
            f"a loss of {loss - gain:g} ruled out, {gain:g} gained, {count} clusters",
            loss_rejections(loss, gain, count, TRIALS),
            TRIALS,
        )
    for clustered in (False, True):
        of = "clustered" if clustered else "independent"
        yield f"McNemar rejections, {of} items", mcnemar_rejections(clustered, TRIALS), TRIALS
    for seeds in (2, 3, 5, 10):
        for seed_std in (0.0, 0.03, 0.1):
            share = two_way_coverage(seeds, seed_std, TRIALS)
            yield f"coverage, {seeds} seeds of std {seed_std}, 120 clusters", {"two-way t": share}, TRIALS
    for sharpening in (1.0, 1.3, 2.0):
        for count in (50, 500):
            shares = ece_coverage(sharpening, count, 1000)
            yield f"calibration coverage, logits times {sharpening:g}, {count} clusters", shares, 1000


def main() -> None:
    """Print one line a case and method."""
    for case, shares, trials in _cases():
        for method, share in shares.items():
            stderr = math.sqrt(share * (1 - share) / trials)
            line = {"case": case, "method": method, "share": round(share, 4), "stderr": round(stderr, 4)}
            print(json.dumps(line | {"trials": trials}), flush=True)
