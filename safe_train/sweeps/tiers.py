"""Tiers: a decision with three or more outcomes, such as phase 1's: verified, partial or blocked.

A tier is named only where the whole interval of the metric lies in it. An interval that crosses the start of
a tier tells neither: then the number of seeds or questions is said that would.
"""

from typing import NamedTuple

from safe_eval.judging.judged import NOT_MEASURED
from safe_train.sweeps.candidate import LEAST_SEEDS, ONE_SEED, Scored, needed, needed_questions
from safe_train.sweeps.rules_file import Tier, Tiers


class Placed(NamedTuple):
    """In which tier a point lies, if that is shown."""

    point: str
    tier: str | None
    decision: str
    statement: str
    value: float
    low: float | None
    high: float | None
    needs: str | None


def judge_tiers(rule: Tiers, point: str, metric: Scored, confidence: float) -> Placed:
    """The tier that holds a point's whole interval.

    >>> import numpy as np
    >>> rule = Tiers.model_validate({"rule": "tiers", "over": "items", "times": 100, "tiers": [
    ...     {"name": "verified", "above": 30, "decision": "go", "then": "go on"},
    ...     {"name": "blocked", "decision": "no-go"}]})
    >>> scores = Scored(np.full((1, 400), 0.4), np.arange(400))
    >>> judge_tiers(rule, "phase1", scores, 0.95).statement
    'phase1 is verified (40.0 [39.8, 40.2]): go on'
    """
    over_seeds = rule.over == "seeds"
    found = metric.interval(confidence) if over_seeds else metric.over_items(confidence)
    value = rule.times * metric.value
    if found.low is None or found.high is None:
        why = ONE_SEED if over_seeds and len(metric.scores) < LEAST_SEEDS else "there are too few questions"
        more = f"at least {LEAST_SEEDS} seeds" if why == ONE_SEED else "more questions"
        return Placed(point, None, NOT_MEASURED, f"{point}: {why}; needs {more}", value, None, None, more)
    low, high = rule.times * found.low, rule.times * found.high
    shown = (
        f"{value:.1f} [{low:.1f}, {high:.1f}]" if rule.times > 1 else f"{value:.3f} [{low:.3f}, {high:.3f}]"
    )
    at_low, at_high = tier_of(rule.tiers, low), tier_of(rule.tiers, high)
    if at_low is at_high:
        follows = "; ".join(filter(None, (at_low.then, _look(at_low))))
        statement = f"{point} is {at_low.name} ({shown})" + (f": {follows}" if follows else "")
        return Placed(point, at_low.name, at_low.decision, statement, value, low, high, None)
    crossed = [tier.above for tier in rule.tiers if tier.above is not None and low <= tier.above < high]
    risk = (1 - confidence) / 2
    nearest = min(crossed, key=lambda start: abs(start - value))
    bound = nearest / rule.times
    needs = needed(metric, bound, risk) if over_seeds else needed_questions(metric, bound, found, risk)
    statement = f"{point}: not told apart whether {at_high.name} or {at_low.name} ({shown})"
    return Placed(
        point,
        None,
        NOT_MEASURED,
        statement + (f"; needs {needs}" if needs else ""),
        value,
        low,
        high,
        needs,
    )


def tier_of(tiers: tuple[Tier, ...], value: float) -> Tier:
    """The tier of one number: the first that begins below it."""
    return next(tier for tier in tiers if tier.above is None or value > tier.above)


def _look(tier: Tier) -> str:
    return f"look at {', '.join(tier.look_at)}" if tier.look_at else ""
