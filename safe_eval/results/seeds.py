"""Over seeds: what a metric, or a difference, is over all trained seeds that answered the same examples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from safe_eval.arms.arm import COMPARED_SLICES, Cell, CellKey
from safe_eval.prediction import BASE
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM
from safe_eval.statistics.corpus_sums import RANDOMISATION, SeedCounts, sums_spread, swaps_over_seeds
from safe_eval.statistics.paired import SIGN_FLIP, sign_flip
from safe_eval.statistics.sampling import Sampling
from safe_eval.statistics.seeds import SeedSpread, always_right, always_wrong, seed_spread

Seeds = dict[int, Cell]
Places = Int[ndarray, " members"]


class SeedSpreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """Spread over seeds, apart from what other items would change: see `seeds.SeedSpread`."""

    metric: str
    dataset: str | None
    slice: str
    seeds: tuple[int, ...]
    means: tuple[float, ...]  # one a seed
    mean: float
    std: float | None  # between the seeds' means: mean ± std
    noise_std: float | None  # of it, what scattering answers would give seeds of equal worth
    seed_std: float | None  # what is left
    sampling_stderr: float | None  # clustered, of the items' means over seeds
    ci_low: float | None  # over clusters and seeds at once
    ci_high: float | None
    confidence: float
    interval: str | None
    n: int
    clusters: int


class SeedRow(SeedSpreadRow, frozen=True, kw_only=True):
    """A metric of one model under one condition over seeds; None for items without right and wrong."""

    condition: str
    model: str
    always_right: int | None  # items that every seed gets right
    always_wrong: int | None
    mixed: int | None


class SeedComparison(SeedSpreadRow, frozen=True, kw_only=True):
    """a − b by item and seed; the test flips the signs of whole clusters of items averaged over seeds."""

    a: str
    b: str
    p_value: float
    test: str


def seed_rows(metric: str, cells: Sequence[Cell], sampling: Sampling) -> list[SeedRow]:
    """Each model under each condition that two or more seeds answered, on the slices that are compared.

    Seeds that have not answered the same examples make no row, as `seed_notes` says.
    """
    return [row for seeds in _crossed(cells) for row in _rows(metric, seeds, sampling)]


def paired_rows(metric: str, cells: Sequence[Cell], sampling: Sampling) -> list[SeedComparison]:
    """What conditions and models change, seed by seed: the pairs of `compare_cells`, over all seeds.

    A base model of one seed stands beside every seed of the others.
    """
    crossed = {_over(next(iter(seeds.values())).key): seeds for seeds in _crossed(cells, least=1)}
    rows: list[SeedComparison] = []
    for key in crossed:
        full, base = key._replace(condition="full"), key._replace(model=BASE, condition="full")
        pairs = [(full, key)] if key != full else []
        pairs += [(key, base)] if key.model != BASE else []
        for a, b in pairs:
            if a in crossed and b in crossed:
                rows += _paired(metric, crossed[a], crossed[b], sampling)
    return rows


def seed_notes(cells: Sequence[Cell]) -> list[str]:
    """Why a model that has several seeds has no spread over them."""
    notes = []
    for key, seeds in _by_seed(cells).items():
        if len(seeds) < 2 or _same_examples(seeds):
            continue
        asked = len(np.unique(np.concatenate([cell.examples for cell in seeds.values()])))
        lacking = {seed: asked - len(cell.examples) for seed, cell in seeds.items()}
        counts = ", ".join(f"seed {seed} lacks {count}" for seed, count in lacking.items() if count)
        notes.append(
            f"{key.name}: no spread over its {len(seeds)} seeds, which have not answered the same {asked} "
            f"examples: {counts}"
        )
    return notes


def _by_seed(cells: Sequence[Cell]) -> dict[CellKey, Seeds]:
    """Cells that differ in nothing but their seed, in the order of the tables."""
    found: dict[CellKey, Seeds] = {}
    for cell in sorted(cells, key=lambda cell: (_over(cell.key).order, cell.key.seed)):
        found.setdefault(_over(cell.key), {})[cell.key.seed] = cell
    return found


def _over(key: CellKey) -> CellKey:
    return key._replace(seed=0)


def _crossed(cells: Sequence[Cell], least: int = 2) -> Iterator[Seeds]:
    for seeds in _by_seed(cells).values():
        if len(seeds) >= least and _same_examples(seeds):
            yield seeds


def _same_examples(seeds: Seeds) -> bool:
    first, *others = seeds.values()
    return all(np.array_equal(first.examples, other.examples) for other in others)


def _rows(metric: str, seeds: Seeds, sampling: Sampling) -> Iterator[SeedRow]:
    first = next(iter(seeds.values()))
    whole = _row(metric, seeds, "all", sampling)
    for name in COMPARED_SLICES:
        if first.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name)
        elif name in first.slices:
            yield _row(metric, seeds, name, sampling)


def _row(metric: str, seeds: Seeds, slice_name: str, sampling: Sampling) -> SeedRow:
    cells = tuple(seeds.values())
    first = cells[0]
    members = first.slices[slice_name]
    clusters, scores = first.clusters[members], np.stack([cell.scores[members] for cell in cells])
    counts = _counts(cells, members)
    if counts is None:
        spread = seed_spread(scores, clusters, sampling)
    else:
        spread = sums_spread(metric, counts, clusters, sampling)
    row = SeedRow(
        **_about(metric, first.key, slice_name, seeds, sampling),
        **_numbers(spread),
        condition=first.key.condition,
        model=first.key.model,
        always_right=None,
        always_wrong=None,
        mixed=None,
    )
    if metric in CAPTION_METRICS:
        return row
    right = int(always_right(scores, right_from=RIGHT_FROM).sum())
    wrong = int(always_wrong(scores, right_from=RIGHT_FROM).sum())
    mixed = scores.shape[1] - right - wrong
    return msgspec.structs.replace(row, always_right=right, always_wrong=wrong, mixed=mixed)


def _paired(metric: str, a: Seeds, b: Seeds, sampling: Sampling) -> Iterator[SeedComparison]:
    """Differences on the examples that both answered, for the seeds that both have."""
    only_b = next(iter(b.values())) if len(b) == 1 else None
    pairs = {seed: (cell, b.get(seed, only_b)) for seed, cell in a.items()}
    paired = {seed: (one, other) for seed, (one, other) in pairs.items() if other is not None}
    if len(paired) < 2:
        return
    first, other = next(iter(paired.values()))
    _, at_a, at_b = np.intersect1d(first.examples, other.examples, assume_unique=True, return_indices=True)
    if not len(at_a):
        return
    whole = _pair(metric, paired, (at_a, at_b), "all", sampling)
    for name in COMPARED_SLICES:
        members = first.slices[name][at_a] if name in first.slices else np.zeros(len(at_a), dtype=bool)
        if members.all():
            yield msgspec.structs.replace(whole, slice=name)
        elif members.any():
            yield _pair(metric, paired, (at_a[members], at_b[members]), name, sampling)


def _pair(
    metric: str,
    paired: Mapping[int, tuple[Cell, Cell]],
    places: tuple[Places, Places],
    slice_name: str,
    sampling: Sampling,
) -> SeedComparison:
    ones, others = zip(*paired.values(), strict=True)
    in_a, in_b = places
    clusters = ones[0].clusters[in_a]
    counts, less = _counts(ones, in_a), _counts(others, in_b)
    if counts is None or less is None:
        differences = np.stack([o.scores[in_a] - p.scores[in_b] for o, p in paired.values()])
        spread = seed_spread(differences, clusters, sampling)
        p_value, test = sign_flip(differences.mean(axis=0), clusters, sampling), SIGN_FLIP
    else:
        spread = sums_spread(metric, counts, clusters, sampling, less=less)
        p_value, test = swaps_over_seeds(metric, counts, less, clusters, sampling), RANDOMISATION
    return SeedComparison(
        **_about(metric, ones[0].key, slice_name, paired, sampling),
        **_numbers(spread),
        a=ones[0].key.name,
        b=others[0].key.name,
        p_value=p_value,
        test=test,
    )


def _counts(cells: Sequence[Cell], members: Shaped[ndarray, " members"]) -> SeedCounts | None:
    """What a metric that is no mean is computed from, a table a seed."""
    counts = [cell.counts[members] for cell in cells if cell.counts is not None]
    return np.stack(counts) if len(counts) == len(cells) else None


def _about(
    metric: str, key: CellKey, slice_name: str, seeds: Iterable[int], sampling: Sampling
) -> dict[str, Any]:
    return {
        "metric": metric,
        "dataset": key.dataset,
        "slice": slice_name,
        "seeds": tuple(seeds),
        "confidence": sampling.confidence,
    }


def _numbers(spread: SeedSpread) -> dict[str, Any]:
    numbers = asdict(spread)
    interval = numbers.pop("interval")
    return numbers | {"ci_low": interval["low"], "ci_high": interval["high"], "interval": interval["method"]}
