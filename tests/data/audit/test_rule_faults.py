"""A rule that does not exist, or would hold for anything, is refused before any data are read."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from manifests import check, fact_rule, results, row, rows, rule, write_dataset, write_suite

from safe_data.audit.rule_faults import known_types, rule_fault
from safe_data.audit.suites import SUITES, load_suites

COUNT = "expect_column_unique_value_count_to_be_between"


@pytest.mark.parametrize(
    ("kind", "kwargs", "fault"),
    [
        ("expect_column_values_to_not_be_null", {"mostly": 0}, "mostly 0 is no share above 0"),
        ("expect_column_values_to_not_be_null", {"mostly": 0.0}, "would hold for anything"),
        ("expect_column_values_to_not_be_null", {"mostly": 1.5}, "mostly 1.5 is no share"),
        (COUNT, {"min_value": 0}, "min_value 0 excludes no value"),
        (COUNT, {"min_value": -3, "max_value": None}, "min_value -3 excludes no value"),
        (COUNT, {"min_value": None}, "min_value is null"),
        ("expect_table_row_count_to_be_between", {"min_value": 0, "max_value": None}, "excludes no value"),
        ("expect_column_value_lengths_to_be_between", {"min_value": 0}, "excludes no value"),
        (
            "expect_column_proportion_of_unique_values_to_be_between",
            {"min_value": 0, "max_value": 1},
            "min_value 0, max_value 1 excludes no value",
        ),
        ("expect_column_values_to_not_be_in_set", {"value_set": []}, "value_set is empty"),
        ("expect_column_distinct_values_to_contain_set", {"value_set": []}, "value_set is empty"),
        ("expect_column_values_to_match_regex", {"regex": ".*"}, "matches the empty text"),
        ("expect_column_values_to_match_regex", {"regex": ""}, "matches the empty text"),
        ("expect_column_values_to_match_regex", {"regex": "("}, "cannot be read"),
        ("expect_column_values_to_match_like_pattern", {"like_pattern": "%"}, "matches every text"),
        (
            "expect_column_max_to_be_betwen",
            {"max_value": 5},
            "did you mean 'expect_column_max_to_be_between'?",
        ),
        ("expect_column_values_not_null", {}, "did you mean 'expect_column_values_to_not_be_null'?"),
    ],
)
def test_a_rule_without_force_is_refused(kind: str, kwargs: dict[str, Any], fault: str) -> None:
    assert fault in (rule_fault(kind, kwargs) or "")


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_not_be_null", {"mostly": 0.01}),
        (COUNT, {"min_value": 0, "strict_min": True}),
        (COUNT, {"min_value": 0, "max_value": 9}),
        ("expect_column_max_to_be_between", {"min_value": 0}),
        ("expect_column_proportion_of_unique_values_to_be_between", {"max_value": 1, "strict_max": True}),
        ("expect_column_values_to_be_in_set", {"value_set": []}),
        ("expect_column_values_to_match_regex", {"regex": "^[a-z]*$"}),
        ("expect_column_max_to_be_between", {"min_value": "2026-01-01"}),
        ("unexpected_rows_expectation", {}),
    ],
)
def test_a_rule_that_can_fail_is_let_through(kind: str, kwargs: dict[str, Any]) -> None:
    assert rule_fault(kind, kwargs) is None


def test_the_committed_rules_are_known_and_have_force() -> None:
    rules = [rule for suite in load_suites(SUITES) for rule in suite.expectations]
    assert {rule.type for rule in rules} <= known_types()


def test_a_typo_is_told_with_the_nearest_name_in_a_second(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    typo = {**fact_rule("rows", min_value=1), "type": "expect_column_min_to_be_betwen"}
    suite = write_suite(tmp_path / "mine.json", typo)
    began = time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).with_name("safe-data"), "check", root, "--suite", suite],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert "did you mean 'expect_column_min_to_be_between'?" in done.stderr
    assert time.monotonic() - began < 5  # beside other tests; alone it takes half a second


@pytest.mark.parametrize("kwargs", [{"max_value": 3}, {"min_value": 0, "max_value": 3}])
def test_a_unique_count_over_nulls_alone_is_not_judged(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    bounds = {"min_value": None, "strict_min": False, "strict_max": False, **kwargs}
    few = write_suite(tmp_path / "mine.json", rule(COUNT, column="label", **bounds))
    assert check(write_dataset(tmp_path / "none", rows(4, label=None)), few) == 2
    assert "every label is null" in results(tmp_path / "none")["label"]["exception"]
    some = [row(0, label="bell"), row(1, "test", label=None)]
    assert check(write_dataset(tmp_path / "some", some), few) == 0


def test_a_rule_about_nulls_may_see_nothing_else(tmp_path: Path) -> None:
    share = rule(
        "expect_column_proportion_of_non_null_values_to_be_between",
        column="label", min_value=0.5, max_value=None, strict_min=False, strict_max=False,
    )  # fmt: skip
    suite = write_suite(tmp_path / "mine.json", share)
    assert check(write_dataset(tmp_path / "shards", rows(4, label=None)), suite) == 1
