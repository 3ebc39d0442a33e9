"""Planned answers: what they will be like, as it is assumed or as it was observed in a predictions file."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_data.core import numerals
from safe_data.core.errors import InputError
from safe_eval.arms.arm import Places, make_arms, shared_examples
from safe_eval.arms.pairs import same_seeds
from safe_eval.arms.prompts import refuse_several_prompts
from safe_eval.arms.scored_arm import ScoredArm, score_arms
from safe_eval.options import Assumed, Observed, PowerOptions, Sampling
from safe_eval.predictions import read_predictions
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.scoring.run_files import predictions_of
from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.power import (
    design_effect,
    intracluster_correlation,
    observed_design_effect,
    paired_std,
)
from safe_eval.statistics.seeds import seed_spread

BySeed = dict[int, ScoredArm]


@dataclass(frozen=True)
class PlannedAnswers:
    """How scores will differ item by item, and how alike the items of a cluster will be."""

    changed: float  # the share of items whose score is not the same
    std: float  # of the differences
    sizes: tuple[float, ...]  # of some clusters
    correlation: float | None  # between the differences of one cluster; None: not known
    design_effect: float
    share_lost: float
    accuracy: float
    seed_std: float
    like: str | None = None  # the answers they were observed on

    @property
    def cluster_size(self) -> float:
        """The mean number of items in a cluster."""
        return float(np.mean(self.sizes))

    @property
    def alike(self) -> float:
        """The correlation to plan with."""
        return min(1.0, max(0.0, self.correlation or 0.0))


def planned_answers(options: PowerOptions) -> PlannedAnswers:
    """What the planned answers will be like.

    Raises:
        InputError: an assumption is out of range, or it is not clear which answers of a file are meant.
    """
    if options.observed.like is None:
        found = assumed_answers(options.assumed, options.difference or 0.0)
        return _of_right_answers(found) if options.goal == "lomo_drop" else found
    if options.goal == "seeds":
        return _observed_seeds(options)
    if options.goal == "lomo_drop":
        return _observed_losses(options)
    return observed_differences(options)


def assumed_answers(assumed: Assumed, difference: float) -> PlannedAnswers:
    """Assume right-or-wrong answers: a share of them changes, with some correlation within clusters.

    >>> round(assumed_answers(Assumed(cluster_size=4, correlation=0.1), 0.02).design_effect, 2)
    1.3
    """
    _check(assumed)
    if abs(difference) > assumed.changed:
        raise InputError(
            f"a difference of {difference} cannot come from {numerals.percent(assumed.changed)} of answers "
            "changing; give the share that changes with --changed"
        )
    return PlannedAnswers(
        changed=assumed.changed,
        std=paired_std(assumed.changed, difference),
        sizes=(assumed.cluster_size,),
        correlation=assumed.correlation,
        design_effect=design_effect(assumed.cluster_size, assumed.correlation),
        share_lost=assumed.share_lost,
        accuracy=assumed.accuracy,
        seed_std=assumed.seed_std,
    )


def _of_right_answers(answers: PlannedAnswers) -> PlannedAnswers:
    """The clusters of the answers that are right, which alone can be lost."""
    size = max(1.0, answers.cluster_size * answers.accuracy)
    return replace(answers, sizes=(size,), design_effect=design_effect(size, answers.alike))


def observed_differences(options: PowerOptions) -> PlannedAnswers:
    """Observe the differences between two arms of a predictions file; over several seeds, their mean.

    Raises:
        InputError: it is not clear which two arms are meant, or they do not differ.
    """
    observed = options.observed
    pairs, name = _pair(observed)
    every = [(a.scores[at_a] - b.scores[at_b], a.clusters[at_a]) for a, b, at_a, at_b in pairs]
    if not any(differences.any() for differences, _ in every) and options.goal == "superiority":
        raise InputError(
            f"{observed.like}: {name} has no spread on the slice {observed.slice!r} to plan with"
        )
    std = float(np.mean([differences.std() for differences, _ in every]))
    return _like(options, every, name, changed=_share_changed(every), std=std)


def _observed_losses(options: PowerOptions) -> PlannedAnswers:
    """Observe which right answers of one arm another arm loses."""
    pairs, name = _pair(options.observed)
    every, right = [], []
    for a, b, at_a, at_b in pairs:
        was_right = a.scores[at_a] >= RIGHT_FROM
        right.append(float(was_right.mean()))
        if was_right.any():
            lost = b.scores[at_b][was_right] < RIGHT_FROM
            every.append((lost.astype(float), a.clusters[at_a][was_right]))
    if not every:
        raise InputError(f"{options.observed.like}: no answer of {name.partition(' ')[0]} is right")
    share = float(np.mean([lost.mean() for lost, _ in every]))
    found = _like(options, every, name, changed=share, std=float(np.sqrt(share * (1 - share))))
    return replace(found, share_lost=share, accuracy=float(np.mean(right)))


def _observed_seeds(options: PowerOptions) -> PlannedAnswers:
    """Observe how the seeds of one arm differ, item by item and as a whole."""
    observed = options.observed
    by_name = _arms(observed)
    name = observed.a or (next(iter(by_name)) if len(by_name) == 1 else None)
    if name not in by_name:
        raise InputError(f"{observed.like}: say whose seeds to take as --a; there are {', '.join(by_name)}")
    seeds = [arm for _, arm in sorted(by_name[str(name)].items())]
    first = seeds[0]
    if len(seeds) < 2 or any(not np.array_equal(arm.examples, first.examples) for arm in seeds):
        raise InputError(f"{observed.like}: {name} has no two seeds that answered the same examples")
    inside = _inside(observed, first)
    clusters, scores = first.clusters[inside], np.stack([arm.scores[inside] for arm in seeds])
    every = [(one - other, clusters) for one, other in itertools.pairwise(scores)]
    std = float(np.mean([differences.std() for differences, _ in every]))
    found = _like(options, every, f"seeds of {name}", changed=_share_changed(every), std=std)
    return replace(found, seed_std=seed_spread(scores, clusters, Sampling()).seed_std or 0.0)


def _like(
    options: PowerOptions, every: Sequence[tuple[Values, Labels]], name: str, *, changed: float, std: float
) -> PlannedAnswers:
    """Planned answers with the clusters of observed ones."""
    effects = [found for one in every if (found := observed_design_effect(*one)) is not None]
    correlations = [found for one in every if (found := intracluster_correlation(*one)) is not None]
    values, clusters = every[0]
    observed = options.observed
    files = ", ".join(path.name for path in predictions_of(observed.like)) if observed.like else ""
    seeds = "" if len(every) == 1 else f", mean over {len(every)}"
    return PlannedAnswers(
        changed=changed,
        std=std,
        sizes=tuple(np.unique(clusters, return_counts=True)[1].astype(float).tolist()),
        correlation=float(np.mean(correlations)) if correlations else None,
        design_effect=float(np.mean(effects)) if effects else 1.0,
        share_lost=options.assumed.share_lost,
        accuracy=options.assumed.accuracy,
        seed_std=options.assumed.seed_std,
        like=f"{name} on {observed.slice} in {files}, {len(values)} items{seeds}",
    )


def _share_changed(every: Sequence[tuple[Values, Labels]]) -> float:
    return float(np.mean([(differences != 0).mean() for differences, _ in every]))


def _pair(observed: Observed) -> tuple[list[tuple[ScoredArm, ScoredArm, Places, Places]], str]:
    """The two arms that are meant, seed by seed, with the places of the items of the slice that both have."""
    by_name = _arms(observed)
    a, b = observed.a, observed.b
    if a is None and b is None and len(by_name) == 2:
        a, b = by_name
    if a is None or b is None or a == b or not {a, b} <= by_name.keys():
        raise InputError(
            f"{observed.like}: say which two arms to take as --a and --b; there are {', '.join(by_name)}, "
            f"for example {_example(list(by_name))}"
        )
    pairs = []
    for one, other in same_seeds(by_name[a], by_name[b]).values():
        at_a, at_b = shared_examples(one.examples, other.examples)
        both = _inside(observed, one)[at_a] & _inside(observed, other)[at_b]
        if both.any():
            pairs.append((one, other, at_a[both], at_b[both]))
    if not pairs:
        raise InputError(f"{observed.like}: {a} and {b} have no example of one seed in common")
    return pairs, f"{a} − {b}"


def _arms(observed: Observed) -> dict[str, BySeed]:
    """The arms of a file by name and seed, of one dataset and one metric.

    Raises:
        InputError: there are several datasets, no such dataset or seed, or nothing is judged one by one.
    """
    if observed.like is None:
        raise ValueError("no predictions file to observe answers in")
    file, metric = observed.like, observed.metric
    rows = read_predictions(*predictions_of(file), allow_partial=observed.allow_partial)
    every = make_arms(rows)
    refuse_several_prompts(every)
    scored = [arm for name in ANSWER_METRICS if metric in (None, name) for arm in score_arms(name, every)]
    if not scored:
        raise InputError(f"{file}: holds no answers that are judged one by one")
    datasets = sorted({arm.key.dataset for arm in scored}, key=str)
    named = ", ".join(str(name) for name in datasets)
    if observed.dataset is not None and observed.dataset not in datasets:
        raise InputError(f"{file}: holds no dataset {observed.dataset!r}; it holds {named}")
    if observed.dataset is None and len(datasets) > 1:
        raise InputError(f"{file}: holds several datasets, {named}; choose one with --dataset")
    seeds = sorted({arm.key.seed for arm in scored})
    if observed.seed is not None and observed.seed not in seeds:
        raise InputError(f"{file}: holds no seed {observed.seed}; it holds {', '.join(map(str, seeds))}")
    found: dict[str, BySeed] = {}
    for arm in scored:
        if observed.dataset in (None, arm.key.dataset):
            found.setdefault(arm.key.name, {})[arm.key.seed] = arm
    if observed.seed is None:
        return found
    return {name: _of_seed(of_arm, observed.seed) for name, of_arm in found.items()}


def _of_seed(of_arm: BySeed, seed: int) -> BySeed:
    """The arm of one seed; a model with a single seed, as a baseline has, goes with every seed."""
    return of_arm if len(of_arm) == 1 else {key: arm for key, arm in of_arm.items() if key == seed}


def _inside(observed: Observed, arm: ScoredArm) -> Bool[ndarray, " rows"]:
    if observed.slice not in arm.slices:
        slices = ", ".join(arm.slices)
        raise InputError(f"{observed.like}: {arm.key.name} has no slice {observed.slice!r}; it has {slices}")
    return arm.slices[observed.slice]


def _example(names: Sequence[str]) -> str:
    """Two arms that are worth comparing: two models under one condition, where there are."""
    first, *others = names
    same = [name for name in others if name.rpartition("/")[2] == first.rpartition("/")[2]]
    return f"--a {[*same, *others, first][0]} --b {first}"


def _check(assumed: Assumed) -> None:
    """Refuse numbers that no answers can have, each by the name of its option."""
    if not 0 <= assumed.changed <= 1:
        raise InputError(f"--changed {assumed.changed}: is outside [0, 1]; 10 % is 0.1")
    if assumed.cluster_size < 1:
        raise InputError(f"--cluster-size {assumed.cluster_size}: is less than 1, the question itself")
    if not 0 <= assumed.correlation <= 1:
        raise InputError(f"--correlation {assumed.correlation}: is outside [0, 1]")
    if not 0 <= assumed.share_lost <= 1:
        raise InputError(f"--share-lost {assumed.share_lost}: is outside [0, 1]; 90 % is 0.9")
    if not 0 < assumed.accuracy <= 1:
        raise InputError(f"--accuracy {assumed.accuracy}: is not above 0 and at most 1; 70 % is 0.7")
    if not 0 <= assumed.seed_std < 1:
        raise InputError(f"--seed-std {assumed.seed_std}: is outside [0, 1); half a point is 0.005")
