"""How often the intervals of AUROC, AURC and the risk–coverage curve hold the truth, in clusters."""

import itertools
import math
from collections.abc import Iterator
from functools import cache, partial
from statistics import NormalDist

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import RESAMPLES, holds
from benchmarks.simulations.worlds import Sizes, clusters_of, outcomes
from safe_eval.options import Sampling
from safe_eval.statistics.auroc import auroc_and_interval
from safe_eval.statistics.risk_coverage import risk_coverage

CORRELATION = 0.3  # of labels, and of scores, in a cluster
_MANY = 300_000  # clusters, which stand for all


def of_auroc(
    rng: np.random.Generator, *, truth: float, positive: float, count: int, sizes: Sizes = "one to eight"
) -> dict[str, bool]:
    """The interval of an AUROC of normal scores, where this share of the items is positive."""
    clusters = clusters_of(rng, count, sizes)
    labels = _of_both_classes(rng, clusters, positive)
    scores = _normal(rng, clusters) + labels * math.sqrt(2) * NormalDist().inv_cdf(truth)
    return {"DeLong score": holds(auroc_and_interval(scores, labels, clusters, 0.95)[1], truth)}


def of_decision(
    rng: np.random.Generator, *, right: float, count: int, sizes: Sizes = "one to eight"
) -> dict[str, bool]:
    """The same of decisions, open or closed: AUROC is their balanced accuracy."""
    clusters = clusters_of(rng, count, sizes)
    labels = _of_both_classes(rng, clusters, 0.5)
    opens = np.where(outcomes(rng, clusters, right, CORRELATION) > 0, labels, ~labels)
    return {"DeLong score": holds(auroc_and_interval(opens.astype(float), labels, clusters, 0.95)[1], right)}


def answers(
    rng: np.random.Generator, clusters: np.ndarray, logit: float, doubt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Confidences that know the chance of being right up to some doubt, and losses; logits have this mean."""
    of_cluster = rng.normal(logit, 1, size=int(clusters.max()) + 1)[clusters]
    logits = of_cluster + rng.normal(0, 0.5, size=len(clusters))
    losses = (rng.random(len(clusters)) > 1 / (1 + np.exp(-logits))).astype(float)
    said = logits + doubt * rng.normal(size=len(clusters))
    return 1 / (1 + np.exp(-said)), losses


def of_curve(
    rng: np.random.Generator, *, logit: float, doubt: float, count: int, sizes: Sizes = "one to eight"
) -> dict[str, bool]:
    """The interval of AURC, and whether all points of the curve hold at once."""
    clusters = clusters_of(rng, count, sizes)
    confidence, losses = answers(rng, clusters, logit, doubt)
    area, thresholds, risks = _truth(logit, doubt)
    sampling = Sampling(resamples=RESAMPLES, seed=int(rng.integers(1 << 30)))
    found = risk_coverage(confidence, losses, clusters, sampling)
    curve = [
        point
        for point in found.curve
        if point.interval.low is not None  # one cluster alone is not measured
    ]
    true_risks = np.interp([point.threshold for point in curve], thresholds, risks)
    return {
        "AURC": holds(found.interval, area),
        "whole curve": all(
            holds(point.interval, risk) for point, risk in zip(curve, true_risks.tolist(), strict=True)
        ),
    }


def _of_both_classes(rng: np.random.Generator, clusters: np.ndarray, share: float) -> np.ndarray:
    """Labels of two clusters or more in each class: without them nothing is measured."""
    while True:
        labels = outcomes(rng, clusters, share, CORRELATION) > 0
        if all(len(np.unique(clusters[side])) > 1 for side in (labels, ~labels)):
            return labels


def _normal(rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    of_cluster = rng.normal(size=int(clusters.max()) + 1)[clusters]
    return math.sqrt(CORRELATION) * of_cluster + math.sqrt(1 - CORRELATION) * rng.normal(size=len(clusters))


@cache
def _truth(logit: float, doubt: float) -> tuple[float, np.ndarray, np.ndarray]:
    """AURC, and the risk above each threshold, of very many clusters."""
    rng = np.random.default_rng(0)
    confidence, losses = answers(rng, np.arange(_MANY), logit, doubt)
    order = np.argsort(-confidence)
    risks = np.cumsum(losses[order]) / np.arange(1, _MANY + 1)
    return float(risks.mean()), confidence[order][::-1], risks[::-1]


def cases() -> Iterator[Case]:
    """AUROC .6, .8, .95 by balance and sizes; decisions; curves of accuracies from 50 to 90 %."""
    kinds: tuple[Sizes, ...] = ("one to eight", "zipf")
    for sizes, count in itertools.product(kinds, (20, 50, 200)):
        of = f"{sizes}, {count} clusters"
        for truth, positive in itertools.product((0.6, 0.8, 0.95), (0.5, 0.8)):
            trial = partial(of_auroc, truth=truth, positive=positive, count=count, sizes=sizes)
            name = f"the interval holds an AUROC of {truth}, {positive:.0%} positive; {of}"
            yield Case(name, "0.93 to 0.97", trial)
        for right in (0.7, 0.95):
            decision = partial(of_decision, right=right, count=count, sizes=sizes)
            yield Case(
                f"the interval holds the AUROC of decisions {right:.0%} right; {of}", "0.93 to 0.97", decision
            )
        for logit, doubt in ((0.0, 0.5), (1.0, 0.5), (1.0, 3.0), (2.5, 1.0)):
            curve = partial(of_curve, logit=logit, doubt=doubt, count=count, sizes=sizes)
            yield Case(
                f"the intervals hold AURC and the curve; logits around {logit:g}, doubt {doubt:g}; {of}",
                "0.93 to 0.97",
                curve,
            )
