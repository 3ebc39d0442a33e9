"""Drop: what a condition takes from accuracy, and how much more it takes from hearing than from seeing.

Every answer counts, right or wrong under `full`, so that what is gained by luck is set against what is lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.arm import COMPARED_SLICES, Places, shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.seeds import SeedScores, seed_difference
from safe_eval.statistics.separation import Losses, separation

SEEN = "vl"  # the slice that hearing should not matter to
TYPES = "type:"  # how the name of a slice of one question type begins

Pair = tuple[ScoredArm, ScoredArm]  # full, and the condition


@dataclass(frozen=True)
class Drop:
    """The mean of full − condition on a slice, over what both answered; and that mean less the one of vl."""

    n: int
    value: float | None = None  # None: both answered nothing of this slice
    interval: Interval = field(default_factory=Interval)
    beyond_vl: float | None = None  # None: the slice has questions of vl, or vl has none
    beyond_vl_interval: Interval = field(default_factory=Interval)


def drop_slices(full: ScoredArm, arm: ScoredArm) -> Iterator[str]:
    """The slices that a drop is measured on: all, audio, vl, and each question type of either arm."""
    types = sorted(name for name in {*full.slices, *arm.slices} if name.startswith(TYPES))
    for name in (*COMPARED_SLICES, *types):
        if name in full.slices or name in arm.slices:
            yield name


def drop_of(by_seed: Mapping[int, Pair], slice_name: str, sampling: Sampling) -> Drop:
    """The drop of one seed, or of several that answered the same examples.

    Its interval is that of a paired difference, of several seeds over clusters and seeds at once. Less the
    drop of vl it is a difference in differences, with the interval of `separation`.
    """
    full, arm = next(iter(by_seed.values()))
    at_full, at_arm = shared_examples(full.examples, arm.examples)
    inside = _in_both(full, arm, at_full, at_arm, slice_name)
    if not inside.any():
        return Drop(0)
    values = np.stack([one.scores[at_full] - other.scores[at_arm] for one, other in by_seed.values()])
    clusters = full.clusters[at_full]
    seen = _in_both(full, arm, at_full, at_arm, SEEN)
    own = Losses(values[:, inside], clusters[inside])
    found = Drop(int(inside.sum()), float(own.values.mean()), _interval(own.values, own.clusters, sampling))
    if not seen.any() or (seen & inside).any():
        return found
    apart = separation(own, Losses(values[:, seen], clusters[seen]), sampling.confidence)
    return Drop(found.n, found.value, found.interval, apart.value, apart.interval)


def _in_both(
    full: ScoredArm, arm: ScoredArm, at_full: Places, at_arm: Places, slice_name: str
) -> Bool[ndarray, " shared"]:
    inside: Bool[ndarray, " shared"] = full.inside(slice_name)[at_full] & arm.inside(slice_name)[at_arm]
    return inside


def _interval(values: SeedScores, clusters: Labels, sampling: Sampling) -> Interval:
    if len(values) > 1:
        return seed_difference(values, clusters, sampling).inference.interval
    return difference_interval(values[0], clusters, sampling.confidence)
