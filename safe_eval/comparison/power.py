"""Power plan: how many items show what is planned for, what so many can show, or how often they do."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from safe_data.core.errors import InputError
from safe_eval.comparison.planned_answers import PlannedAnswers, planned_answers
from safe_eval.options import Goal, PowerOptions
from safe_eval.statistics.planned_power import (
    Changes,
    Shown,
    fewest_clusters,
    least_effect,
    power_of_difference,
)
from safe_eval.statistics.planned_seeds import power_of_agreement, power_over_seeds
from safe_eval.statistics.planned_share import Share, power_of_share
from safe_eval.statistics.power import design_effect

SHARE_LOST, SEED_STD = 0.8, 0.005  # that are to be shown, unless others are given
_MOST_SEEDS, _SEEDS = 1000, 3

# What is to be shown of each goal: the option that says so, and its default.
_EFFECT: dict[Goal, tuple[str, float | None]] = {
    "superiority": ("difference", None),
    "equivalence": ("margin", None),
    "non_inferiority": ("margin", None),
    "lomo_drop": ("bound", SHARE_LOST),
    "seeds": ("bound", SEED_STD),
}


class PowerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`items` items in `clusters` clusters show what is planned for with probability `power`."""

    goal: Goal
    difference: float | None = None  # true, assumed
    margin: float | None = None
    bound: float | None = None  # of the share lost, or of the standard deviation between seeds
    items: int
    clusters: int
    right_answers: int | None = None  # of these items, which can be lost
    seeds: int | None = None
    power: float
    confidence: float
    std: float
    changed: float
    share_lost: float | None = None  # true, assumed
    seed_std: float | None = None  # true, assumed
    design_effect: float
    cluster_size: float
    correlation: float | None
    like: str | None


@dataclass(frozen=True)
class _Asked:
    """A plan before its unknown is found."""

    options: PowerOptions
    answers: PlannedAnswers
    effect: float | None  # None: to be found
    seeds: int | None  # None: to be found

    def power_of(self, clusters: int, effect: float, seeds: int) -> float:
        """The power of so many clusters and seeds to show an effect of this size."""
        if clusters < 2:
            return 0.0
        of_goal = {"lomo_drop": _power_of_loss, "seeds": _power_of_seeds}
        return of_goal.get(self.options.goal, _power_of_differences)(self, clusters, effect, seeds)


def plan_power(options: PowerOptions) -> PowerPlan:
    """Find how many items show what is planned for, the least that the given items show, or their power.

    Raises:
        InputError: nothing is asked, a number is out of range, or no number of items shows it; or see
            `planned_answers`.
    """
    _check_planned(options)
    answers = planned_answers(options)
    name, default = _EFFECT[options.goal]
    given = getattr(options, name)
    effect = default if given is None else abs(given)
    if effect is None and options.items is None:
        raise InputError(
            f"give --{name}, to learn how many items it needs, or --items, to learn what they show; or both"
        )
    _check_possible(options, answers, effect)
    seeds = options.seeds
    if seeds is None and options.goal != "seeds":
        seeds = 1
    elif seeds is None and options.items is None:
        seeds = _SEEDS
    asked = _Asked(options, answers, effect, seeds)
    clusters = _clusters_of(options, answers)
    if clusters is None:
        clusters = _fewest(asked, effect or 0.0, seeds or 1)
    elif effect is None:
        asked = replace(asked, effect=_least(asked, clusters, seeds or 1))
    elif seeds is None:
        asked = replace(asked, seeds=_fewest_seeds(asked, clusters, effect))
    return _plan(asked, clusters)


