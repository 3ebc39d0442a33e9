"""A rule that does not exist, or would hold for anything, is refused before any data are read."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import check, fact_rule, results, row, rows, rule, write_dataset, write_suite

from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.rule_faults import rule_fault
from safe_data.audit.rule_types import COLUMN_ARGUMENTS, REFUSED_TYPES, RULE_TYPES, completed
from safe_data.audit.suites import load_suites

COUNT = "expect_column_unique_value_count_to_be_between"
MAX = "expect_column_max_to_be_between"
REGEX = "expect_column_values_to_match_regex"
LIST = "expect_column_values_to_match_regex_list"
QUANTILES = "expect_column_quantile_values_to_be_between"
ID = {"column": "id"}
TWICE = {"column_A": "id", "column_B": "id"}


@pytest.mark.parametrize(
    ("kind", "kwargs", "fault"),
    [
        ("expect_column_values_to_not_be_null", {**ID, "mostly": 0}, "mostly 0 is no share above 0"),
        ("expect_column_values_to_not_be_null", {**ID, "mostly": 0.0}, "would hold for anything"),
        ("expect_column_values_to_not_be_null", {**ID, "mostly": 1.5}, "mostly 1.5 is no share"),
        ("expect_column_values_to_not_be_null", {**ID, "mostly": "all"}, "mostly 'all' is no number"),
        (COUNT, {**ID, "min_value": 0}, "min_value 0 excludes no value"),
        (COUNT, {**ID, "min_value": -3, "max_value": None}, "min_value -3 excludes no value"),
        (COUNT, {**ID, "min_value": None}, "are both null"),
        (COUNT, ID, "min_value and max_value are both null, so it would hold for anything; give one"),
        (COUNT, {**ID, "min_value": 9, "max_value": 3}, "has no value between; mind their order"),
        (COUNT, {**ID, "min_value": "3"}, "min_value '3' is no number; write one without quotes"),
        (MAX, {"column": "duration_seconds", "max_value": {"$PARAMETER": "most"}}, "is no number"),
        ("expect_table_row_count_to_be_between", {"min_value": 0, "max_value": None}, "excludes no value"),
        ("expect_column_value_lengths_to_be_between", {**ID, "min_value": 0}, "excludes no value"),
        (
            "expect_column_proportion_of_unique_values_to_be_between",
            {**ID, "min_value": 0, "max_value": 1},
            "min_value 0, max_value 1 excludes no value",
        ),
        ("expect_column_min_to_be_between", {"column": "duration_seconds", "min_value": 0}, "excludes no"),
        (MAX, {"column": "silence_fraction", "max_value": 1}, "excludes no value"),
        (QUANTILES, {**ID, "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[None, None]]}}, "excl"),
        (QUANTILES, {**ID, "quantile_ranges": {"quantiles": [0.5], "value_ranges": []}}, "the same length"),
        ("expect_column_values_to_not_be_in_set", {**ID, "value_set": []}, "value_set is empty"),
        ("expect_column_distinct_values_to_contain_set", {**ID, "value_set": []}, "value_set is empty"),
        (
            "expect_column_values_to_be_in_set",
            {"column": "has_audio", "value_set": [False, True]},
            "value_set has both values of has_audio",
        ),
        ("expect_column_values_to_be_in_set", {**ID, "value_set": []}, "name one value or more, in a list"),
        ("expect_column_values_to_be_in_set", {**ID, "value_set": "ok"}, "value_set is 'ok'; name one value"),
        (REGEX, {**ID, "regex": ".*"}, "is found in any text"),
        (REGEX, {**ID, "regex": ""}, "is found in any text"),
        (REGEX, {**ID, "regex": "[a-z]*$"}, "is found in any text"),
        (REGEX, {**ID, "regex": "("}, "cannot be read"),
        (LIST, {**ID, "regex_list": []}, "regex_list is empty"),
        (LIST, {**ID, "regex_list": ["^a$", "x?"]}, "regex 'x?' is found in any text"),
        ("expect_column_values_to_match_json_schema", {**ID, "json_schema": {}}, "json_schema is empty"),
        ("expect_table_columns_to_match_set", {"column_set": [], "exact_match": False}, "is empty"),
        ("expect_column_pair_values_to_be_equal", TWICE, "compares no column with itself"),
        ("expect_multicolumn_values_to_be_equal", {"column_list": ["id"]}, "compares no column with itself"),
        (
            "expect_column_pair_values_to_be_equal",
            {**TWICE, "ignore_row_if": "either_value_is_missing"},
            "per",
        ),
        (
            "expect_column_values_to_be_of_type",
            {**ID, "type_": "str"},
            "the fact wrong_columns compares that",
        ),
        ("expect_column_values_to_match_like_pattern", {**ID, "like_pattern": "%"}, "it asks a database"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT 1"}, "it asks a database"),
        (MAX, {**ID, "max_vlaue": 3}, "has no argument 'max_vlaue'; did you mean 'max_value'?"),
        (MAX, {"max_value": 3}, "has no 'column'; add it"),
        (MAX, {"column": ["id"], "max_value": 3}, "column is ['id']; name a column"),
        (MAX, {"column": "id", "row_condition": "1", "max_value": 3}, "row_condition is evaluated as code"),
        ("expect_column_max_to_be_betwen", {}, "did you mean 'expect_column_max_to_be_between'?"),
        ("expect_column_values_not_null", {}, "did you mean 'expect_column_values_to_not_be_null'?"),
    ],
)
def test_a_rule_without_force_is_refused(kind: str, kwargs: dict[str, Any], fault: str) -> None:
    assert fault in (rule_fault(kind, kwargs) or "")


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_not_be_null", {**ID, "mostly": 0.01}),
        (COUNT, {**ID, "min_value": 0, "strict_min": True}),
        (COUNT, {**ID, "min_value": 0, "max_value": 9}),
        (COUNT, {**ID, "max_value": 9, "row_condition": None}),
        (MAX, {"column": "rms_db", "min_value": 0}),
        (MAX, {"column": "label", "min_value": "a"}),
        (MAX, {"column": "my_date", "min_value": "2026-01-01"}),
        ("expect_column_sum_to_be_between", {"column": "silence_fraction", "max_value": 1}),
        ("expect_column_values_to_be_in_set", {"column": "has_audio", "value_set": [True]}),
        (REGEX, {**ID, "regex": "^[a-z]*$"}),
        (LIST, {**ID, "regex_list": ["^a$", "x?"], "match_on": "all"}),
    ],
)
def test_a_rule_that_can_fail_is_let_through(kind: str, kwargs: dict[str, Any]) -> None:
    assert rule_fault(kind, kwargs) is None


@pytest.mark.parametrize(
    ("kind", "kwargs", "fault"),
    [
        ("expect_column_values_to_be_unique", {}, "looks at many rows, and facts have one"),
        ("expect_column_values_to_not_be_null", {}, "looks at many rows"),
        ("expect_column_to_exist", {}, "looks at many rows"),
        ("expect_column_min_to_be_between", {"min_value": 0}, "min_value 0 excludes no value"),
        (
            MAX,
            {"column": "duplicate_idz", "max_value": 0},
            "no fact is named 'duplicate_idz'; did you mean 'dup",
        ),
        (MAX, {"max_value": "0"}, "max_value '0' is no number"),
    ],
)
def test_a_rule_about_a_fact_that_cannot_fail_is_refused(
    kind: str, kwargs: dict[str, Any], fault: str
) -> None:
    assert fault in (rule_fault(kind, {"column": "rows", **kwargs}, "facts", FACTS) or "")


def test_the_table_of_types_is_that_of_great_expectations() -> None:
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    ours = {*RULE_TYPES, *REFUSED_TYPES}
    assert ours == {name for name in list_registered_expectation_implementations() if name in ours}
    for name, of in RULE_TYPES.items():
        kind = get_expectation_impl(name)
        fields = kind.__fields__
        assert set(of.arguments) >= set(kind.success_keys), name
        for argument in of.needs:
            assert argument in fields, (name, argument)
        for argument, default in of.defaults.items():
            theirs = fields[argument].default if argument in fields else None
            stricter = {"ignore_row_if", "ties_okay", "strictly", "or_equal", "double_sided"}
            assert argument in stricter or default == theirs, (name, argument, theirs)


def test_a_typo_is_told_with_the_nearest_name_in_a_second(tmp_path: Path) -> None:
    typo = {**fact_rule("rows", min_value=1), "type": "expect_column_min_to_be_betwen"}
    suite = write_suite(tmp_path / "mine.json", typo, fact_rule("duplicate_idz", max_value=0))
    began = os.times()
    done = subprocess.run(
        [Path(sys.executable).with_name("safe-data"), "check", tmp_path / "none", "--suite", suite],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert "did you mean 'expect_column_min_to_be_between'?" in done.stderr
    assert "no fact is named 'duplicate_idz'; did you mean 'duplicate_ids'?" in done.stderr
    ended = os.times()  # of the processor, as other work on the machine does not count
    seconds = ended.children_user + ended.children_system - began.children_user - began.children_system
    assert seconds < 2.5, "Great Expectations alone takes three"


@pytest.mark.parametrize("kwargs", [{"max_value": 3}, {"min_value": 0, "max_value": 3}])
def test_a_unique_count_over_nulls_alone_is_not_judged(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    few = write_suite(tmp_path / "mine.json", rule(COUNT, column="label", **kwargs))
    assert check(write_dataset(tmp_path / "none", rows(4, label=None)), few) == 2
    assert "every label is null" in results(tmp_path / "none")["label"]["exception"]
    some = [row(0, label="bell"), row(1, "test", label=None)]
    assert check(write_dataset(tmp_path / "some", some), few) == 0


def test_a_rule_about_nulls_may_see_nothing_else(tmp_path: Path) -> None:
    share = rule("expect_column_proportion_of_non_null_values_to_be_between", column="label", min_value=0.5)
    suite = write_suite(tmp_path / "mine.json", share)
    assert check(write_dataset(tmp_path / "shards", rows(4, label=None)), suite) == 1


def test_arguments_have_defaults_and_a_result_states_all(tmp_path: Path) -> None:
    short = {"type": MAX, "kwargs": {"column": "rows", "max_value": 9}, "meta": {"data": "facts"}}
    root = write_dataset(tmp_path / "shards", rows(4))
    assert check(root, write_suite(tmp_path / "mine.json", short)) == 0
    found = results(root)["rows"]
    expected = {"column": "rows", "min_value": None, "max_value": 9, "strict_min": False, "strict_max": False}
    assert found["arguments"] == expected
    assert (found["severity"], found["bound"]) == ("critical", "≤ 9")
    assert found["description"] == f"{MAX} of rows"


def test_the_committed_rules_have_force() -> None:
    rules = [rule for suite in load_suites() for rule in suite.expectations]
    assert len(rules) > 20
    assert [rule for rule in rules if rule_fault(rule.type, rule.kwargs, rule.meta.data, FACTS)] == []


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted({**RULE_TYPES, **REFUSED_TYPES, "expect_column_max": ""})),
    kwargs=st.dictionaries(
        st.sampled_from(
            ["column", *COLUMN_ARGUMENTS, "min_value", "max_value", "value_set", "regex", "mostly"]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-2, 2)
            | st.floats(allow_nan=False)
            | st.sampled_from(["id", "("]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner),
            max_leaves=4,
        ),
    ),
    data=st.sampled_from(["manifest", "facts"]),
)
def test_any_rule_is_refused_in_words_or_complete(kind: str, kwargs: dict[str, Any], data: str) -> None:
    fault = rule_fault(kind, kwargs, data, FACTS)
    assert fault is None or (isinstance(fault, str) and fault)
    if fault is None:
        assert set(completed(kind, kwargs)) == set(RULE_TYPES[kind].arguments)
