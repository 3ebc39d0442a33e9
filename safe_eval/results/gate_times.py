"""Gate times: what a user waits for a gated model, and from which share of skips on it is the quicker one.

A skip saves the sound's part of the work; a consultation pays for it after the gate has decided. Which weighs
more is read from measured latencies of the same questions, answered one by one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, Places, shared_examples
from safe_eval.arms.pairs import always_on_of, baseline_of
from safe_eval.options import Sampling
from safe_eval.results.gate_row import GateRow, Measure, Place, bare_row
from safe_eval.results.latency import latencies, one_by_one
from safe_eval.statistics.bootstrap import Labels, Totals, cluster_totals, count_clusters, resampled_totals
from safe_eval.statistics.intervals import Interval, percentile_interval
from safe_eval.statistics.score_interval import count_effective

GATE_MS = "gate_ms_p50"
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95}
RATIOS = {f"{name}_ratio": share for name, share in QUANTILES.items()}  # to the baseline's
BREAK_EVEN = "break_even_skips"
GATE_TIMES = (GATE_MS, *QUANTILES, *RATIOS, BREAK_EVEN)

_ALONE = "an answer of both must be timed alone (metadata.batch is 1): a batch mean cannot show a skip"

Times = Float[ndarray, " rows"]
Found = dict[str, Any]


def time_rows(place: Place, by_seed: Mapping[int, Arm], arms: Arms, sampling: Sampling) -> Iterator[GateRow]:
    """Medians and 95th percentiles, their ratios to the baseline's, and the break-even; without intervals
    but for the last, and over seeds as the mean of the seeds."""
    found: dict[Measure, dict[int, Found]] = {}
    for seed, arm in by_seed.items():
        for measure, of_seed in _of_arm(arm, arms, sampling):
            found.setdefault(measure, {})[seed] = of_seed
    for measure, of_seeds in found.items():
        for seed, one in of_seeds.items():
            yield bare_row(measure, place, (seed,), "all", sampling, **one)
        values = {seed: one["value"] for seed, one in of_seeds.items() if one.get("value") is not None}
        if len(values) > 1:
            yield bare_row(
                measure,
                place,
                tuple(values),
                "all",
                sampling,
                value=float(np.mean(list(values.values()))),
                of_each_seed=tuple(values.values()),
                one_by_one=next(iter(of_seeds.values())).get("one_by_one"),
                n=min(of_seeds[seed]["n"] for seed in values),
            )


def _of_arm(arm: Arm, arms: Arms, sampling: Sampling) -> Iterator[tuple[Measure, Found]]:
    gate = np.array([np.nan if row.gate_ms is None else row.gate_ms for row in arm.rows])
    decided = np.isfinite(gate) & ~arm.failed
    if decided.any():
        value = float(np.median(gate[decided]))
        yield (
            Measure(GATE_MS),
            {"value": value, **_sizes(arm.clusters[decided], int((~decided & ~arm.failed).sum()))},
        )
    ours = latencies(arm)
    timed = np.isfinite(ours)
    if not timed.any():
        return
    alone = one_by_one(arm)
    sizes = _sizes(arm.clusters[timed], int((~timed & ~arm.failed).sum()))
    for name, share in QUANTILES.items():
        yield Measure(name), {"value": _quantile(ours[timed], share), "one_by_one": alone, **sizes}
    base = baseline_of(arm, arms.arms, arms.pairing)
    if base is not None:
        for name, share in RATIOS.items():
            yield Measure(name, against=base.key.name), _ratio(arm, base, share)
    twin = always_on_of(arm, arms.arms)
    if twin is not None:
        yield Measure(BREAK_EVEN, against=twin.key.name), _break_even(arm, twin, sampling)


def _quantile(values: Times, share: float) -> float:
    return float(np.quantile(values, share))


@dataclass(frozen=True)
class _Timed:
    """The questions that both sides timed."""

    at: Places  # in the arm
    ours: Times
    theirs: Times
    clusters: Labels
    only_one: int  # questions that one side alone answered or timed


def _timed(arm: Arm, other: Arm) -> _Timed:
    at_arm, at_other = shared_examples(arm.examples, other.examples)
    ours, theirs = latencies(arm)[at_arm], latencies(other)[at_other]
    both = np.isfinite(ours) & np.isfinite(theirs)
    alone = len(arm.examples) + len(other.examples) - 2 * len(at_arm)
    alone += int((np.isfinite(ours) != np.isfinite(theirs)).sum())
    return _Timed(at_arm[both], ours[both], theirs[both], arm.clusters[at_arm[both]], alone)


def _ratio(arm: Arm, base: Arm, share: float) -> Found:
    """One quantile over another, both of the same questions."""
    if not (one_by_one(arm) and one_by_one(base)):
        return {"why_not": _ALONE, "one_by_one": False}
    both = _timed(arm, base)
    below = _quantile(both.theirs, share) if len(both.at) else 0.0
    if below <= 0:
        return {"why_not": "no example has both latencies above 0", "only_one": both.only_one}
    value = _quantile(both.ours, share) / below
    return {"value": value, "one_by_one": True, "only_one": both.only_one, **_sizes(both.clusters)}


def _break_even(arm: Arm, twin: Arm, sampling: Sampling) -> Found:
    """The share of skips at which both take equally long: extra / (extra + saved).

    `saved` is what a skip is quicker than the same question with the gate always open, on average, and
    `extra` what a consultation is slower. 0: the gate pays with any skip. None where a skip saves nothing.
    """
    if not (one_by_one(arm) and one_by_one(twin)):
        return {"why_not": _ALONE, "one_by_one": False}
    both = _timed(arm, twin)
    said = [arm.rows[place].consulted for place in both.at.tolist()]
    skipped, consulted = (np.array([one is way for one in said], dtype=float) for way in (False, True))
    if not skipped.any() or not consulted.any():
        why_not = "it needs timed answers that skipped the sound and some that consulted it"
        return {"why_not": why_not, "only_one": both.only_one}
    slower = both.ours - both.theirs
    columns = np.column_stack([-slower * skipped, skipped, slower * consulted, consulted])
    totals = cluster_totals(columns, both.clusters)
    value = float(_even(totals.sum(axis=0)))
    if np.isnan(value):
        why_not = "a skip takes as long as an answer with the gate always open"
        return {"why_not": why_not, "only_one": both.only_one}
    interval = _percentiles(totals, sampling)
    return {
        "value": value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "interval": interval.method,
        "one_by_one": True,
        "only_one": both.only_one,
        **_sizes(both.clusters),
    }


def _percentiles(totals: Totals, sampling: Sampling) -> Interval:
    """The interval of a break-even; none where some resamples have none, or all agree."""
    if len(totals) < 2:
        return Interval()
    drawn = _even(resampled_totals(totals, sampling))
    if not np.isfinite(drawn).all() or np.ptp(drawn) < 1e-12:
        return Interval()
    return percentile_interval(drawn, len(totals), sampling.confidence)


def _even(sums: Float[ndarray, "*rows 4"]) -> Float[ndarray, "*rows"]:
    """The break-even from sums: saved by skips, skips, lost by consultations, consultations.

    >>> _even(np.array([[40.0, 10, 15, 5], [40.0, 10, -5, 5], [-1.0, 10, 15, 5]])).tolist()
    [0.42857142857142855, 0.0, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        saved, extra = sums[..., 0] / sums[..., 1], np.maximum(sums[..., 2] / sums[..., 3], 0.0)
        return np.asarray(np.where(saved > 0, extra / (extra + saved), np.nan))


def _sizes(clusters: Labels, unsaid: int = 0) -> Found:
    return {
        "n": len(clusters),
        "clusters": count_clusters(clusters),
        "effective_clusters": count_effective(clusters),
        "unsaid": unsaid,
    }
