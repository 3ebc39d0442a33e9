"""Separation: what a condition takes from questions about the sound, less what it takes from the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.pairs import answered_alike, beside_full
from safe_eval.options import Sampling
from safe_eval.results.drop import Pair
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.auroc import auroc_and_interval
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.score_interval import count_effective
from safe_eval.statistics.separation import Losses, separation

SEPARATION = "separation"
_ACCURACY = "accuracy"  # of several datasets together, each by its own rule


class SeparationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A difference in differences: (full − condition) on slice audio, less the same on slice vl.

    Its AUROC is how often an example of audio lost more than one of vl, with half of those that lost alike. A
    row without a seed is over all seeds. A row of several `datasets` pools them.
    """

    metric: str
    dataset: str | None
    datasets: tuple[str | None, ...]
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    condition: str
    value: float
    audio: float  # the mean loss of accuracy on questions that need the sound
    vl: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None
    p_value: float | None
    test: str | None
    of_each_seed: tuple[float, ...]
    n: int
    n_audio: int
    n_vl: int
    clusters: int
    effective_clusters: float
    clusters_audio: int
    clusters_vl: int
    only_full: int  # examples of the two slices that only one of the two arms answered; in no other number
    only_changed: int
    auroc: float | None = None  # of the loss of an example, over seeds, as a sign that it needs the sound
    auroc_low: float | None = None
    auroc_high: float | None = None


@dataclass(frozen=True)
class _Lost:
    """What each example loses in each seed under one condition of one dataset."""

    by_seed: dict[int, Pair]
    values: Float[ndarray, "seeds items"]
    clusters: Int[ndarray, " items"]
    audio: Bool[ndarray, " items"]
    vl: Bool[ndarray, " items"]
    only_full: int
    only_changed: int

    @property
    def dataset(self) -> str | None:
        """The dataset of all its arms."""
        return next(iter(self.by_seed.values()))[0].key.dataset


def separation_rows(arms: Arms, sampling: Sampling) -> Iterator[SeparationRow]:
    """One row for each condition that stands beside `full`, and each seed; and one over all seeds.

    It needs questions that say whether they need the sound, of both kinds. If one rule scores only one kind
    of a dataset, there is also a row of all datasets together, in which every example counts alike.
    """
    found = [by_seed for metric in ANSWER_METRICS for by_seed in beside_full(arms.judged.get(metric, ()))]
    lost = [one for by_seed in found for one in _lost_by_seed(by_seed)]
    for one in lost:
        if one.audio.any() and one.vl.any():
            yield _row([one], sampling)
    for together in _across_datasets(lost):
        yield _row(together, sampling)


def _lost_by_seed(by_seed: dict[int, Pair]) -> Iterator[_Lost]:
    """The losses of each seed, and those of all seeds if they answered the same examples."""
    for seed, pair in by_seed.items():
        yield _lost({seed: pair})
    if answered_alike(by_seed.values()):
        yield _lost(by_seed)


def _lost(by_seed: dict[int, Pair]) -> _Lost:
    full, arm = next(iter(by_seed.values()))
    at_full, at_arm = shared_examples(full.examples, arm.examples)
    scores = [one.scores[at_full] - other.scores[at_arm] for one, other in by_seed.values()]
    audio, vl = (full.inside(name)[at_full] & arm.inside(name)[at_arm] for name in ("audio", "vl"))
    there = int((audio | vl).sum())
    return _Lost(
        by_seed=by_seed,
        values=np.stack(scores),
        clusters=full.clusters[at_full],
        audio=audio,
        vl=vl,
        only_full=int((full.inside("audio") | full.inside("vl")).sum()) - there,
        only_changed=int((arm.inside("audio") | arm.inside("vl")).sum()) - there,
    )


def _across_datasets(lost: Sequence[_Lost]) -> Iterator[list[_Lost]]:
    """All losses under one condition and the same seeds, if those of a dataset by one rule lack a kind."""
    groups: dict[tuple[object, ...], list[_Lost]] = {}
    for one in lost:
        _, arm = next(iter(one.by_seed.values()))
        if one.audio.any() or one.vl.any():
            groups.setdefault((arm.key.name, *one.by_seed), []).append(one)
    for group in groups.values():
        kinds = [(bool(one.audio.any()), bool(one.vl.any())) for one in group]
        if any(audio for audio, _ in kinds) and any(vl for _, vl in kinds) and not all(map(all, kinds)):
            yield group


def _row(lost: Sequence[_Lost], sampling: Sampling) -> SeparationRow:
    values = np.concatenate([one.values for one in lost], axis=1)
    clusters, audio, vl = (
        np.concatenate([getattr(one, name) for one in lost]) for name in ("clusters", "audio", "vl")
    )
    heard, seen = Losses(values[:, audio], clusters[audio]), Losses(values[:, vl], clusters[vl])
    found = separation(heard, seen, sampling.confidence)
    told, asked = values[:, audio | vl].mean(axis=0), audio | vl
    area, around = auroc_and_interval(told, audio[asked], clusters[asked], sampling.confidence)
    full, arm = next(iter(lost[0].by_seed.values()))
    seeds, datasets = tuple(lost[0].by_seed), tuple(dict.fromkeys(one.dataset for one in lost))
    return SeparationRow(
        metric=full.metric if len(lost) == 1 else _ACCURACY,
        dataset=datasets[0] if len(datasets) == 1 else None,
        datasets=datasets,
        seed=seeds[0] if len(seeds) == 1 else None,
        seeds=seeds,
        model=arm.key.model,
        condition=arm.key.condition,
        value=found.value,
        audio=found.first,
        vl=found.second,
        stderr=found.stderr,
        ci_low=found.interval.low,
        ci_high=found.interval.high,
        confidence=sampling.confidence,
        interval=found.interval.method,
        p_value=found.p_value,
        test=found.test,
        of_each_seed=found.of_each_seed,
        n=int(audio.sum() + vl.sum()),
        n_audio=int(audio.sum()),
        n_vl=int(vl.sum()),
        clusters=count_clusters(clusters[audio | vl]),
        effective_clusters=count_effective(clusters[audio | vl]),
        clusters_audio=count_clusters(heard.clusters),
        clusters_vl=count_clusters(seen.clusters),
        only_full=sum(one.only_full for one in lost),
        only_changed=sum(one.only_changed for one in lost),
        auroc=area,
        auroc_low=around.low,
        auroc_high=around.high,
    )
