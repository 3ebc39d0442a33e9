"""Retention verdict: what the plan demands of the mechanisms, judged over questions and seeds at once.

- `kl_halves_the_drift`: distillation cuts the VL drift of no retention by at least half.
- `nullspace_keeps_or_improves`: the null space alone drifts no more than no retention, within half a point.
- `all_keeps_or_improves`: distillation with Fisher and null space drifts no more than distillation alone.

Only the first decides; the plan's "null space keeps or improves" can mean either of the others.

No criterion of safe_eval can say the first: it compares two differences, one of them halved. A statement is
a linear contrast of the losses of the same question, so its interval is that of a mean. With drifts d and d₀,
"at least half" is d − d₀/2 ≤ 0: it goes where the upper end of the interval is 0 or less, and fails where the
lower end is above 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from safe_data.core import numerals
from safe_data.core.errors import InputError
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.options import Sampling
from safe_eval.results.retention import RETENTION_MARGIN
from safe_eval.statistics.bootstrap import Labels
from safe_eval.statistics.intervals import DIFFERENCE, Interval, mean_interval
from safe_eval.statistics.two_way import two_way_interval
from safe_train.experiments.retention_result import Contrasted, Judged, Losses

NONE, KL, NULL_SPACE, ALL = "no_retention", "kl", "nullspace", "all_retention"
LEAST_SEEDS = 2


def judge_retention(found: Sequence[Contrasted], sampling: Sampling) -> tuple[Judged, ...]:
    """Judge all statements on the losses of all seeds."""
    return (
        _halves(found, sampling),
        _no_worse(
            "nullspace_keeps_or_improves",
            "the null space alone drifts no more than no retention",
            (NULL_SPACE, NONE),
            found,
            sampling,
        ),
        _no_worse(
            "all_keeps_or_improves",
            "distillation with Fisher and null space drifts no more than distillation alone",
            (ALL, KL),
            found,
            sampling,
        ),
    )


@dataclass(frozen=True)
class DriftOf:
    """The drift of one mechanism over all seeds, a fraction of 1."""

    value: float | None
    interval: Interval
    evidence: str

    def within(self, bound: float) -> str:
        """Whether it is at most this: go, no-go, or not measured where the interval crosses it."""
        return _decided(self.interval, bound)


def drift_of(found: Sequence[Contrasted], mechanism: str, sampling: Sampling) -> DriftOf:
    """What a mechanism loses. One seed gives no interval."""
    if missing := _missing(found, (mechanism,), seeds=1):
        return DriftOf(None, Interval(), missing)
    losses, _, clusters, seeds = _pooled(found, mechanism, mechanism)
    interval = over_seeds(losses, clusters, seeds, sampling)
    ends = numerals.interval(interval.low, interval.high, signed=True)
    evidence = f"drift {numerals.difference(float(losses.mean()))} {ends}; {_over(found, losses, clusters)}"
    return DriftOf(float(losses.mean()), interval, evidence)


def over_seeds(values: Losses, clusters: Labels, seeds: Labels, sampling: Sampling) -> Interval:
    """The interval of a mean over the questions of several seeds; clusters with one number are the same.

    If nothing varies, what clusters not yet seen could do decides. One seed gives none: nothing shows how
    much another would differ.
    """
    if len(np.unique(seeds)) < LEAST_SEEDS:
        return Interval()
    found = two_way_interval(values, clusters, seeds, sampling)
    return found if found.low is not None else mean_interval(values, clusters, sampling, scale=DIFFERENCE)


def _halves(found: Sequence[Contrasted], sampling: Sampling) -> Judged:
    name, statement = "kl_halves_the_drift", "distillation cuts VL drift by at least half"
    if missing := _missing(found, (KL, NONE)):
        return _judged(name, statement, None, Interval(), 0.0, NOT_MEASURED, missing, "critical")
    kl, none, clusters, seeds = _pooled(found, KL, NONE)
    drifted = over_seeds(none, clusters, seeds, sampling)
    interval = over_seeds(kl - none / 2, clusters, seeds, sampling)
    value = float((kl - none / 2).mean())
    evidence = f"drift {_points(none.mean())} without, {_points(kl.mean())} with it"
    if none.mean() > 0:
        evidence += f": {numerals.percent(1 - kl.mean() / none.mean())} less"
    evidence += f"; seed by seed {', '.join(_cuts(found))}; {_over(found, kl, clusters)}"
    if drifted.low is not None and drifted.low <= 0:
        evidence += "; but without it the drift is not shown to be above 0, so there is nothing to halve"
        return _judged(name, statement, value, interval, 0.0, NOT_MEASURED, evidence, "critical")
    return _judged(name, statement, value, interval, 0.0, _decided(interval, 0.0), evidence, "critical")


def _no_worse(
    name: str, statement: str, pair: tuple[str, str], found: Sequence[Contrasted], sampling: Sampling
) -> Judged:
    if missing := _missing(found, pair):
        return _judged(name, statement, None, Interval(), RETENTION_MARGIN, NOT_MEASURED, missing, "warning")
    one, other, clusters, seeds = _pooled(found, *pair)
    interval = over_seeds(one - other, clusters, seeds, sampling)
    evidence = f"drift {_points(one.mean())} of {pair[0]}, {_points(other.mean())} of {pair[1]}"
    evidence += f"; {_over(found, one, clusters)}"
    value, decision = float((one - other).mean()), _decided(interval, RETENTION_MARGIN)
    return _judged(name, statement, value, interval, RETENTION_MARGIN, decision, evidence, "warning")


def _decided(interval: Interval, bound: float) -> str:
    """Go where the whole interval meets the bound, no-go where none of it does."""
    if interval.low is None or interval.high is None:
        return NOT_MEASURED
    if interval.high <= bound:
        return GO
    return NO_GO if interval.low > bound else NOT_MEASURED


def _judged(
    name: str,
    statement: str,
    value: float | None,
    interval: Interval,
    bound: float,
    decision: str,
    evidence: str,
    severity: str,
) -> Judged:
    return Judged(
        name=name,
        statement=statement,
        value=value,
        ci_low=interval.low,
        ci_high=interval.high,
        bound=bound,
        decision=decision,
        evidence=evidence,
        severity=severity,
    )


def _missing(found: Sequence[Contrasted], names: Sequence[str], *, seeds: int = LEAST_SEEDS) -> str | None:
    """Why a statement cannot be judged."""
    lacking = [name for name in names if any(name not in one.losses for one in found)]
    if lacking:
        return f"it needs the mechanisms {' and '.join(names)}; add {' and '.join(lacking)}"
    if not all(len(one.clusters) for one in found):
        return "no question about a picture was asked that can be right or wrong"
    if len(found) < seeds:
        return "one seed shows nothing of how much another would differ; add a seed"
    return None


def _pooled(found: Sequence[Contrasted], one: str, other: str) -> tuple[Losses, Losses, Labels, Labels]:
    """The losses of two mechanisms on all questions of all seeds, and their clusters and seeds.

    A cluster is the same in all seeds of its world, where seeds and clusters are crossed, and in no other.

    Raises:
        InputError: two seeds of one world were not asked the same questions.
    """
    worlds = list(dict.fromkeys(contrasted.world for contrasted in found))
    for contrasted in found:
        first = found[[c.world for c in found].index(contrasted.world)]
        if not np.array_equal(first.clusters, contrasted.clusters):
            raise InputError(
                f"seeds {first.seed} and {contrasted.seed} did not answer the same questions of one world; "
                "answer again"
            )
    seeds = np.concatenate([np.full(len(c.clusters), number) for number, c in enumerate(found)])
    most = 1 + max(int(contrasted.clusters.max()) for contrasted in found)
    clusters = np.concatenate([c.clusters + most * worlds.index(c.world) for c in found])
    first_losses, second_losses = (np.concatenate([c.losses[name] for c in found]) for name in (one, other))
    return first_losses, second_losses, clusters, seeds


def _cuts(found: Sequence[Contrasted]) -> list[str]:
    return [f"{_points(c.losses[NONE].mean())} → {_points(c.losses[KL].mean())}" for c in found]


def _over(found: Sequence[Contrasted], values: Losses, clusters: Labels) -> str:
    groups = len(np.unique(clusters))
    worlds = {contrasted.world: len(contrasted.clusters) for contrasted in found}
    if len(worlds) == len(found):
        return f"{len(values)} questions in {groups} groups of {len(found)} seeds"
    return f"{sum(worlds.values())} questions in {groups} groups, with {len(found)} seeds"


def _points(share: float) -> str:
    return f"{100 * share:.1f}".replace("-", "−")
