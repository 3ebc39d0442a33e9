"""Prompts: how much a score depends on the wording of the question, apart from the noise of the items."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, ArmKey
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.statistics.seeds import SeedSpread, seed_spread
from safe_eval.statistics.sums_over_seeds import sums_spread


class PromptRow(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one arm over wordings: a crossed factor like seeds, see `statistics.seeds.SeedSpread`."""

    metric: str
    dataset: str | None
    slice: str
    seed: int
    model: str
    condition: str
    prompts: tuple[str, ...]
    means: tuple[float, ...]  # one per wording
    mean: float
    std: float | None  # of the means of the wordings: mean ± std
    noise_std: float | None  # the part of `std` explained by item noise alone
    prompt_std: float | None  # the rest of `std`
    prompt_std_high: float | None  # its one-sided upper limit, at `confidence`
    ci_low: float | None  # over clusters and wordings at once
    ci_high: float | None
    confidence: float
    interval: str | None
    n: int  # examples, each asked in every wording
    clusters: int
    effective_clusters: float


def prompt_rows(arms: Arms, sampling: Sampling) -> Iterator[PromptRow]:
    """One row per arm and slice with two or more wordings of the same examples.

    Where the wordings were not asked about the same examples, there is no row; `prompt_notes` says so.
    """
    for scored in arms.prompted.values():
        by_key: dict[ArmKey, list[ScoredArm]] = {}
        for arm in scored:
            by_key.setdefault(arm.key, []).append(arm)
        for own in by_key.values():
            own.sort(key=lambda arm: str(arm.arm.prompt_id))
            if len(own) > 1 and all(np.array_equal(own[0].examples, arm.examples) for arm in own):
                yield from _rows(own, sampling)


def _rows(wordings: Sequence[ScoredArm], sampling: Sampling) -> Iterator[PromptRow]:
    first = wordings[0]
    whole = _row(wordings, "all", sampling)
    for name in COMPARED_SLICES:
        if first.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name)
        elif name in first.slices:
            yield _row(wordings, name, sampling)


def _row(wordings: Sequence[ScoredArm], slice_name: str, sampling: Sampling) -> PromptRow:
    first = wordings[0]
    spread = _spread(wordings, slice_name, sampling)
    return PromptRow(
        metric=first.metric,
        slice=slice_name,
        **first.key._asdict(),
        prompts=tuple(str(arm.arm.prompt_id) for arm in wordings),
        means=spread.means,
        mean=spread.mean,
        std=spread.std,
        noise_std=spread.noise_std,
        prompt_std=spread.seed_std,
        prompt_std_high=spread.seed_std_high,
        ci_low=spread.interval.low,
        ci_high=spread.interval.high,
        confidence=sampling.confidence,
        interval=None if spread.interval.method is None else spread.interval.method.replace("seed", "prompt"),
        n=spread.n,
        clusters=spread.clusters,
        effective_clusters=spread.effective_clusters,
    )


def _spread(wordings: Sequence[ScoredArm], slice_name: str, sampling: Sampling) -> SeedSpread:
    first = wordings[0]
    inside = first.slices[slice_name]
    clusters = first.clusters[inside]
    counts = [arm.counts[inside] for arm in wordings if arm.counts is not None]
    if len(counts) == len(wordings) and first.corpus is not None:
        return sums_spread(first.corpus, np.stack(counts), clusters, sampling, highest=first.highest)
    scores = np.stack([arm.scores[inside] for arm in wordings])
    return seed_spread(scores, clusters, sampling, scale=(first.lowest, first.highest))
