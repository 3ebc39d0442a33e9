"""What is wrong with a rule of a suite, before any data: a type that does not exist, or a rule without force.

A rule that would hold for anything protects nothing, and looks like one that does. All of this is known
without loading Great Expectations, which takes seconds.

Source: the types are the files in `great_expectations/expectations/core`.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safe_data.core.errors import did_you_mean

ANYTHING = "so it would hold for anything"
OTHER_TYPES = frozenset({"unexpected_rows_expectation"})

# The smallest and the largest value that these can have whatever the data are: a bound there says nothing.
_RANGES: Mapping[str, tuple[float, float]] = {
    "expect_column_unique_value_count_to_be_between": (0, math.inf),
    "expect_column_proportion_of_unique_values_to_be_between": (0, 1),
    "expect_column_proportion_of_non_null_values_to_be_between": (0, 1),
    "expect_column_value_lengths_to_be_between": (0, math.inf),
    "expect_column_stdev_to_be_between": (0, math.inf),
    "expect_table_row_count_to_be_between": (0, math.inf),
    "expect_table_column_count_to_be_between": (0, math.inf),
}
# Sets that forbid or demand nothing when they are empty.
_FREE_WHEN_EMPTY = {
    "expect_column_values_to_not_be_in_set": "value_set",
    "expect_column_distinct_values_to_contain_set": "value_set",
    "expect_column_values_to_not_match_regex_list": "regex_list",
    "expect_column_values_to_not_match_like_pattern_list": "like_pattern_list",
}


def rule_fault(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    """Why a rule of this type with these arguments is refused, or None.

    >>> rule_fault("expect_column_unique_value_count_to_be_between", {"column": "group", "min_value": 0})
    'min_value 0 excludes no value, so it would hold for anything; give a tighter bound'
    """
    if kwargs.get("row_condition") is not None:
        return "row_condition is evaluated as code, and may choose no row at all; state a rule for all rows"
    return _unknown_type(kind) or _free_share(kwargs) or _free_bounds(kind, kwargs) or _free_set(kind, kwargs)


@cache
def known_types() -> frozenset[str]:
    """The types of rules that the installed Great Expectations has; none if it is not installed."""
    spec = find_spec("great_expectations")
    if spec is None or spec.origin is None:
        return frozenset()
    folder = Path(spec.origin).parent / "expectations" / "core"
    return frozenset(path.stem for path in folder.glob("expect_*.py")) | OTHER_TYPES


def _unknown_type(kind: str) -> str | None:
    known = known_types()
    if not known or kind in known:
        return None
    return f"Great Expectations has no such type; {did_you_mean(kind, known, 'mind the spelling')}"


def _free_share(kwargs: Mapping[str, Any]) -> str | None:
    mostly = kwargs.get("mostly", 1)
    if isinstance(mostly, int | float) and not 0 < mostly <= 1:
        return f"mostly {mostly:g} is no share above 0 and up to 1; at 0 no row need be right, {ANYTHING}"
    return None


def _free_bounds(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    bounded = [name for name in ("min_value", "max_value") if name in kwargs]
    if not bounded:
        return None
    bounds = {name: kwargs[name] for name in bounded if kwargs[name] is not None}
    if not bounds:
        return (
            f"{' and '.join(bounded)} {'are both' if len(bounded) > 1 else 'is'} null, {ANYTHING}; give one"
        )
    least, most = _RANGES.get(kind, (-math.inf, math.inf))
    low, high = bounds.get("min_value", -math.inf), bounds.get("max_value", math.inf)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None  # dates and texts
    above = low < least or (low == least and not kwargs.get("strict_min"))
    below = high > most or (high == most and not kwargs.get("strict_max"))
    if above and below:
        given = ", ".join(f"{name} {value:g}" for name, value in bounds.items())
        return f"{given} excludes no value, {ANYTHING}; give a tighter bound"
    return None


def _free_set(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    argument = _FREE_WHEN_EMPTY.get(kind)
    if argument and not kwargs.get(argument):
        return f"{argument} is empty, {ANYTHING}; name what you mean"
    if kind == "expect_column_values_to_match_regex" and isinstance(kwargs.get("regex"), str):
        return _free_regex(kwargs["regex"])
    if kind == "expect_column_values_to_match_like_pattern" and set(str(kwargs.get("like_pattern"))) == {"%"}:
        return f"like_pattern matches every text, {ANYTHING}"
    return None


def _free_regex(regex: str) -> str | None:
    try:
        matches_nothing = re.match(regex, "") is not None
    except re.error as error:
        return f"regex {regex!r} cannot be read: {error}"
    if matches_nothing and not regex.endswith("$"):
        return (
            f"regex {regex!r} matches the empty text, and so the beginning of any, {ANYTHING}; end it with $"
        )
    return None
