"""Retention: how far adding hearing moved the answers to questions that need none."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.errors import InputError, raise_row_errors
from safe_eval.calibration.proper_scores import LARGEST_NLL, SMALLEST_PROBABILITY
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.equivalence import Equivalence, equivalence
from safe_eval.statistics.intervals import mean_interval
from safe_eval.statistics.sampling import Interval, Labels, Sampling, Values

Distributions = Float[ndarray, "items choices"]
Choices = Mapping[str, Mapping[str, float]]  # {example id: {choice: probability}}

_SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class PairedChoices:
    """The choice distributions of the examples that both models have, a row each, 0 beyond its choices."""

    examples: tuple[str, ...]
    base: Distributions
    safe: Distributions
    only_base: int  # examples without a partner; in no number
    only_safe: int


@dataclass(frozen=True)
class Drift:
    """The mean distance of SAFE's choice distributions from the base model's, an example at a time."""

    kl_nats: float
    kl_interval: Interval
    total_variation: float
    total_variation_interval: Interval
    same_choice: float  # the share of examples whose likeliest choice stayed
    n: int
    clusters: int


@dataclass(frozen=True)
class Retention:
    """Accuracy kept, and how far the distributions moved where both models report them, else None."""

    base_accuracy: float
    safe_accuracy: float
    accuracy: Equivalence
    drift: Drift | None


def retention(
    base: Values,
    safe: Values,
    clusters: Labels,
    margin: float,
    sampling: Sampling,
    *,
    drift: Drift | None = None,
) -> Retention:
    """Whether SAFE's accuracy on the same items stays within ± margin of the base model's.

    >>> kept = np.tile([1.0, 0.0], 1000)
    >>> retention(kept, kept, np.arange(2000), 0.005, Sampling()).accuracy.verdict
    'equivalent'
    """
    if not len(base) == len(safe) == len(clusters) or not len(base):
        raise InputError(f"{len(base)} base scores beside {len(safe)} of SAFE are no pairs")
    return Retention(
        base_accuracy=float(base.mean()),
        safe_accuracy=float(safe.mean()),
        accuracy=equivalence(safe - base, clusters, margin, sampling),
        drift=drift,
    )


def drift(base: Distributions, safe: Distributions, clusters: Labels, sampling: Sampling) -> Drift:
    """Mean KL divergence and total variation, with percentile intervals that resample clusters.

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


def kl_nats(base: Distributions, safe: Distributions) -> Float[ndarray, " items"]:
    """KL(base ‖ safe) of each item: what is lost by taking SAFE's distribution for the base model's.

    Source: Kullback & Leibler 1951, "On information and sufficiency". Differs: a probability of 0 in SAFE's
    where the base model's is above it counts as 1e-12, so that one item cannot make the mean infinite.

    >>> kl_nats(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4).tolist()
    [0.1438]
    """
    _check(base, safe)
    p, q = np.maximum(base, SMALLEST_PROBABILITY), np.maximum(safe, SMALLEST_PROBABILITY)
    return np.asarray(np.maximum((base * (np.log(p) - np.log(q))).sum(axis=1), 0))


def total_variation(base: Distributions, safe: Distributions) -> Float[ndarray, " items"]:
    """Half the sum of the absolute differences of each item, from 0 to 1.

    >>> total_variation(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).tolist()
    [0.25]
    """
    _check(base, safe)
    return np.asarray(np.abs(base - safe).sum(axis=1) / 2)


def pair_choices(base: Choices, safe: Choices) -> PairedChoices:
    """Pair the distributions by example id, each scaled to sum to 1.

    Raises:
        InputError: no example in common, or in one that is: other choices on the two sides, or
            probabilities that are negative or do not sum to 1 within 0.01.
    """
    shared = tuple(sorted(base.keys() & safe.keys()))
    if not shared:
        raise InputError(
            "no example has choice probabilities from both models; write 'choice_probabilities' in both files"
        )
    raise_row_errors([fault for name in shared if (fault := _fault(name, base[name], safe[name]))], "choices")
    width = max(len(base[name]) for name in shared)
    rows = [[_row(side[name], sorted(base[name]), width) for name in shared] for side in (base, safe)]
    return PairedChoices(
        shared, np.array(rows[0]), np.array(rows[1]), len(base) - len(shared), len(safe) - len(shared)
    )


def _row(probabilities: Mapping[str, float], choices: list[str], width: int) -> list[float]:
    total = sum(probabilities.values())
    return [probabilities[choice] / total for choice in choices] + [0.0] * (width - len(choices))


def _fault(name: str, base: Mapping[str, float], safe: Mapping[str, float]) -> str | None:
    if base.keys() != safe.keys():
        choice = sorted(base.keys() ^ safe.keys())[0]
        return f"{name!r}: choice {choice!r} is on one side only; both models must be given the same choices"
    for whose, side in (("base", base), ("SAFE", safe)):
        if min(side.values(), default=-1) < 0 or abs(sum(side.values()) - 1) > _SUM_TOLERANCE:
            total = sum(side.values())
            return f"{name!r}: the probabilities of {whose} sum to {total:.3g}, not to 1; give all choices"
    return None


def _check(base: Distributions, safe: Distributions) -> None:
    if base.shape != safe.shape or not base.size:
        raise InputError(f"distributions of shapes {base.shape} and {safe.shape} are no pairs")
