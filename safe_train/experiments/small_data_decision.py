"""Small-data decision: differences between arms on the same clips and seeds, and the LoRA targets to choose.

The rule of the plan is "MLP if SPEECH rises at least 5 points, else the steadier one". A rise counts only
where the lower end of its interval reaches the 5 points, and as missing only where the upper end does not.
The steadier arm is named only where a test of the two spreads over seeds tells them apart.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bca import bca_interval
from safe_eval.statistics.bootstrap import Labels
from safe_eval.statistics.intervals import DIFFERENCE, Interval
from safe_eval.statistics.multiplicity import holm
from safe_eval.statistics.paired import mcnemar_p_values
from safe_eval.statistics.seeds import seed_difference
from safe_train.sweeps.candidate import LEAST_SEEDS, Scored, needed
from safe_train.sweeps.steadier import steadier

LEAST_RISE = 0.05

BySeed = Mapping[int, Float[ndarray, " items"]]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """a − b in accuracy over the seeds that both have.

    `ci` is over seeds and groups at once (two-way t), `bootstrap` over groups alone (BCa, of the mean over
    seeds), and `mcnemar` each seed's exact p value, which takes clips as independent. `p_holm` is adjusted
    over all comparisons of the study. An interval or p value is None where it was not measured.
    """

    a: str
    b: str
    seeds: tuple[int, ...]
    n: int
    groups: int
    difference: float
    ci_low: float | None
    ci_high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    p_value: float | None
    p_holm: float | None
    mcnemar: tuple[float | None, ...]

    @property
    def told_apart(self) -> bool:
        """Whether the adjusted p value is below 5 %."""
        return self.p_holm is not None and self.p_holm < 0.05


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which of two arms the rule names, if any, and why in words."""

    winner: str | None
    statement: str
    rise: float | None = None
    rise_low: float | None = None
    rise_high: float | None = None


def compare(
    pairs: Sequence[tuple[str, str]], scores: Mapping[str, BySeed], groups: Labels, sampling: Sampling
) -> tuple[Compared, ...]:
    """Compare pairs of arms as one family of tests.

    With fewer than two common seeds a pair is in the table without an interval and a p value.
    """
    found = [_compared(a, b, scores[a], scores[b], groups, sampling) for a, b in pairs]
    tested = [one.p_value for one in found if one.p_value is not None]
    adjusted = iter(holm(np.array(tested)).tolist() if tested else ())
    return tuple(
        one if one.p_value is None else msgspec.structs.replace(one, p_holm=next(adjusted)) for one in found
    )


def choose_targets(
    mlp: tuple[str, BySeed],
    attention: tuple[str, BySeed],
    is_speech: Bool[ndarray, " items"],
    groups: Labels,
    sampling: Sampling,
) -> Chosen:
    """Which LoRA targets the rule names, from the scores of both arms by seed.

    >>> groups, speech = np.repeat(np.arange(40), 2), np.tile([True, False], 40)
    >>> right, wrong = np.ones(80), np.where(np.arange(80) % 20 < 4, 0.0, 1.0)
    >>> choose_targets(("mlp", {1: right, 2: right}), ("attention", {1: right, 2: right}), speech, groups,
    ...     Sampling()).winner is None
    True
    """
    (name, a), (other, b) = mlp, attention
    seeds = [seed for seed in a if seed in b]
    if len(seeds) < LEAST_SEEDS:
        return Chosen(
            winner=None,
            statement=f"not measured: {len(seeds)} seed in both; needs at least {LEAST_SEEDS} seeds",
        )
    differences = np.stack([a[seed][is_speech] - b[seed][is_speech] for seed in seeds])
    found = Scored(differences, groups[is_speech], DIFFERENCE, is_difference=True)
    interval = found.interval(sampling.confidence)
    rise, low, high = found.value, interval.low, interval.high

    def chosen(winner: str | None, statement: str) -> Chosen:
        return Chosen(winner=winner, statement=statement, rise=rise, rise_low=low, rise_high=high)

    shown = f"SPEECH of {name} over {other}"
    if low is None or high is None:
        return chosen(None, f"not measured: {shown} has no interval")
    if low >= LEAST_RISE:
        return chosen(name, f"{name}: {shown} rises at least {LEAST_RISE:.0%}")
    if high >= LEAST_RISE:
        more = needed(found, LEAST_RISE, (1 - sampling.confidence) / 2) or "more seeds and questions"
        return chosen(None, f"not told apart: whether {shown} rises {LEAST_RISE:.0%}; needs {more}")
    balanced = [[_balanced(of[seed], is_speech) for seed in seeds] for of in (a, b)]
    winner, words, _ = steadier((name, balanced[0]), (other, balanced[1]), 1 - sampling.confidence)
    return chosen(winner, f"{shown} does not rise {LEAST_RISE:.0%}; {words}")


def _balanced(scores: Float[ndarray, " items"], is_speech: Bool[ndarray, " items"]) -> float:
    """The mean of the recalls of both classes."""
    return float(scores[is_speech].mean() + scores[~is_speech].mean()) / 2


def _compared(a: str, b: str, of_a: BySeed, of_b: BySeed, groups: Labels, sampling: Sampling) -> Compared:
    seeds = tuple(seed for seed in of_a if seed in of_b)
    differences = np.stack([of_a[seed] - of_b[seed] for seed in seeds])
    interval, p_value = Interval(), None
    if len(seeds) >= LEAST_SEEDS:
        found = seed_difference(differences, groups, sampling).inference
        interval, p_value = found.interval, found.p_value
    drawn = bca_interval(differences.mean(axis=0), groups, sampling, scale=DIFFERENCE)
    return Compared(
        a=a,
        b=b,
        seeds=seeds,
        n=differences.shape[1],
        groups=len(np.unique(groups)),
        difference=float(differences.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        bootstrap_low=drawn.low,
        bootstrap_high=drawn.high,
        p_value=p_value,
        p_holm=None,
        mcnemar=tuple(mcnemar_p_values(of_a[seed], of_b[seed])[0] for seed in seeds),
    )
