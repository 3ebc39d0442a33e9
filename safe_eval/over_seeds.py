"""Over seeds: what a metric, or a difference, is over all trained seeds that answered the same examples."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.cells import BASE, Cell, CellKey
from safe_eval.comparisons import COMPARED_SLICES
from safe_eval.scorers import CAPTION_METRICS
from safe_eval.seeds import always_right, always_wrong, seed_spread
from safe_eval.statistics import SIGN_FLIP, Sampling, sign_flip

RIGHT_FROM = 0.5  # an answer counts as right from half the score of a perfect one

Seeds = dict[int, Cell]
Scores = Float[ndarray, "seeds items"]


class SeedSpreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """Spread over seeds, apart from what other items would change: see `safe_eval.seeds.SeedSpread`."""

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

    Seeds that have not answered the same examples make no row, as `seed_notes` says; nor do metrics that are
    no means, such as BLEU.
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
    """Of metrics that are means; what is computed from sums has no items whose spread can be told."""
    for seeds in _by_seed(cells).values():
        if len(seeds) >= least and _same_examples(seeds) and all(c.counts is None for c in seeds.values()):
            yield seeds


def _same_examples(seeds: Seeds) -> bool:
    first, *others = seeds.values()
    return all(np.array_equal(first.examples, other.examples) for other in others)


def _rows(metric: str, seeds: Seeds, sampling: Sampling) -> Iterator[SeedRow]:
    first = next(iter(seeds.values()))
    scores = np.stack([cell.scores for cell in seeds.values()])
    right_or_wrong = metric not in CAPTION_METRICS
    for name in COMPARED_SLICES:
        if name not in first.slices:
            continue
        members = first.slices[name]
        of_slice = scores[:, members]
        right = int(always_right(of_slice, right_from=RIGHT_FROM).sum())
        wrong = int(always_wrong(of_slice, right_from=RIGHT_FROM).sum())
        yield SeedRow(
            **_spread(metric, first.key, name, seeds, of_slice, first.clusters[members], sampling),
            condition=first.key.condition,
            model=first.key.model,
            always_right=right if right_or_wrong else None,
            always_wrong=wrong if right_or_wrong else None,
            mixed=of_slice.shape[1] - right - wrong if right_or_wrong else None,
        )


def _spread(
    metric: str,
    key: CellKey,
    slice_name: str,
    seeds: Iterable[int],
    scores: Scores,
    clusters: Int[ndarray, " items"],
    sampling: Sampling,
) -> dict[str, Any]:
    spread = seed_spread(scores, clusters, sampling)
    row = SeedSpreadRow(
        metric=metric,
        dataset=key.dataset,
        slice=slice_name,
        seeds=tuple(seeds),
        means=spread.means,
        mean=spread.mean,
        std=spread.std,
        noise_std=spread.noise_std,
        seed_std=spread.seed_std,
        sampling_stderr=spread.sampling_stderr,
        ci_low=spread.interval.low,
        ci_high=spread.interval.high,
        confidence=sampling.confidence,
        interval=spread.interval.method,
        n=spread.n,
        clusters=spread.clusters,
    )
    return msgspec.structs.asdict(row)


def _paired(metric: str, a: Seeds, b: Seeds, sampling: Sampling) -> Iterator[SeedComparison]:
    """Differences on the examples that both answered, for the seeds that both have."""
    only_b = next(iter(b.values())) if len(b) == 1 else None
    pairs = {seed: (cell, b.get(seed, only_b)) for seed, cell in a.items()}
    paired = {seed: (one, other) for seed, (one, other) in pairs.items() if other is not None}
    if len(paired) < 2:
        return
    first, other = next(iter(paired.values()))
    _, at_a, at_b = np.intersect1d(first.examples, other.examples, assume_unique=True, return_indices=True)
    differences = np.stack([one.scores[at_a] - another.scores[at_b] for one, another in paired.values()])
    for name in COMPARED_SLICES:
        if name not in first.slices or not (members := first.slices[name][at_a]).any():
            continue
        of_slice, clusters = differences[:, members], first.clusters[at_a][members]
        yield SeedComparison(
            **_spread(metric, first.key, name, paired, of_slice, clusters, sampling),
            a=first.key.name,
            b=other.key.name,
            p_value=sign_flip(of_slice.mean(axis=0), clusters, sampling),
            test=SIGN_FLIP,
        )
