"""Distances: how far SAFE's choice distributions are from the base model's, for retention."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, SMALLEST_PROBABILITY
from safe_eval.statistics.intervals import Interval, mean_interval

Distributions = Float[ndarray, "items choices"]


def kl_nats(base: Distributions, safe: Distributions) -> Float[ndarray, " items"]:
    """KL(base ‖ safe) of each item, in nats: the loss from using SAFE's distribution for the base model's.

    Raises:
        InputError: the shapes differ, or there are no items.

    Source: Kullback & Leibler 1951, "On information and sufficiency". Differs: SAFE's probabilities below
    1e-12 count as 1e-12, so that one item cannot make the mean infinite.

    >>> kl_nats(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4).tolist()
    [0.1438]
    """
    _check(base, safe)
    p, q = np.maximum(base, SMALLEST_PROBABILITY), np.maximum(safe, SMALLEST_PROBABILITY)
    return np.asarray(np.maximum((base * (np.log(p) - np.log(q))).sum(axis=1), 0))


def total_variation(base: Distributions, safe: Distributions) -> Float[ndarray, " items"]:
    """The total variation of each item: half the sum of absolute differences, in [0, 1].

    Raises:
        InputError: the shapes differ, or there are no items.

    >>> total_variation(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).tolist()
    [0.25]
    """
    _check(base, safe)
    return np.asarray(np.abs(base - safe).sum(axis=1) / 2)


@dataclass(frozen=True)
class Drift:
    """The mean distances between SAFE's and the base model's choice distributions on the same items."""

    kl_nats: float
    kl_interval: Interval
    total_variation: float
    total_variation_interval: Interval
    same_choice: float  # share of items whose likeliest choice is the same
    n: int
    clusters: int


def drift(base: Distributions, safe: Distributions, clusters: Labels, sampling: Sampling) -> Drift:
    """Mean KL divergence and total variation, with percentile intervals of the cluster bootstrap.

    Raises:
        InputError: the shapes differ, or there are no items.

    >>> base, safe = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.25, 0.75], [1.0, 0.0]])
    >>> round(drift(base, safe, np.arange(2), Sampling()).total_variation, 3)
    0.125
    """
    divergences, variations = kl_nats(base, safe), total_variation(base, safe)
    return Drift(
        kl_nats=float(divergences.mean()),
        kl_interval=mean_interval(divergences, clusters, sampling, scale=(0.0, LARGEST_NLL)),
        total_variation=float(variations.mean()),
        total_variation_interval=mean_interval(variations, clusters, sampling),
        same_choice=float((base.argmax(axis=1) == safe.argmax(axis=1)).mean()),
        n=len(base),
        clusters=count_clusters(clusters),
    )


def _check(base: Distributions, safe: Distributions) -> None:
    if base.shape != safe.shape or not base.size:
        raise InputError(f"distributions of shapes {base.shape} and {safe.shape} are not paired")