def _plan(asked: _Asked, clusters: int) -> PowerPlan:
    """The plan, with its power."""
    options, answers = asked.options, asked.answers
    effect, seeds = asked.effect or 0.0, asked.seeds or 1
    size = answers.cluster_size
    right, items = None, options.items or math.ceil(clusters * size)
    if options.goal == "lomo_drop":
        right = math.ceil(clusters * size) if options.items is None else round(items * answers.accuracy)
        items = options.items or math.ceil(right / answers.accuracy)
    is_difference = options.goal in ("superiority", "equivalence", "non_inferiority")
    difference = options.difference or 0.0
    if options.goal == "superiority":
        difference = math.copysign(effect, difference)
    return PowerPlan(
        goal=options.goal,
        difference=difference if is_difference else None,
        margin=effect if options.goal in ("equivalence", "non_inferiority") else None,
        bound=None if is_difference else effect,
        items=items,
        clusters=clusters,
        right_answers=right,
        seeds=seeds if options.goal == "seeds" or seeds > 1 else None,
        power=asked.power_of(clusters, effect, seeds),
        confidence=options.confidence,
        std=answers.std,
        changed=answers.changed,
        share_lost=answers.share_lost if options.goal == "lomo_drop" else None,
        seed_std=answers.seed_std if options.goal == "seeds" or seeds > 1 else None,
        design_effect=answers.design_effect,
        cluster_size=size,
        correlation=answers.correlation,
        like=answers.like,
    )


def _power_of_differences(asked: _Asked, clusters: int, effect: float, seeds: int) -> float:
    """By the bounds of a bounded mean; over seeds, also by the interval over clusters and seeds."""
    options, answers = asked.options, asked.answers
    true = effect if options.goal == "superiority" else options.difference or 0.0
    risk = 1 - options.confidence
    shown = Shown(risk, above=-effect, below=effect if options.goal == "equivalence" else None)
    if options.goal == "superiority":
        shown = Shown(risk / 2, above=0.0)
    squares = min(1.0, max(answers.std**2 + true**2, abs(true)))  # as if scores were right or wrong
    lost, gained = (squares - true) / 2, (squares + true) / 2
    found = power_of_difference(Changes(lost, gained, answers.sizes, answers.alike), shown, clusters)
    if seeds == 1:
        return found
    of_items = max(squares - true**2, 0.0) * _effect(answers) / (clusters * answers.cluster_size)
    over = power_over_seeds(true, shown, seeds, clusters, of_items=of_items, seed_std=answers.seed_std)
    return min(found, over)


def _power_of_loss(asked: _Asked, clusters: int, effect: float, seeds: int) -> float:
    """By the lower end of the score interval of the share of right answers that is lost."""
    del seeds  # each seed is judged
    answers = asked.answers
    share = Share(answers.share_lost, answers.sizes, answers.alike)
    return power_of_share(share, effect, (1 - asked.options.confidence) / 2, clusters)


def _power_of_seeds(asked: _Asked, clusters: int, effect: float, seeds: int) -> float:
    """By the upper limit of the standard deviation between seeds."""
    answers = asked.answers
    noise = answers.std**2 / 2 * _effect(answers) / (clusters * answers.cluster_size)
    return power_of_agreement(answers.seed_std, effect, seeds, noise=noise, risk=1 - asked.options.confidence)


def _effect(answers: PlannedAnswers) -> float:
    """The design effect; assumed clusters have one, observed ones theirs."""
    if answers.like is not None:
        return answers.design_effect
    return design_effect(answers.cluster_size, answers.alike)


def _clusters_of(options: PowerOptions, answers: PlannedAnswers) -> int | None:
    """The clusters of the given items; of lomo_drop, those of its right answers."""
    if options.items is None:
        return None
    items = options.items * (answers.accuracy if options.goal == "lomo_drop" else 1)
    return max(1, round(items / answers.cluster_size))


def _fewest(asked: _Asked, effect: float, seeds: int) -> int:
    start = 8 * asked.answers.std**2 * _effect(asked.answers) / max(effect, 1e-6) ** 2
    start = min(10 + start / asked.answers.cluster_size, 1e7)
    found = fewest_clusters(
        lambda clusters: asked.power_of(clusters, effect, seeds), asked.options.power, start
    )
    if found is not None:
        return found
    more = _fewest_seeds_at_all(asked, effect) if asked.answers.seed_std else None
    hint = "" if more is None else f"; {more} seeds could, with --seeds {more}"
    raise InputError(f"no number of items shows it with {_seeds(seeds)}{hint}")


