"""Seeds: a metric or a difference over all trained seeds that answered the same examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool, Shaped
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, ArmKey, Places, shared_examples
from safe_eval.arms.given_arms import is_off_scale
from safe_eval.arms.pairs import Pairing, equal_pairs, same_seeds
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.families import SameTest, same_test, with_holm
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM
from safe_eval.statistics.seeds import (
    SeedSpread,
    always_right,
    always_wrong,
    seed_difference,
    seed_spread,
)
from safe_eval.statistics.sums_over_seeds import SeedCounts, sums_over_seeds, sums_spread

BySeed = dict[int, ScoredArm]  # arms that differ in nothing but their seed


class SeedSpreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """The spread over seeds, separate from the noise of the items: see `statistics.seeds.SeedSpread`."""

    metric: str
    dataset: str | None
    slice: str
    seeds: tuple[int, ...]
    means: tuple[float, ...]  # one per seed
    mean: float
    std: float | None  # of the means of the seeds: mean ± std
    noise_std: float | None  # the part of `std` explained by item noise alone
    seed_std: float | None  # the rest of `std`
    seed_std_high: float | None  # its one-sided upper limit, at `confidence`
    sampling_stderr: float | None  # clustered, of the mean of each item over the seeds
    ci_low: float | None  # over clusters and seeds at once
    ci_high: float | None
    confidence: float
    interval: str | None
    n: int
    clusters: int
    effective_clusters: float


class SeedRow(SeedSpreadRow, frozen=True, kw_only=True):
    """A metric of one model under one condition over seeds. The three counts are None for caption metrics."""

    condition: str
    model: str
    always_right: int | None  # items that every seed gets right
    always_wrong: int | None
    mixed: int | None


class SeedComparison(SeedSpreadRow, frozen=True, kw_only=True):
    """a − b by item and seed, with the p value of the two-way t that makes the interval."""

    a: str
    b: str
    equivalence_low: float | None  # of two one-sided tests
    equivalence_high: float | None
    p_value: float | None  # below 1 − confidence where the interval excludes 0; None without one
    test: str | None  # as the interval was made
    holm_p: float | None = None  # adjusted over its family
    family: int = 0  # how many tests that are: see `results.families`


def seed_rows(arms: Arms, sampling: Sampling) -> Iterator[SeedRow]:
    """One row per model, condition and slice with two or more seeds.

    If the seeds did not answer the same examples, there is no row; `seed_notes` says so.
    """
    for scored in arms.scored.values():
        for seeds in _comparable(scored, arms.pairing.baseline, least=2).values():
            yield from _rows(seeds, sampling)


def seed_comparison_rows(arms: Arms, sampling: Sampling) -> Iterator[SeedComparison]:
    """The comparisons of `comparison_rows`, over all seeds.

    A model with one seed is compared with every seed of the other models.
    """
    for scored in arms.scored.values():
        yield from with_holm(_tested(scored, arms.pairing, sampling))


def turned_over_seeds(row: SeedComparison) -> SeedComparison:
    """b − a instead of a − b."""

    def minus(number: float | None) -> float | None:
        return None if number is None else 0.0 - number

    return msgspec.structs.replace(
        row,
        a=row.b,
        b=row.a,
        means=tuple(0.0 - mean for mean in row.means),
        mean=0.0 - row.mean,
        ci_low=minus(row.ci_high),
        ci_high=minus(row.ci_low),
        equivalence_low=minus(row.equivalence_high),
        equivalence_high=minus(row.equivalence_low),
    )


def _tested(
    scored: Sequence[ScoredArm], pairing: Pairing, sampling: Sampling
) -> Iterator[tuple[SeedComparison, SameTest]]:
    """The comparisons by one metric, each with what makes it one test with another."""
    comparable = _comparable(scored, pairing.baseline, least=1)
    for key, seeds in comparable.items():
        full = key._replace(condition="full")
        if key != full and full in comparable:
            yield from _comparisons(comparable[full], seeds, sampling)
        base = None if pairing.baseline is None else full._replace(model=pairing.baseline)
        if base is not None and key.model != base.model and base in comparable:
            yield from _comparisons(seeds, comparable[base], sampling)
    for one, other in equal_pairs(comparable, pairing):
        yield from _comparisons(comparable[one], comparable[other], sampling)


def seed_notes(arms: Arms) -> list[str]:
    """Why a model with several seeds has no spread over them."""
    notes: dict[str, None] = {}
    for scored in arms.scored.values():
        for key, seeds in _by_seed(scored, arms.pairing.baseline).items():
            if len(seeds) < 2 or _same_examples(seeds):
                continue
            asked = len(np.unique(np.concatenate([arm.examples for arm in seeds.values()])))
            lacking = {seed: asked - len(arm.examples) for seed, arm in seeds.items()}
            counts = ", ".join(f"seed {seed} lacks {count}" for seed, count in lacking.items() if count)
            note = (
                f"{key.name}: no spread over its {len(seeds)} seeds, which have not answered the same "
                f"{asked} examples: {counts}"
            )
            notes[note] = None
    return list(notes)


def _by_seed(scored: Sequence[ScoredArm], baseline: str | None) -> dict[ArmKey, BySeed]:
    """The arms of each model and condition by seed, in the order of the tables."""
    found: dict[ArmKey, BySeed] = {}
    for arm in sorted(scored, key=lambda arm: (_without_seed(arm.key).order_after(baseline), arm.key.seed)):
        found.setdefault(_without_seed(arm.key), {})[arm.key.seed] = arm
    return found


def _without_seed(key: ArmKey) -> ArmKey:
    return key._replace(seed=0)


def _comparable(scored: Sequence[ScoredArm], baseline: str | None, least: int) -> dict[ArmKey, BySeed]:
    """The models and conditions with at least so many seeds, all of which answered the same examples."""
    by_seed = _by_seed(scored, baseline)
    return {key: seeds for key, seeds in by_seed.items() if len(seeds) >= least and _same_examples(seeds)}


def _same_examples(seeds: BySeed) -> bool:
    first = next(iter(seeds.values()))
    return all(np.array_equal(first.examples, arm.examples) for arm in seeds.values())


def _rows(seeds: BySeed, sampling: Sampling) -> Iterator[SeedRow]:
    first = next(iter(seeds.values()))
    whole = _row(seeds, "all", sampling)
    for name in COMPARED_SLICES:
        if first.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name)
        elif name in first.slices:
            yield _row(seeds, name, sampling)


def _row(seeds: BySeed, slice_name: str, sampling: Sampling) -> SeedRow:
    arms = tuple(seeds.values())
    first = arms[0]
    inside = first.slices[slice_name]
    clusters, scores = first.clusters[inside], np.stack([arm.scores[inside] for arm in arms])
    counts = _counts(arms, inside)
    if counts is None or first.corpus is None:
        spread = seed_spread(scores, clusters, sampling, scale=(first.lowest, first.highest))
    else:
        spread = sums_spread(first.corpus, counts, clusters, sampling, highest=first.highest)
    row = SeedRow(
        **spread_fields(first.metric, first.key.dataset, slice_name, tuple(seeds), spread, sampling),
        condition=first.key.condition,
        model=first.key.model,
        always_right=None,
        always_wrong=None,
        mixed=None,
    )
    if first.metric in CAPTION_METRICS or is_off_scale(first):
        return row
    right = int(always_right(scores, right_from=RIGHT_FROM).sum())
    wrong = int(always_wrong(scores, right_from=RIGHT_FROM).sum())
    mixed = scores.shape[1] - right - wrong
    return msgspec.structs.replace(row, always_right=right, always_wrong=wrong, mixed=mixed)


def _comparisons(a: BySeed, b: BySeed, sampling: Sampling) -> Iterator[tuple[SeedComparison, SameTest]]:
    """The differences on the examples that both answered, for the seeds that both have."""
    both = same_seeds(a, b)
    if len(both) < 2:
        return
    first, other = next(iter(both.values()))
    at_a, at_b = shared_examples(first.examples, other.examples)
    if not len(at_a):
        return
    whole, test = _comparison(both, (at_a, at_b), "all", sampling), _test_of(both, (at_a, at_b))
    for name in COMPARED_SLICES:
        inside = first.inside(name)[at_a]
        if inside.all():
            yield msgspec.structs.replace(whole, slice=name), test
        elif inside.any():
            at = at_a[inside], at_b[inside]
            yield _comparison(both, at, name, sampling), _test_of(both, at)


def _test_of(both: Mapping[int, tuple[ScoredArm, ScoredArm]], at: tuple[Places, Places]) -> SameTest:
    """What a comparison shares with another one that is the same test, seed by seed."""
    differences = np.stack([a.scores[at[0]] - b.scores[at[1]] for a, b in both.values()])
    return same_test(next(iter(both.values()))[0].examples[at[0]], differences)


def _comparison(
    both: Mapping[int, tuple[ScoredArm, ScoredArm]],
    at: tuple[Places, Places],
    slice_name: str,
    sampling: Sampling,
) -> SeedComparison:
    arms_a, arms_b = zip(*both.values(), strict=True)
    in_a, in_b = at
    first = arms_a[0]
    clusters = first.clusters[in_a]
    counts, less = _counts(arms_a, in_a), _counts(arms_b, in_b)
    if counts is None or less is None or first.corpus is None:
        differences = np.stack([a.scores[in_a] - b.scores[in_b] for a, b in both.values()])
        span = first.highest - first.lowest
        found = seed_difference(differences, clusters, sampling, scale=(-span, span))
    else:
        found = sums_over_seeds(first.corpus, counts, less, clusters, sampling)
    one_sided = found.inference.one_sided
    return SeedComparison(
        **spread_fields(first.metric, first.key.dataset, slice_name, tuple(both), found.spread, sampling),
        a=first.key.name,
        b=arms_b[0].key.name,
        equivalence_low=one_sided.low,
        equivalence_high=one_sided.high,
        p_value=found.inference.p_value,
        test=found.inference.interval.method,
    )


def _counts(arms: Sequence[ScoredArm], at: Places | Bool[ndarray, " rows"]) -> SeedCounts | None:
    """The counts of a corpus-level metric, one table per seed; None for means."""
    counts: list[Shaped[ndarray, "rows counts"]] = [arm.counts[at] for arm in arms if arm.counts is not None]
    return np.stack(counts) if len(counts) == len(arms) else None


def spread_fields(
    metric: str,
    dataset: str | None,
    slice_name: str,
    seeds: tuple[int, ...],
    spread: SeedSpread,
    sampling: Sampling,
) -> dict[str, Any]:
    """The fields of a `SeedSpreadRow`."""
    numbers = asdict(spread)
    interval = numbers.pop("interval")
    return numbers | {
        "metric": metric,
        "dataset": dataset,
        "slice": slice_name,
        "seeds": seeds,
        "confidence": sampling.confidence,
        "ci_low": interval["low"],
        "ci_high": interval["high"],
        "interval": interval["method"],
    }
