"""Criterion: a number that must meet a bound, as a criteria file states it."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.condition import CONDITIONS, is_condition
from safe_eval.judging.metric_names import (
    AGREEMENT,
    CHANGED,
    COVERAGE,
    FOLLOWED,
    GATE_METRICS,
    PROPORTIONS,
    SEED_STD,
    WITHOUT_SIDES,
    extremes,
    has_mean_over_seeds,
    is_known,
    is_mean,
    unknown_metric,
)
from safe_eval.results.aggregates import OWN_AGGREGATES, WITHOUT_INTERVAL
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.contradiction import CONTRADICT
from safe_eval.results.deferral import DEFERRAL_METRICS
from safe_eval.results.gate_row import AT_LEAST, DROP
from safe_eval.results.gate_times import BREAK_EVEN, GATE_TIMES
from safe_eval.results.irrelevance import ANSWERS_CHANGED, FALSE_CONSULTATION, SEEN
from safe_eval.results.latency import LATENCIES, LATENCY_RATIO
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.retention import DRIFT_METRICS, RETENTION_SLICES
from safe_eval.results.separation import SEPARATION

TOLERANCE = 1e-9  # 0.70 - 0.65 is 0.04999999999999993 in binary, and meant to reach 0.05

Use = Literal["value", "ci_low", "ci_high", "limit", "equivalence", "non_inferiority"]
Over = Literal["each_seed", "seeds"]
ONE_SIDED: tuple[Use, ...] = ("equivalence", "non_inferiority")  # judged by the interval of one-sided tests

_TIMES = tuple(name for name in GATE_TIMES if name != BREAK_EVEN)
_LIMITED = (*(name for name in GATE_METRICS if name not in GATE_TIMES), ANSWERS_CHANGED)

_Count = Annotated[int, Meta(ge=1)]

_SLICE = re.compile(r"(type|class):.+")  # besides COMPARED_SLICES
_BOUND = re.compile(r"(>=|<=|>|<|==|within) *([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?)")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, limit: value >= limit - TOLERANCE,
    "<=": lambda value, limit: value <= limit + TOLERANCE,
    ">": lambda value, limit: value > limit,
    "<": lambda value, limit: value < limit,
    "==": lambda value, limit: abs(value - limit) <= TOLERANCE,
    "within": lambda value, limit: abs(value) <= limit + TOLERANCE,
}


class Bound(NamedTuple):
    """What a number must meet, for example `>= 0.05`, or `within 0.005` of zero."""

    operator: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a number meets the bound.

        >>> Bound(">=", 0.05).holds(0.70 - 0.65), Bound("within", 0.005).holds(-0.006)
        (True, False)
        """
        return _HOLDS[self.operator](value, self.limit)

    def inside(self, value: float) -> float:
        """How far a number lies inside the bound; below 0 outside.

        >>> Bound("<=", 0.5).inside(0.25), Bound("within", 0.5).inside(-0.75)
        (0.25, -0.25)
        """
        if self.operator in (">=", ">"):
            return value - self.limit
        if self.operator in ("<=", "<"):
            return self.limit - value
        return -abs(value - self.limit) if self.operator == "==" else self.limit - abs(value)


