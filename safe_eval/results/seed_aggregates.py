"""Seed aggregates: aggregates and calibration over trained seeds, such as balanced accuracy and ECE."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import ArmKey
from safe_eval.options import Sampling
from safe_eval.results.aggregates import AGGREGATES, HIGHEST, OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS, confident_answers
from safe_eval.results.linear_values import Items, of_aggregate, of_calibration
from safe_eval.results.seeds import SeedRow, spread_fields
from safe_eval.scorers.aggregate import Aggregate
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import count_effective
from safe_eval.statistics.seed_std import split_std
from safe_eval.statistics.seeds import SeedSpread, linear_spread

Of = TypeVar("Of")
Examples = Int[ndarray, " items"]
_Found = tuple[Examples, Labels, dict[str, Aggregate]]  # examples, clusters, and aggregates by name


def seed_aggregate_rows(arms: Arms, sampling: Sampling) -> Iterator[SeedRow]:
    """One row per aggregate, model and condition whose seeds answered the same examples.

    An aggregate without an interval, such as the size of a vocabulary, has no noise of items either.
    """
    for metric in AGGREGATES:
        arms_of = {arm.key: arm for arm in arms.judged.get(metric, ())}
        for key, seeds in _by_seed(arms_of, arms.pairing.baseline).items():
            if not _alike([arm.examples for arm in seeds.values()]):
                continue
            found = {
                seed: (arm.examples, arm.clusters, _own(AGGREGATES[metric](arm.rows)))
                for seed, arm in seeds.items()
            }
            yield from _rows(key, found, sampling)
    asked = {arm.key: arm for arm in arms.arms}
    for key, of_captions in _by_seed(arms.caption_diversity, arms.pairing.baseline).items():
        places = {seed: asked[key._replace(seed=seed)] for seed in of_captions}
        if _alike([arm.examples for arm in places.values()]):
            found = {s: (places[s].examples, places[s].clusters, _own(own)) for s, own in of_captions.items()}
            yield from _rows(key, found, sampling)


def seed_calibration_rows(arms: Arms, sampling: Sampling) -> Iterator[SeedRow]:
    """The same of the calibration metrics, where all seeds state confidences for the same examples."""
    answers = confident_answers(arms.judged, arms.pairing.baseline)
    for key, seeds in _by_seed(answers, arms.pairing.baseline).items():
        ordered = {seed: _in_order(found) for seed, found in seeds.items()}
        first = next(iter(ordered.values()))
        if not _alike([found.examples for found in ordered.values()]):
            continue
        values = {seed: of_calibration(found) for seed, found in ordered.items()}
        for name, highest in CALIBRATION_METRICS.items():
            stacked = np.stack([own[name] for own in values.values()])
            spread = linear_spread(stacked, first.clusters, sampling, scale=(0.0, highest))
            yield _row(name, key, tuple(seeds), spread, sampling)


def _rows(key: ArmKey, found: Mapping[int, _Found], sampling: Sampling) -> Iterator[SeedRow]:
    examples, clusters, first = next(iter(found.values()))
    for name in first:
        of_seeds = [aggregates.get(name) for _, _, aggregates in found.values()]
        measured = [one for one in of_seeds if one is not None and one.value is not None]
        if len(measured) < len(found):
            continue
        spread = _spread(measured, len(examples), clusters, HIGHEST[name], sampling)
        yield _row(name, key, tuple(found), spread, sampling)


def _spread(
    aggregates: list[Aggregate], items: int, clusters: Labels, highest: float, sampling: Sampling
) -> SeedSpread:
    values = [of_aggregate(one, items) for one in aggregates]
    linear: list[Items] = [own for own in values if own is not None]
    if len(linear) == len(values):
        return linear_spread(np.stack(linear), clusters, sampling, scale=(0.0, highest))
    means = np.array([one.value for one in aggregates], dtype=float)
    groups = count_clusters(clusters)
    std = split_std(means, None, groups, 0.0, sampling.confidence).std
    return SeedSpread(
        means=tuple(means.tolist()),
        mean=float(means.mean()),
        std=std,
        noise_std=None,
        seed_std=None,
        seed_std_high=None,
        sampling_stderr=None,
        interval=Interval(),
        n=items,
        clusters=groups,
        effective_clusters=count_effective(clusters),
    )


def _row(name: str, key: ArmKey, seeds: tuple[int, ...], spread: SeedSpread, sampling: Sampling) -> SeedRow:
    return SeedRow(
        **spread_fields(name, key.dataset, "all", seeds, spread, sampling),
        condition=key.condition,
        model=key.model,
        always_right=None,
        always_wrong=None,
        mixed=None,
    )


def _by_seed(found: Mapping[ArmKey, Of], baseline: str | None) -> dict[ArmKey, dict[int, Of]]:
    """What was found of each model and condition by seed, where there are two or more."""
    by_seed: dict[ArmKey, dict[int, Of]] = {}
    for key in sorted(found, key=lambda key: (key._replace(seed=0).order_after(baseline), key.seed)):
        by_seed.setdefault(key._replace(seed=0), {})[key.seed] = found[key]
    return {key: seeds for key, seeds in by_seed.items() if len(seeds) > 1}


def _alike(examples: list[ndarray]) -> bool:
    return all(np.array_equal(examples[0], other) for other in examples)


def _own(aggregates: list[Aggregate]) -> dict[str, Aggregate]:
    return {one.name: one for one in aggregates if one.name in OWN_AGGREGATES}


def _in_order(found: Forecasts) -> Forecasts:
    order = np.argsort(found.examples, kind="stable")
    fields = ("examples", "clusters", "confidence", "correct")
    return replace(found, **{name: getattr(found, name)[order] for name in fields})
