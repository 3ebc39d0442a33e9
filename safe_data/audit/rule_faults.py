"""What is wrong with a rule of a suite, before any data: its type, its arguments, its facts, or its force.

A rule that would hold for anything protects nothing, and looks like one that does. All of this is known
without loading Great Expectations, which takes seconds.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from safe_data.audit.rule_types import (
    COLUMN_ARGUMENTS,
    LISTS_OF_COLUMNS,
    REFUSED_TYPES,
    RULE_TYPES,
    completed,
)
from safe_data.core.errors import did_you_mean
from safe_data.shards import manifest

ANYTHING = "so it would hold for anything"
UNSET = ("row_condition", "condition_parser")  # arguments of Great Expectations that may be null here

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
_FRACTIONS = ("clipped_fraction", "silence_fraction")
_SIGNED = ("rms_db", "snr_db")  # columns that may be below 0
_SHARES = (  # facts
    "load_rate",
    "answer_prior",
    "annotated_aligned_rate",
    "annotated_mismatched_rate",
    "event_overlap",
    "speech_agreement",
    "transcript_agreement",
    "caption_match",
)
# Sets that forbid or demand nothing when they are empty.
_FREE_WHEN_EMPTY = {
    "expect_column_values_to_not_be_in_set": "value_set",
    "expect_column_distinct_values_to_contain_set": "value_set",
    "expect_column_values_to_match_regex_list": "regex_list",
    "expect_column_values_to_not_match_regex_list": "regex_list",
    "expect_column_values_to_match_json_schema": "json_schema",
    "expect_table_columns_to_match_set": "column_set",
    "expect_table_columns_to_match_ordered_list": "column_list",
}
# Rules that compare columns, and hold for a column and itself.
_NEED_TWO = (
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_compound_columns_to_be_unique",
    "expect_multicolumn_sum_to_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_select_column_values_to_be_unique_within_record",
)
# Short texts of all kinds: a pattern that is found in each is taken to be found in any.
_TEXTS = ("", "a", "Z9", " ", "\t", "0", "-1.5", "é", "中", "a b", "x\ny", "<&>", "/", "_", "\x00", "🔔")


def rule_fault(
    kind: str, kwargs: Mapping[str, Any], data: str = "manifest", facts: Iterable[str] | None = None
) -> str | None:
    """Why a rule of this type with these arguments is refused, or None.

    Args:
        kind: its type
        kwargs: the arguments that its suite gives
        data: what it looks at: manifest or facts
        facts: the names of all facts; None for any

    >>> rule_fault("expect_column_unique_value_count_to_be_between", {"column": "group", "min_value": 0})
    'min_value 0 excludes no value, so it would hold for anything; give a tighter bound'
    """
    if fault := _unknown_type(kind):
        return fault
    if fault := _wrong_arguments(kind, kwargs):
        return fault
    full = completed(kind, kwargs)
    if data == "facts" and (fault := _wrong_fact(kind, full, facts)):
        return fault
    for of in (_free_share, _free_bounds, _free_set, _free_pattern, _free_columns):
        if fault := of(kind, full, data):
            return fault
    return None


def columns_of(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that the arguments of a rule name."""
    named = [kwargs.get(argument) or [] for argument in COLUMN_ARGUMENTS]
    return tuple(str(name) for names in named for name in (names if isinstance(names, list) else [names]))


def _unknown_type(kind: str) -> str | None:
    if kind in RULE_TYPES:
        return None
    if kind in REFUSED_TYPES:
        return f"cannot be used: {REFUSED_TYPES[kind]}"
    near = did_you_mean(kind, RULE_TYPES, "expectations/README.md lists the types")
    return f"Great Expectations has no such type; {near}"


