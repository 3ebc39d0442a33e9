"""Not shown: how many items or seeds would show what a criterion asks for, if all else stays as it is."""

from collections.abc import Sequence

from safe_eval.judging.criterion import ONE_SIDED, TOLERANCE, Bound, Criterion, Use
from safe_eval.judging.metric_names import SEED_STD
from safe_eval.judging.row_evidence import Evidence
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.intervals import DIFFERENCE, FRACTION
from safe_eval.statistics.planned_seeds import seeds_that_agree, seeds_that_show
from safe_eval.statistics.sample_size import Found, WouldShow, would_show
from safe_eval.statistics.score_interval import SCORE

MISSED = "no number of items would show it: the value itself misses the bound"
ON_IT = "no number of items would show it: the value lies on the bound"
MORE_ITEMS = "no number of seeds would show it without more items"


def not_shown(criterion: Criterion, evidence: Evidence) -> tuple[WouldShow | None, str | None]:
    """What would show a criterion whose interval misses its bound, and the words for it.

    Neither where a bound is on the value, where the interval was not measured, or where it is no matter of
    more items.
    """
    bound, value = criterion.parsed_bound(), evidence.value
    if value is None or not _asks_for_an_end(criterion.use, bound):
        return None, None
    limits: tuple[float, ...] = (
        (-bound.limit, bound.limit) if criterion.use == "equivalence" else (bound.limit,)
    )
    if not bound.holds(value):
        return None, MISSED
    if min(abs(value - limit) for limit in limits) <= TOLERANCE:
        return None, ON_IT
    if criterion.metric.endswith(SEED_STD):
        return _of_seed_std(evidence, bound.limit)
    found = _found(criterion.use, evidence)
    if found is None:
        return None, None
    if evidence.place.seed is None and (evidence.seeds or 1) > 1 and evidence.method != SCORE:
        return _of_seeds(evidence, found, limits)
    return _told(would_show(found, limits, evidence.clusters or 0))


def _asks_for_an_end(use: Use, bound: Bound) -> bool:
    """Whether more items bring the number that is judged nearer to the bound, if the value lies inside."""
    operators = {"ci_low": (">", ">="), "ci_high": ("<", "<=")}
    return use in ONE_SIDED or bound.operator in operators.get(use, ())


def _found(use: Use, evidence: Evidence) -> Found | None:
    """The interval that decides, if it was measured."""
    low, high = evidence.equivalence if use in ONE_SIDED else (evidence.ci_low, evidence.ci_high)
    if evidence.value is None or low is None or high is None or evidence.confidence is None:
        return None
    if not evidence.clusters or not evidence.n:
        return None
    return Found(
        value=evidence.value,
        low=low,
        high=high,
        method=evidence.method,
        risk=_risk(use, evidence.confidence),
        clusters=evidence.effective_clusters or evidence.clusters,
        items=evidence.n,
        scale=DIFFERENCE if evidence.method == BOUNDED else FRACTION,
    )


def _risk(use: Use, confidence: float) -> float:
    return (1 - confidence) / (1 if use in ONE_SIDED else 2)


def _of_seeds(
    evidence: Evidence, found: Found, limits: Sequence[float]
) -> tuple[WouldShow | None, str | None]:
    """The seeds that would show it: more items of the same seeds leave these as different as they are.

    Nothing is said where it is not known how different they are.
    """
    spread, room = evidence.spread, min((abs(limit - found.value) for limit in limits), default=None)
    if spread is None or room is None or evidence.seeds is None or not evidence.clusters:
        return None, None
    seeds = seeds_that_show(
        room,
        over_items=spread.over_items,
        std=spread.std,
        clusters=evidence.clusters,
        seeds=evidence.seeds,
        risk=found.risk,
    )
    return (None, MORE_ITEMS) if seeds is None else _told(WouldShow(seeds=seeds))


def _of_seed_std(evidence: Evidence, limit: float) -> tuple[WouldShow | None, str | None]:
    """The seeds whose standard deviation would be shown to be so small."""
    spread, seeds, confidence = evidence.spread, evidence.seeds, evidence.confidence
    if spread is None or spread.noise_std is None or seeds is None or confidence is None:
        return None, None
    needed = seeds_that_agree(
        limit, std=spread.std, noise_std=spread.noise_std, seeds=seeds, risk=1 - confidence
    )
    return (None, MORE_ITEMS) if needed is None else _told(WouldShow(seeds=needed))


def _told(enough: WouldShow | None) -> tuple[WouldShow | None, str | None]:
    return enough, None if enough is None else f"{enough} show it"