def _fewest_seeds(asked: _Asked, clusters: int, effect: float) -> int:
    found = _first_seeds(lambda seeds: asked.power_of(clusters, effect, seeds), asked.options.power)
    if found is None:
        raise InputError(
            f"no number of seeds shows it with --items {asked.options.items}: the noise of the items is too "
            "large; leave out --items, and give --seeds, to learn how many are needed"
        )
    return found


def _fewest_seeds_at_all(asked: _Asked, effect: float) -> int | None:
    """The fewest seeds that show it with as many items as anyone could have."""
    return _first_seeds(lambda seeds: asked.power_of(10**7, effect, seeds), asked.options.power)


def _first_seeds(power_of: Callable[[int], float], power: float) -> int | None:
    return next((seeds for seeds in range(2, _MOST_SEEDS) if power_of(seeds) >= power), None)


def _least(asked: _Asked, clusters: int, seeds: int) -> float:
    """The least difference, or the least margin, that so many clusters show."""
    options, answers = asked.options, asked.answers
    name, _ = _EFFECT[options.goal]
    most = answers.changed if options.goal == "superiority" else 1.0
    found = least_effect(lambda effect: asked.power_of(clusters, effect, seeds), options.power, most)
    if found is None:
        raise InputError(f"--items {options.items}: no {name} is shown by so few; give more items")
    return found


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _check_planned(options: PowerOptions) -> None:
    """Refuse options that do not go with the goal, and numbers that none can be, each by its name."""
    goal, (name, _) = options.goal, _EFFECT[options.goal]
    taken = {name, "difference"} if name == "margin" else {name}
    for other in ("difference", "margin", "bound"):
        if getattr(options, other) is not None and other not in taken:
            raise InputError(f"--{other}: {goal} takes --{name}; leave it out")
    if options.items is not None and options.items < 1:
        raise InputError(f"--items {options.items}: is less than 1; give a number of questions")
    if goal == "superiority" and options.difference == 0:
        raise InputError("--difference 0: no number of items shows it; give the least that matters, as 0.01")
    for other in ("margin", "bound"):
        number = getattr(options, other)
        if number is not None and not 0 < number <= 1:
            raise InputError(f"--{other} {number}: is not above 0 and at most 1; half a point is 0.005")
    if options.seeds is not None and (options.seeds < 1 or (goal == "seeds" and options.seeds < 2)):
        raise InputError(f"--seeds {options.seeds}: is too few; seeds agree from 2 on")
    if options.seeds is not None and goal == "lomo_drop":
        raise InputError("--seeds: each seed must lose its answers; leave it out")
    if options.assumed.seed_std and goal != "seeds" and (options.seeds or 1) == 1:
        raise InputError("--seed-std: one seed does not show how seeds differ; give --seeds, or leave it out")
    if not (0 < options.confidence < 1 and 0.5 <= options.power < 1):
        raise InputError(
            f"confidence {options.confidence} or power {options.power} is out of range; 95 % is 0.95, "
            "80 % is 0.8"
        )


def _check_possible(options: PowerOptions, answers: PlannedAnswers, effect: float | None) -> None:
    """Refuse what no number of items shows, because it is not true."""
    difference = options.difference or 0.0
    if effect is None:
        return
    if options.goal == "non_inferiority" and difference <= -effect:
        raise InputError(
            f"no number of items shows it: a true difference of {difference} is a loss of the margin"
        )
    if options.goal == "equivalence" and abs(difference) >= effect:
        raise InputError(
            f"no number of items shows it: a true difference of {difference} is not in the margin"
        )
    if options.goal == "lomo_drop" and answers.share_lost <= effect:
        raise InputError(
            f"no number of items shows it: a true share of {answers.share_lost:g} is not above {effect:g}"
        )
    if options.goal == "seeds" and answers.seed_std >= effect:
        raise InputError(
            f"no number of seeds shows it: a true standard deviation of {answers.seed_std:g} is not below "
            f"{effect:g}"
        )
