"""Rule types: which of Great Expectations' types a suite may use, with all arguments and their defaults.

The table is ours, so that a rule is read and completed without loading Great Expectations, which takes
seconds, and so that no change of its defaults affects a suite.

Source: the expectations of Great Expectations 1.24, `great_expectations/expectations/core`.
Differs: `ignore_row_if` leaves out no row, since a null is a miss; `double_sided` and `or_equal` have
defaults.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")
LISTS_OF_COLUMNS = ("column_list", "column_set")

_BOUNDS = {"min_value": None, "max_value": None, "strict_min": False, "strict_max": False}
_SHARE = {"mostly": 1.0}
_PAIR_NULLS_COUNT, _NULLS_COUNT = {"ignore_row_if": "neither"}, {"ignore_row_if": "never"}


class RuleType(NamedTuple):
    """The arguments that a type needs, those it may have with their defaults, and what it is about.

    `of_one_row`: whether it says something about the only row that facts have. `of_table`: whether it is
    about the columns that there are, and not about what is in them.
    """

    needs: tuple[str, ...]
    defaults: Mapping[str, Any]
    of_one_row: bool = False
    of_table: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of all arguments."""
        return (*self.needs, *self.defaults)


def _bounded(*, of_one_row: bool = False) -> RuleType:
    return RuleType(("column",), _BOUNDS, of_one_row)


def _values(*needs: str, of_one_row: bool = False, **defaults: Any) -> RuleType:
    return RuleType(("column", *needs), {**defaults, **_SHARE}, of_one_row)


def _values_bounded(*, of_one_row: bool = False) -> RuleType:
    return RuleType(("column",), {**_BOUNDS, **_SHARE}, of_one_row)


def _distinct() -> RuleType:
    return RuleType(("column", "value_set"), {}, of_one_row=True)


def _pair(*needs: str, **defaults: Any) -> RuleType:
    return RuleType(
        ("column_A", "column_B", *needs), {**defaults, **_PAIR_NULLS_COUNT, **_SHARE}, of_one_row=True
    )


def _columns(*needs: str) -> RuleType:
    return RuleType(("column_list", *needs), {**_NULLS_COUNT, **_SHARE})


RULE_TYPES: Mapping[str, RuleType] = {
    "expect_column_distinct_values_to_be_in_set": _distinct(),
    "expect_column_distinct_values_to_contain_set": _distinct(),
    "expect_column_distinct_values_to_equal_set": _distinct(),
    "expect_column_kl_divergence_to_be_less_than": RuleType(
        ("column", "partition_object", "threshold"),
        {"tail_weight_holdout": 0, "internal_weight_holdout": 0, "bucketize_data": True},
    ),
    "expect_column_max_to_be_between": _bounded(of_one_row=True),
    "expect_column_mean_to_be_between": _bounded(of_one_row=True),
    "expect_column_median_to_be_between": _bounded(of_one_row=True),
    "expect_column_min_to_be_between": _bounded(of_one_row=True),
    "expect_column_most_common_value_to_be_in_set": RuleType(("column", "value_set"), {"ties_okay": False}),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(or_equal=False),
    "expect_column_pair_values_to_be_equal": _pair(),
    "expect_column_pair_values_to_be_in_set": _pair("value_pairs_set"),
    "expect_column_proportion_of_non_null_values_to_be_between": _bounded(),
    "expect_column_proportion_of_unique_values_to_be_between": _bounded(),
    "expect_column_quantile_values_to_be_between": RuleType(
        ("column", "quantile_ranges"), {"allow_relative_error": False}
    ),
    "expect_column_stdev_to_be_between": _bounded(),
    "expect_column_sum_to_be_between": _bounded(of_one_row=True),
    "expect_column_to_exist": RuleType(("column",), {"column_index": None}, of_table=True),
    "expect_column_unique_value_count_to_be_between": _bounded(),
    "expect_column_value_lengths_to_be_between": _values_bounded(),
    "expect_column_value_lengths_to_equal": _values("value"),
    "expect_column_value_z_scores_to_be_less_than": _values("threshold", double_sided=True),
    "expect_column_values_to_be_between": _values_bounded(of_one_row=True),
    "expect_column_values_to_be_dateutil_parseable": _values(),
    "expect_column_values_to_be_decreasing": _values(strictly=False),
    "expect_column_values_to_be_in_set": _values("value_set", of_one_row=True),
    "expect_column_values_to_be_increasing": _values(strictly=False),
    "expect_column_values_to_be_json_parseable": _values(),
    "expect_column_values_to_be_null": _values(),
    "expect_column_values_to_be_unique": _values(),
    "expect_column_values_to_match_json_schema": _values("json_schema"),
    "expect_column_values_to_match_regex": _values("regex"),
    "expect_column_values_to_match_regex_list": _values("regex_list", match_on="any"),
    "expect_column_values_to_match_strftime_format": _values("strftime_format"),
    "expect_column_values_to_not_be_in_set": _values("value_set", of_one_row=True),
    "expect_column_values_to_not_be_null": _values(),
    "expect_column_values_to_not_be_outliers": _values(method="iqr", multiplier=1.5),
    "expect_column_values_to_not_match_regex": _values("regex"),
    "expect_column_values_to_not_match_regex_list": _values("regex_list"),
    "expect_compound_columns_to_be_unique": _columns(),
    "expect_multicolumn_sum_to_equal": _columns("sum_total"),
    "expect_multicolumn_values_to_be_equal": _columns(),
    "expect_select_column_values_to_be_unique_within_record": _columns(),
    "expect_table_column_count_to_be_between": RuleType(
        (), {"min_value": None, "max_value": None}, of_table=True
    ),
    "expect_table_column_count_to_equal": RuleType(("value",), {}, of_table=True),
    "expect_table_columns_to_match_ordered_list": RuleType(("column_list",), {}, of_table=True),
    "expect_table_columns_to_match_set": RuleType(("column_set",), {"exact_match": True}, of_table=True),
    "expect_table_row_count_to_be_between": RuleType((), _BOUNDS),
    "expect_table_row_count_to_equal": RuleType(("value",), {}),
}

_PANDAS_TYPE = "it sees the type that pandas chose, not the manifest's; the fact wrong_columns compares that"
_DATABASE = "it asks a database, and a manifest is none"
# Types that Great Expectations has and that a suite may not use, with the reason.
REFUSED_TYPES: Mapping[str, str] = {
    "expect_column_type_to_be": _PANDAS_TYPE,
    "expect_column_values_to_be_in_type_list": _PANDAS_TYPE,
    "expect_column_values_to_be_of_type": _PANDAS_TYPE,
    "expect_column_values_to_match_like_pattern": f"{_DATABASE}; take a regex",
    "expect_column_values_to_match_like_pattern_list": f"{_DATABASE}; take a list of regexes",
    "expect_column_values_to_not_match_like_pattern": f"{_DATABASE}; take a regex",
    "expect_column_values_to_not_match_like_pattern_list": f"{_DATABASE}; take a list of regexes",
    "expect_query_results_to_match_comparison": _DATABASE,
    "expect_table_row_count_to_equal_other_table": _DATABASE,
    "unexpected_rows_expectation": f"{_DATABASE}, in SQL that a suite would run",
}


def completed(kind: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a rule of a known type: the given ones, and the defaults of the others.

    >>> completed("expect_column_values_to_be_unique", {"column": "id"})
    {'column': 'id', 'mostly': 1.0}
    """
    of = RULE_TYPES[kind]
    return {name: kwargs.get(name, of.defaults.get(name)) for name in of.arguments}
