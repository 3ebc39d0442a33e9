"""Pairs: which models are compared with which, and which of their seeds belong together."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Arm, ArmKey
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.prediction import BASE, quoted

ALWAYS_ON = "_always_on"  # ends the name of the same model with its gate always open
MOST_MODELS = 6  # that are compared in pairs unasked; more fill scores.json with rows that nobody reads

Of = TypeVar("Of")
AnyArm = TypeVar("AnyArm", Arm, ScoredArm)


class Pairing(NamedTuple):
    """How models are compared: each with the baseline, as equals in pairs, or both."""

    baseline: str | None
    as_equals: bool


def pairing_of(models: Iterable[str], baseline: str | None, *, pairs: bool) -> Pairing:
    """The baseline, by default `base` where it is one of the models, and whether models are also equals.

    Without a baseline, models are equals.

    >>> pairing_of(["alpha", "base"], None, pairs=False)
    Pairing(baseline='base', as_equals=False)
    >>> pairing_of(["alpha", "beta"], None, pairs=False)
    Pairing(baseline=None, as_equals=True)

    Raises:
        InputError: no model has the name of the baseline.
    """
    known = sorted(set(models))
    if baseline is not None and baseline not in known:
        hint = did_you_mean(baseline, known, f"models are {', '.join(known)}")
        raise InputError(f"baseline {quoted(baseline)} is none of the models; {hint}")
    if baseline is None and BASE in known:
        baseline = BASE
    return Pairing(baseline, pairs or (baseline is None and len(known) <= MOST_MODELS))


def pairing_notes(pairing: Pairing, arms: Sequence[Arm]) -> Iterator[str]:
    """What is compared where several models have no baseline, and where the one they have did not answer."""
    models = list(dict.fromkeys(arm.key.model for arm in arms))
    if len(models) < 2:
        return
    if pairing.baseline is not None:
        yield from dict.fromkeys(_without_baseline(pairing.baseline, arms))
        return
    named = f"to compare every model with one, name it: --baseline {models[0]}"
    if pairing.as_equals:
        yield f"no model is called {BASE}: each pair of models is compared as equals; {named}"
        yield from _apart([arm.key for arm in arms], models)
    else:
        yield f"no model is called {BASE}, and {len(models)} models are compared with none; {named}"


def _apart(keys: Sequence[ArmKey], models: Sequence[str]) -> Iterator[str]:
    """The pairs of equals that are not compared, because they have no condition or no seed in common."""
    seeds: dict[str, dict[tuple[str | None, str], dict[int, int]]] = {model: {} for model in models}
    for key in keys:
        seeds[key.model].setdefault((key.dataset, key.condition), {})[key.seed] = key.seed
    for one, other in itertools.combinations(models, 2):
        both = seeds[one].keys() & seeds[other].keys()
        if not both:
            yield f"{one} and {other} are not compared: they answered no dataset under the same condition"
        elif not any(same_seeds(seeds[one][place], seeds[other][place]) for place in both):
            yield f"{one} and {other} are not compared: both have several seeds, and none in common"


def _without_baseline(baseline: str, arms: Sequence[Arm]) -> Iterator[str]:
    seeds: dict[str | None, list[int]] = {}
    for arm in arms:
        if (arm.key.model, arm.key.condition) == (baseline, "full"):
            seeds.setdefault(arm.key.dataset, []).append(arm.key.seed)
    for dataset, seed, model, _ in (arm.key for arm in arms if arm.key.model != baseline):
        on = "" if dataset is None else f" on {dataset}"
        if dataset not in seeds:
            yield f"the baseline {baseline} did not answer{on} under full: no model is compared with it there"
        elif seed not in seeds[dataset] and len(seeds[dataset]) > 1:
            given = ", ".join(map(str, seeds[dataset]))
            yield f"{model}{on}, seed {seed}, is not compared with {baseline}, which has the seeds {given}"


def unpaired_notes(pairing: Pairing, scored: Mapping[str, Sequence[ScoredArm]]) -> Iterator[str]:
    """A line on each model that shares no metric on a dataset with another model, or with the baseline."""
    sets: dict[str, set[tuple[str, str | None]]] = {}
    for metric, arms in scored.items():
        for arm in arms:
            sets.setdefault(arm.key.model, set()).add((metric, arm.key.dataset))
    if len(sets) < 2 or (pairing.baseline is None and not pairing.as_equals):
        return
    for model, own in sets.items():
        others = [name for name in sets if name != model]
        if pairing.baseline in others and not pairing.as_equals:
            others = [pairing.baseline]
        if model != pairing.baseline and all(own.isdisjoint(sets[name]) for name in others):
            judged = ", ".join(sorted(metric + ("" if on is None else f" on {on}") for metric, on in own))
            yield (
                f"{model} ({judged}) is compared with no other model: models are compared by one metric on "
                "one dataset, whose name they spell alike"
            )


def baseline_of(arm: AnyArm, among: Sequence[AnyArm], pairing: Pairing) -> AnyArm | None:
    """The baseline under `full`, with the seed of the arm or its only seed; None for the baseline itself."""
    if pairing.baseline in (None, arm.key.model):
        return None
    bases = [
        other
        for other in among
        if (other.key.model, other.key.condition) == (pairing.baseline, "full")
        and other.key.dataset == arm.key.dataset
    ]
    same_seed = [base for base in bases if base.key.seed == arm.key.seed]
    found = same_seed or (bases if len(bases) == 1 else [])
    return found[0] if found else None


def always_on_of(arm: AnyArm, among: Iterable[AnyArm]) -> AnyArm | None:
    """The same model with its gate always open; of the arm's seed, as another seed is another checkpoint."""
    open_key = arm.key._replace(model=f"{arm.key.model}{ALWAYS_ON}")
    return next((other for other in among if other.key == open_key), None)