def _wrong_arguments(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    known = RULE_TYPES[kind].arguments
    if kwargs.get("row_condition") is not None:
        return "row_condition is evaluated as code, and may choose no row at all; state a rule for all rows"
    for name in kwargs:
        if name not in known and not (name in UNSET and kwargs[name] is None):
            near = did_you_mean(name, known, f"it has {', '.join(known)}")
            return f"has no argument {name!r}; {near}"
    missing = [name for name in RULE_TYPES[kind].needs if name not in kwargs]
    if missing:
        return f"has no {missing[0]!r}; add it"
    for name in set(COLUMN_ARGUMENTS).intersection(kwargs):
        names = kwargs[name] if name in LISTS_OF_COLUMNS else [kwargs[name]]
        if not isinstance(names, list) or not all(isinstance(one, str) and one for one in names):
            what = "columns in a list" if name in LISTS_OF_COLUMNS else "a column"
            return f"{name} is {kwargs[name]!r}; name {what}"
    ignore = RULE_TYPES[kind].defaults.get("ignore_row_if")
    if kwargs.get("ignore_row_if", ignore) != ignore:
        return "ignore_row_if leaves out rows, perhaps all of them; leave it out, as a null is a miss"
    return None


def _wrong_fact(kind: str, kwargs: Mapping[str, Any], facts: Iterable[str] | None) -> str | None:
    if not RULE_TYPES[kind].of_one_row:
        return f"looks at many rows, and facts have one, {ANYTHING}; bound the fact by min_value or max_value"
    for name in columns_of(kwargs) if facts is not None else ():
        if name not in (known := tuple(facts or ())):
            return f"no fact is named {name!r}; {did_you_mean(name, known, 'see safe-data check --list')}"
    return None


def _free_share(_: str, kwargs: Mapping[str, Any], __: str) -> str | None:
    mostly = kwargs.get("mostly", 1)
    if isinstance(mostly, bool) or not isinstance(mostly, int | float):
        return f"mostly {mostly!r} is no number; give a share above 0 and up to 1"
    if not 0 < mostly <= 1:
        return f"mostly {mostly:g} is no share above 0 and up to 1; at 0 no row need be right, {ANYTHING}"
    return None


def _free_bounds(kind: str, kwargs: Mapping[str, Any], data: str) -> str | None:
    if kind == "expect_column_quantile_values_to_be_between":
        return _free_quantiles(kwargs)
    if "min_value" not in kwargs:
        return None
    bounds = {name: kwargs[name] for name in ("min_value", "max_value") if kwargs[name] is not None}
    if not bounds:
        return f"min_value and max_value are both null, {ANYTHING}; give one"
    wrong = [
        f"{name} {value!r}" for name, value in bounds.items() if not _is_bound(value, kind, kwargs, data)
    ]
    if wrong:
        return f"{wrong[0]} is no number; write one without quotes"
    low, high = bounds.get("min_value", -math.inf), bounds.get("max_value", math.inf)
    if isinstance(low, str) or isinstance(high, str):
        return None  # dates and texts
    given = ", ".join(f"{name} {value:g}" for name, value in bounds.items())
    strict = bool(kwargs.get("strict_min")), bool(kwargs.get("strict_max"))
    if low > high or (low == high and any(strict)):
        return f"{given} has no value between; mind their order"
    if _excludes_nothing(low, high, strict, _range(kind, kwargs, data)):
        return f"{given} excludes no value, {ANYTHING}; give a tighter bound"
    return None


def _free_quantiles(kwargs: Mapping[str, Any]) -> str | None:
    ranges = kwargs["quantile_ranges"]
    pairs = ranges.get("value_ranges") if isinstance(ranges, dict) else None
    quantiles = ranges.get("quantiles") if isinstance(ranges, dict) else None
    if not isinstance(pairs, list) or not isinstance(quantiles, list) or len(pairs) != len(quantiles):
        return "quantile_ranges needs quantiles and value_ranges, two lists of the same length"
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(_is_number_or_null(end) for end in pair):
            return f"value range {pair!r} is no pair of numbers; null leaves an end open"
    ends = [(-math.inf if low is None else low, math.inf if high is None else high) for low, high in pairs]
    whole = _range("", kwargs, "manifest")
    if all(_excludes_nothing(low, high, (False, False), whole) for low, high in ends):
        return f"quantile_ranges exclude no value, {ANYTHING}; give a tighter one"
    return None


def _is_number_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_bound(value: Any, kind: str, kwargs: Mapping[str, Any], data: str) -> bool:
    """Whether a bound has the type of what it bounds; where that may be text or a time, a text will do."""
    may_be_text = kind not in _RANGES and data == "manifest" and not _is_numeric(kwargs.get("column"))
    return _is_number_or_null(value) or (isinstance(value, str) and may_be_text)


def _is_numeric(column: str | None) -> bool:
    if column not in manifest.SCHEMA.names:
        return False
    kind = manifest.SCHEMA.field(column).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _range(kind: str, kwargs: Mapping[str, Any], data: str) -> tuple[float, float]:
    """The smallest and the largest value of what a rule bounds."""
    if kind in _RANGES:
        return _RANGES[kind]
    column = kwargs.get("column")
    is_fraction = column in (*_FRACTIONS, *_SHARES) and "_sum_" not in kind
    is_count = column not in _SIGNED and (data == "facts" or _is_numeric(column))
    return (0 if is_fraction or is_count else -math.inf), (1 if is_fraction else math.inf)


def _excludes_nothing(low: float, high: float, strict: tuple[bool, bool], whole: tuple[float, float]) -> bool:
    least, most = whole
    above = low < least or (low == least and (not strict[0] or low == -math.inf))
    below = high > most or (high == most and (not strict[1] or high == math.inf))
    return above and below


def _free_set(kind: str, kwargs: Mapping[str, Any], data: str) -> str | None:
    argument = _FREE_WHEN_EMPTY.get(kind)
    if argument and (not kwargs[argument] or kwargs[argument] is True):
        return f"{argument} is empty, {ANYTHING}; name what you mean"
    for name in ("value_set", "value_pairs_set"):
        if name in kwargs and not (isinstance(kwargs[name], list) and kwargs[name]):
            return f"{name} is {kwargs[name]!r}; name one value or more, in a list"
    is_number = data == "facts" or _is_numeric(kwargs.get("column"))
    if is_number and not all(_is_number_or_null(value) for value in kwargs.get("value_set", [])):
        return f"value_set is {kwargs['value_set']!r}; name numbers, without quotes"
    column = kwargs.get("column")
    is_flag = column in manifest.SCHEMA.names and pa.types.is_boolean(manifest.SCHEMA.field(column).type)
    if kind.endswith("to_be_in_set") and is_flag and {True, False} <= _hashable(kwargs["value_set"]):
        return f"value_set has both values of {column}, {ANYTHING}; name one"
    if kwargs.get("column_index") is not None:
        return "column_index is not looked at by Great Expectations; leave it out"
    if kwargs.get("threshold", 0) is None:
        return f"threshold is null, {ANYTHING}; give one"
    return None


def _hashable(values: Any) -> set[Any]:
    return {value for value in values if isinstance(value, bool)} if isinstance(values, list) else set()


def _free_pattern(kind: str, kwargs: Mapping[str, Any], _: str) -> str | None:
    patterns = kwargs.get("regex_list", [kwargs["regex"]] if "regex" in kwargs else [])
    if not isinstance(patterns, list):
        return f"regex_list is {patterns!r}; give a list"
    found: list[Callable[[str], Any]] = []
    for pattern in patterns:
        try:
            found.append(re.compile(pattern).search)
        except (re.error, TypeError) as error:
            return f"regex {pattern!r} cannot be read: {error}"
    if "_not_match_" in kind or not patterns:
        return None
    free = [all(search(text) for text in _TEXTS) for search in found]
    if all(free) if kwargs.get("match_on") == "all" else any(free):
        shown = patterns[free.index(True)]
        return f"regex {shown!r} is found in any text, {ANYTHING}; put ^ before it and $ behind it"
    return None


def _free_columns(kind: str, kwargs: Mapping[str, Any], _: str) -> str | None:
    if kind in _NEED_TWO and len(set(columns_of(kwargs))) < 2:
        return "is about several columns, and compares no column with itself; name two or more"
    return None
