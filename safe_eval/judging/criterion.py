"""Criterion: a number that must meet a bound, as a criteria file states it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from safe_data.core.errors import InputError, did_you_mean, raise_row_errors
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.judging.metric_names import (
    CHANGED,
    COVERAGE,
    MEANS,
    METRICS,
    SEED_STD,
    extremes,
    unknown_metric,
)
from safe_eval.prediction import CONDITIONS, is_condition
from safe_eval.results.aggregates import OWN_AGGREGATES, WITHOUT_INTERVAL
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.retention import DRIFT_METRICS, RETENTION_SLICES

SHIPPED = Path(__file__).parents[1] / "criteria"
TOLERANCE = 1e-9  # 0.70 - 0.65 is 0.04999999999999993 in binary, and meant to reach 0.05

Use = Literal["value", "ci_low", "ci_high", "equivalence"]

_SLICE = re.compile(r"(type|class):.+")  # besides COMPARED_SLICES
_BOUND = re.compile(r"(>=|<=|>|<|==|within) *([-+]?(?:\d+\.?\d*|\.\d+))")
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


class Criterion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A metric of `condition` ("model/condition"), minus that metric of `against` if given, and its bound."""

    name: str
    metric: str
    bound: str
    slice: str = "all"
    condition: str | None = None
    against: str | None = None
    use: Use = "value"
    severity: Literal["critical", "warning"] = "critical"  # a warning is shown and decides nothing

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
    def vacuous(self) -> str | None:
        """What to say of a bound that every number meets, or none; None for any other bound."""
        bound = self.parsed_bound()
        met = [bound.holds(end) for end in extremes(self.metric, difference=self.against is not None)]
        if all(met):
            return "no number could miss this bound"
        if not any(met) and bound.operator not in ("==", "within"):
            return "no number could meet this bound: accuracies are fractions, 5 points are 0.05"
        return None


def criteria_path(given: Path) -> Path:
    """The path of a criteria file, given as a path or as the name of a shipped one, such as `demo`.

    Raises:
        InputError: there is no such file and none of that name is shipped.
    """
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
    if given.is_file():
        return given
    if str(given) in shipped:
        return shipped[str(given)]
    raise InputError(f"{given}: no such criteria file; shipped with safe-eval: {', '.join(shipped)}")


def read_criteria(path: Path) -> tuple[Criterion, ...]:
    """Read a criteria file: YAML with a list named `criteria`.

    Raises:
        InputError: not YAML, no criteria, or criteria that cannot be judged; all faults are reported at once.
    """
    from safe_data.core.yaml_file import read_yaml

    _, content = read_yaml(path)
    if not isinstance(content, dict) or list(content) != ["criteria"]:
        raise InputError(f"{path}: expected one list named 'criteria', as in safe-eval's own demo.yaml")
    rows = content["criteria"]
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: holds no criteria; a verdict on nothing would always be go")
    read = [_criterion(row) for row in rows]
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    errors = [
        f"{path.name}: criterion {place} {names[place - 1]!r}: {fault}"
        for place, fault in enumerate(read, 1)
        if isinstance(fault, str)
    ]
    errors += [
        f"{path.name}: the name {name!r} is given twice; each criterion needs its own"
        for name in dict.fromkeys(names)
        if name is not None and names.count(name) > 1
    ]
    raise_row_errors(errors, str(path))
    criteria = tuple(row for row in read if isinstance(row, Criterion))
    if all(row.severity == "warning" for row in criteria):
        raise InputError(f"{path}: every criterion is a warning, so nothing would decide; make one critical")
    return criteria


def _criterion(row: Any) -> Criterion | str:
    """The criterion, or what is wrong with it."""
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
    metric, against, bound = criterion.metric, criterion.against, criterion.parsed_bound()
    if metric not in METRICS:
        return unknown_metric(metric)
    if criterion.slice not in COMPARED_SLICES and not _SLICE.fullmatch(criterion.slice):
        return f"slice {criterion.slice!r} is none of all, audio, vl, type:NAME, class:NAME"
    for side in (criterion.condition, against):
        model, _, condition = (side or "model/full").rpartition("/")
        if not model or not is_condition(condition):
            hint = did_you_mean(condition, CONDITIONS)
            return f"{side!r} is no 'model/condition' such as 'safe/full'{hint and ', '}{hint}"
    if metric == COVERAGE and (against or criterion.slice != "all"):
        return "coverage takes no 'against' and no 'slice'"
    if metric != COVERAGE and criterion.condition is None:
        return f"{metric} needs a 'condition', for example 'safe/full'"
    if metric == CHANGED and against is None:
        return "answers_changed compares two models; give 'against', for example 'base/full'"
    if metric in DRIFT_METRICS and _model(against) in ("", _model(criterion.condition)):
        return f"{metric} is a distance from another model; give 'against', for example 'base/full'"
    if against is not None and metric not in (*MEANS, *DRIFT_METRICS, CHANGED):
        return f"{metric} describes one 'condition'; leave out 'against'"
    return _slice_fault(criterion) or _use_fault(criterion, bound)


def _model(side: str | None) -> str:
    return (side or "").rpartition("/")[0]


def _slice_fault(criterion: Criterion) -> str | None:
    """What is wrong with the slice: not every number is computed on every slice."""
    metric = criterion.metric
    computed_on: tuple[str, ...] = COMPARED_SLICES
    if metric in (*CALIBRATION_METRICS, *OWN_AGGREGATES):
        computed_on = ("all",)
    elif metric in DRIFT_METRICS:
        computed_on = RETENTION_SLICES
    elif criterion.against is None and not metric.endswith(SEED_STD):
        return None
    if criterion.slice in computed_on:
        return None
    what = "comparisons are" if criterion.against else f"{metric} is"
    return f"{what} computed on the slices {', '.join(computed_on)}, not on {criterion.slice!r}"


def _use_fault(criterion: Criterion, bound: Bound) -> str | None:
    metric = criterion.metric
    has_none = metric in (CHANGED, COVERAGE, WITHOUT_INTERVAL) or metric.endswith(SEED_STD)
    if has_none and criterion.use != "value":
        return f"{metric} has no interval; leave out 'use', so that its value is judged"
    if criterion.use == "equivalence" and metric not in MEANS:
        return f"{metric} is no difference of scores, so it has no equivalence interval"
    if criterion.use == "equivalence" and (criterion.against is None or bound.operator != "within"):
        return "equivalence needs an 'against' and a bound 'within MARGIN'"
    if bound.operator == "within" and criterion.use in ("ci_low", "ci_high"):
        return "one end of an interval cannot be 'within'; use value or equivalence"
    return None