def beside_full(scored: Sequence[ScoredArm]) -> Iterator[dict[int, tuple[ScoredArm, ScoredArm]]]:
    """Each condition of a model beside `full`, by seed: (full, the condition)."""
    by_key = {arm.key: arm for arm in scored}
    found: dict[ArmKey, dict[int, tuple[ScoredArm, ScoredArm]]] = {}
    for arm in scored:
        full = by_key.get(arm.key._replace(condition="full"))
        if full is not None and full is not arm:
            found.setdefault(arm.key._replace(seed=0), {})[arm.key.seed] = (full, arm)
    yield from found.values()


def answered_alike(pairs: Collection[tuple[ScoredArm, ScoredArm]]) -> bool:
    """Whether several seeds have answered the same examples on both sides, so that they go together."""
    first = next(iter(pairs))
    return len(pairs) > 1 and all(
        np.array_equal(one.examples, other.examples)
        for pair in pairs
        for one, other in zip(first, pair, strict=True)
    )


def equal_pairs(keys: Iterable[ArmKey], pairing: Pairing) -> Iterator[tuple[ArmKey, ArmKey]]:
    """The arms of two models under the same condition, each pair once, in the order of the tables.

    The baseline comes second. Where it answers under `full`, its pairs are left out: every model is compared
    with it there anyway.
    """
    if not pairing.as_equals:
        return
    ordered = sorted(keys, key=lambda key: key.order_after(pairing.baseline))
    for one, other in itertools.combinations(ordered, 2):
        if one.model == other.model or one._replace(model=other.model) != other:
            continue
        if pairing.baseline not in (one.model, other.model):
            yield one, other
        elif one.condition != "full":
            yield (other, one) if one.model == pairing.baseline else (one, other)


def same_seeds(a: Mapping[int, Of], b: Mapping[int, Of]) -> dict[int, tuple[Of, Of]]:
    """What both have of each seed. If one has a single seed, it goes with every seed of the other.

    >>> same_seeds({0: "a"}, {0: "b", 1: "c"}), same_seeds({1: "a", 2: "b"}, {2: "c", 3: "d"})
    ({0: ('a', 'b'), 1: ('a', 'c')}, {2: ('b', 'c')})
    """
    only_a = next(iter(a.values())) if len(a) == 1 else None
    only_b = next(iter(b.values())) if len(b) == 1 else None
    found = {}
    for seed in sorted({*a, *b}):
        one, other = a.get(seed, only_a), b.get(seed, only_b)
        if one is not None and other is not None:
            found[seed] = (one, other)
    return found