class Criterion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A metric of `condition`, minus that metric of `against` if given, and the bound it must meet."""

    name: Annotated[str, Meta(description="shown in the verdict; unique in the file")]
    metric: Annotated[str, Meta(description="a metric of scores.json, such as vqa_accuracy")]
    bound: Annotated[str, Meta(description="'>= 0.05', '< 1', '== 0' or 'within 0.005'")]
    slice: Annotated[str, Meta(description="all, audio, vl, type:NAME or class:NAME")] = "all"
    dataset: Annotated[str | None, Meta(description="one dataset; without it, every one must hold")] = None
    condition: Annotated[str | None, Meta(description="whose metric: model/condition")] = None
    against: Annotated[str | None, Meta(description="subtracted: model/condition")] = None
    use: Annotated[
        Use,
        Meta(
            description="which number must meet the bound: the value, an end of the interval, the one-sided "
            "limit, both ends of the interval of two one-sided tests, or its worse end"
        ),
    ] = "value"
    over: Annotated[
        Over | None,
        Meta(
            description="each seed must hold, or the mean over seeds with its own interval; without it, the "
            "mean over seeds where 'use' asks for an interval, and otherwise each seed"
        ),
    ] = None
    min_confidence: Annotated[float | None, Meta(description="of the intervals, such as 0.95")] = None
    min_resamples: Annotated[_Count | None, Meta(description="of the bootstrap")] = None
    min_clusters: Annotated[_Count | None, Meta(description="that were judged")] = None
    min_seeds: Annotated[_Count | None, Meta(description="that were judged")] = None
    severity: Annotated[
        Literal["critical", "warning"], Meta(description="a warning is shown and decides nothing")
    ] = "critical"

    def parsed_bound(self) -> Bound:
        """The bound as an operator and a number.

        Raises:
            InputError: the bound cannot be read; `read_criteria` refuses such a criterion.
        """
        match = _BOUND.fullmatch(self.bound.strip())
        if match is None:
            raise InputError(f"bound {self.bound!r} is none of '>= 0.05', '< 1', '== 0', 'within 0.005'")
        return Bound(match[1], float(match[2]))

    @property
    def combines_seeds(self) -> bool:
        """Whether the mean over seeds is judged, with its interval over both, where there are several."""
        if self.over is None:
            return self.use != "value" and has_mean_over_seeds(self.metric)
        return self.over == "seeds"

    @property
    def vacuous(self) -> str | None:
        """What to say of a bound that every number meets, or none; None for any other bound."""
        bound = self.parsed_bound()
        met = [bound.holds(end) for end in extremes(self.metric, difference=self.against is not None)]
        if all(met):
            return "no number could miss this bound"
        if not any(met) and bound.operator not in ("==", "within"):
            return "no number could meet this bound: accuracies are fractions, 5 points are 0.05"
        return None


def parse_criterion(row: Any) -> Criterion | str:
    """A criterion from a row of a criteria file, or what is wrong with it."""
    if not isinstance(row, dict):
        return "is not a mapping; write name, metric, condition, bound"
    fields = [field.name for field in msgspec.structs.fields(Criterion)]
    for name in row:
        if name not in fields:
            hint = did_you_mean(str(name), fields)
            return f"unknown field {name!r}{hint and ', '}{hint}; fields are {', '.join(fields)}"
    try:
        criterion = msgspec.convert(row, Criterion)
        criterion.parsed_bound()
    except (msgspec.ValidationError, InputError) as error:
        return str(error)
    return _fault(criterion) or criterion


def _fault(criterion: Criterion) -> str | None:
    metric, against = criterion.metric, criterion.against
    if not criterion.name.strip():
        return "its name is blank; a verdict needs one to show"
    if not is_known(metric):
        return unknown_metric(metric)
    if criterion.slice not in COMPARED_SLICES and not _SLICE.fullmatch(criterion.slice):
        return f"slice {criterion.slice!r} is none of all, audio, vl, type:NAME, class:NAME"
    for side in (criterion.condition, against):
        model, _, condition = (side or "model/full").rpartition("/")
        if not model or not is_condition(condition):
            hint = "" if is_condition(condition) else did_you_mean(condition, CONDITIONS)
            return f"{side!r} is no 'model/condition' such as 'safe/full'{hint and ', '}{hint}"
    return (
        _sides_fault(criterion)
        or _slice_fault(criterion)
        or _use_fault(criterion)
        or _seeds_fault(criterion)
        or _demand_fault(criterion)
    )


def _sides_fault(criterion: Criterion) -> str | None:
    """What is wrong with `condition` and `against`: some metrics take both, some one, some neither."""
    metric, against = criterion.metric, criterion.against
    if metric in WITHOUT_SIDES and (against or criterion.slice != "all"):
        return f"{metric} takes no 'against' and no 'slice'"
    if metric not in WITHOUT_SIDES and criterion.condition is None:
        return f"{metric} needs a 'condition', for example 'safe/full'"
    if metric == CHANGED and against is None:
        return "answers_changed compares two models; give 'against', for example 'base/full'"
    if metric == ANSWERS_CHANGED and against is None:
        return f"{metric} compares two arms; give 'against', for example 'safe/mute_audio'"
    if metric in FOLLOWED and (criterion.condition or "").rpartition("/")[2] != CONTRADICT:
        return f"{metric} is of a sound that contradicts; for example condition: safe/{CONTRADICT}"
    if metric in (*SHARES_LOST, SEPARATION):
        model, _, condition = (criterion.condition or "").rpartition("/")
        if condition == "full" or against != f"{model}/full":
            return (
                f"{metric} is what a condition loses of full; for example condition: safe/mute_audio, "
                "against: safe/full"
            )
    if metric in (*DRIFT_METRICS, LATENCY_RATIO):
        model, _, condition = (against or "").rpartition("/")
        if condition != "full" or model == (criterion.condition or "").rpartition("/")[0]:
            what = "a distance from" if metric in DRIFT_METRICS else "in proportion to"
            return f"{metric} is {what} the baseline; give 'against', for example 'against: base/full'"
    if against is not None and against == criterion.condition:
        return f"compares {against} with itself; give another 'against'"
    takes_against = (*DRIFT_METRICS, *PROPORTIONS, SEPARATION, CHANGED, DROP)
    if against is not None and not is_mean(metric) and metric not in takes_against:
        return f"{metric} describes one 'condition'; leave out 'against'"
    return None


def _model(side: str | None) -> str:
    return (side or "").rpartition("/")[0]


def _slice_fault(criterion: Criterion) -> str | None:
    """What is wrong with the slice: not every number is computed on every slice."""
    metric = criterion.metric
    if metric == SEPARATION and criterion.slice != "all":
        return "separation sets slice audio apart from slice vl; leave out 'slice'"
    computed_on: tuple[str, ...] = COMPARED_SLICES
    everywhere = (*CALIBRATION_METRICS, *DEFERRAL_METRICS, *OWN_AGGREGATES, *LATENCIES)
    if metric.removesuffix(SEED_STD) in everywhere:
        computed_on = ("all",)
    elif metric in DRIFT_METRICS:
        computed_on = RETENTION_SLICES
    elif metric in GATE_TIMES:
        computed_on = ("all",)
    elif metric in (FALSE_CONSULTATION, ANSWERS_CHANGED):
        computed_on = (SEEN,)
    elif metric in FOLLOWED:
        return None
    elif metric in GATE_METRICS:
        computed_on = COMPARED_SLICES
    elif criterion.against is None and not metric.endswith(SEED_STD) and criterion.over != "seeds":
        return None
    if criterion.slice in computed_on:
        return None
    what = "comparisons are" if criterion.against else f"{metric} is"
    if criterion.over == "seeds":
        what = "means over seeds are"
    return f"{what} computed on the slices {', '.join(computed_on)}, not on {criterion.slice!r}"


def _use_fault(criterion: Criterion) -> str | None:
    metric, use, (operator, limit) = criterion.metric, criterion.use, criterion.parsed_bound()
    if operator == "within" and limit < 0:
        return f"no number lies {criterion.bound}; a margin is 0 or more, such as 'within 0.005'"
    has_none = metric.removesuffix(SEED_STD) in (CHANGED, COVERAGE, *WITHOUT_INTERVAL, *_TIMES)
    if metric.endswith(SEED_STD) and not has_none and use not in ("value", "ci_high"):
        return f"{metric} has an upper limit and no other end; use value or ci_high"
    if has_none and use != "value":
        return f"{metric} has no interval; leave out 'use', so that its value is judged"
    if use in ONE_SIDED and not is_mean(metric):
        return f"{metric} is no difference of scores, so it has no equivalence interval"
    if use == "equivalence" and (criterion.against is None or operator != "within"):
        return "equivalence needs an 'against' and a bound 'within MARGIN'"
    if use == "non_inferiority" and (criterion.against is None or operator not in (">=", ">", "<=", "<")):
        return "non_inferiority needs an 'against' and a bound such as '>= -0.005'"
    if use == "limit" and metric not in _LIMITED:
        return f"{metric} has no one-sided limit; {', '.join(_LIMITED)} have one"
    if use == "limit" and operator not in ((">", ">=") if metric in AT_LEAST else ("<", "<=")):
        end, example = ("lower", ">= 0.01") if metric in AT_LEAST else ("upper", "<= 0.01")
        return f"the limit of {metric} is the {end} one; give a bound such as '{example}'"
    if operator == "within" and use in ("ci_low", "ci_high"):
        return "one end of an interval cannot be 'within'; use value or equivalence"
    return None


def _seeds_fault(criterion: Criterion) -> str | None:
    if criterion.over == "seeds" and not has_mean_over_seeds(criterion.metric):
        return f"{criterion.metric} has no mean over seeds; leave out 'over', so that each seed must hold"
    if criterion.min_seeds == 1 and (criterion.over == "seeds" or criterion.metric.endswith(SEED_STD)):
        return "min_seeds 1 asks for nothing here; a number over seeds needs 2"
    return None


def _demand_fault(criterion: Criterion) -> str | None:
    """What is wrong with what the criterion demands of its evidence."""
    if criterion.min_confidence is not None and not 0.5 < criterion.min_confidence < 1:
        return f"min_confidence {criterion.min_confidence:g} is not between 0.5 and 1; 95 % is 0.95"
    if criterion.metric not in WITHOUT_SIDES:
        return None
    for name in ("min_seeds",) if criterion.metric == AGREEMENT else ("min_clusters", "min_seeds"):
        if getattr(criterion, name) is not None:
            return f"{criterion.metric} counts no {name.removeprefix('min_')}; leave out {name!r}"
    return None
