"""Power plan: how many items a difference needs, or which difference a number of items can show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.core import numerals
from safe_data.core.errors import InputError
from safe_eval.arms.arm import make_arms, shared_examples
from safe_eval.arms.prompts import refuse_several_prompts
from safe_eval.arms.scored_arm import ScoredArm, score_arms
from safe_eval.options import PowerOptions
from safe_eval.predictions import read_predictions
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.run_files import predictions_of
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters
from safe_eval.statistics.power import (
    design_effect,
    intracluster_correlation,
    minimum_detectable_effect,
    needed_items,
    observed_design_effect,
    paired_std,
)


@dataclass(frozen=True)
class Differences:
    """How the scores of two models differ item by item; the needed number of items depends on it."""

    std: float
    changed: float  # the share of items whose score is not the same
    design_effect: float
    cluster_size: float  # mean
    correlation: float | None  # between the differences of one cluster
    like: str | None = None  # the answers they were observed on


class PowerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A two-sided test on matched items: `items` items detect `difference` with probability `power`."""

    difference: float
    items: int
    clusters: int
    power: float
    confidence: float
    std: float
    changed: float
    design_effect: float
    cluster_size: float
    correlation: float | None
    like: str | None


def assumed_differences(
    changed: float, difference: float, cluster_size: float, correlation: float
) -> Differences:
    """Assume right-or-wrong answers: a share of them changes, with some correlation within clusters.

    >>> round(assumed_differences(0.1, 0.02, 4, 0.1).design_effect, 2)
    1.3
    """
    if abs(difference) > changed:
        raise InputError(
            f"a difference of {difference} cannot come from {numerals.percent(changed)} of answers changing; "
            "give the share that changes with --changed"
        )
    effect = design_effect(cluster_size, correlation)
    return Differences(paired_std(changed, difference), changed, effect, cluster_size, correlation)


def observed_differences(options: PowerOptions) -> Differences:
    """Observe the differences between two arms of a predictions file.

    Raises:
        InputError: it is not clear which two arms are meant, or they do not differ.
    """
    file, a, b, metric, slice_name = options.like, options.a, options.b, options.metric, options.slice
    if file is None:
        raise ValueError("no predictions file to observe differences in")
    files = predictions_of(file)
    every = make_arms(read_predictions(*files, allow_partial=options.allow_partial))
    refuse_several_prompts(every)
    arms = _arms(
        file, [arm for name in ANSWER_METRICS if metric in (None, name) for arm in score_arms(name, every)]
    )
    if a is None and b is None and len(arms) == 2:
        a, b = arms
    if a is None or b is None or a == b or not {a, b} <= arms.keys():
        raise InputError(
            f"{file}: say which two arms to take as --a and --b; there are {', '.join(arms)}, "
            f"for example {_example(list(arms))}"
        )
    names = ", ".join(path.name for path in files)
    differences, clusters = _differences(file, arms[a], arms[b], slice_name)
    effect = observed_design_effect(differences, clusters)
    if effect is None:
        raise InputError(f"{file}: {a} − {b} has no spread on the slice {slice_name!r} to plan with")
    return Differences(
        std=float(differences.std(ddof=1)),
        changed=float((differences != 0).mean()),
        design_effect=effect,
        cluster_size=len(differences) / count_clusters(clusters),
        correlation=intracluster_correlation(differences, clusters),
        like=f"{a} − {b} on {slice_name} in {names}, {len(differences)} items",
    )


def plan_power(options: PowerOptions) -> PowerPlan:
    """Find how many items a difference needs, or the smallest difference that the given items show.

    Raises:
        InputError: both or neither are given, a number is out of range, or see `observed_differences`.
    """
    if (options.difference is None) == (options.items is None):
        raise InputError("give either --difference, to learn how many items it needs, or --items")
    _check_planned(options)
    if options.like is None:
        differences = assumed_differences(
            options.changed, options.difference or 0.0, options.cluster_size, options.correlation
        )
    else:
        differences = observed_differences(options)
    of = {
        "design_effect": differences.design_effect,
        "confidence": options.confidence,
        "power": options.power,
    }
    items, difference = options.items or 0, options.difference
    if difference is None:
        difference = minimum_detectable_effect(differences.std, items, **of)
    else:
        items = needed_items(differences.std, difference, **of)
    return PowerPlan(
        difference=difference,
        items=items,
        clusters=math.ceil(items / differences.cluster_size),
        power=options.power,
        confidence=options.confidence,
        std=differences.std,
        changed=differences.changed,
        design_effect=differences.design_effect,
        cluster_size=differences.cluster_size,
        correlation=differences.correlation,
        like=differences.like,
    )


def _check_planned(options: PowerOptions) -> None:
    """Refuse numbers that no comparison can have, each by the name of its option."""
    if options.items is not None and options.items < 1:
        raise InputError(f"--items {options.items}: is less than 1; give a number of questions")
    if options.difference == 0:
        raise InputError("--difference 0: no number of items shows it; give the least that matters, as 0.01")
    if not 0 < options.changed <= 1:
        raise InputError(f"--changed {options.changed}: is not above 0 and at most 1; 10 % is 0.1")
    if options.cluster_size < 1:
        raise InputError(f"--cluster-size {options.cluster_size}: is less than 1, the question itself")
    if not 0 <= options.correlation <= 1:
        raise InputError(f"--correlation {options.correlation}: is outside [0, 1]")


def _arms(file: Path, scored: Sequence[ScoredArm]) -> dict[str, ScoredArm]:
    """The arms by name, where each name stands for one arm."""
    if len({arm.key.dataset for arm in scored}) > 1 or len({arm.key.seed for arm in scored}) > 1:
        raise InputError(f"{file}: holds several datasets or seeds; give a file of one of each")
    if not scored:
        raise InputError(f"{file}: holds no answers that are judged one by one")
    return {arm.key.name: arm for arm in scored}


def _example(names: Sequence[str]) -> str:
    """Two arms that are worth comparing: two models under one condition, where there are."""
    first, *others = names
    same = [name for name in others if name.rpartition("/")[2] == first.rpartition("/")[2]]
    return f"--a {[*same, *others, first][0]} --b {first}"


def _differences(file: Path, a: ScoredArm, b: ScoredArm, slice_name: str) -> tuple[Values, Labels]:
    for arm in (a, b):
        if slice_name not in arm.slices:
            slices = ", ".join(arm.slices)
            raise InputError(f"{file}: {arm.key.name} has no slice {slice_name!r}; it has {slices}")
    at_a, at_b = shared_examples(a.examples, b.examples)
    both = a.slices[slice_name][at_a] & b.slices[slice_name][at_b]
    at_a, at_b = at_a[both], at_b[both]
    return a.scores[at_a] - b.scores[at_b], a.clusters[at_a]
