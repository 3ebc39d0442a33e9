"""Great Expectations itself on columns of every kind: no rule that is let through holds for all of them."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from manifests import corpus_of

from safe_data.audit.facts.fact import Fact
from safe_data.audit.judge import judge
from safe_data.audit.rule_faults import rule_fault
from safe_data.audit.rule_types import RULE_TYPES, completed
from safe_data.audit.suites import Expectation, Meta, Suite
from safe_data.shards import manifest

BOUNDS: list[dict[str, Any]] = [
    {"min_value": low, "max_value": high, "strict_min": strict, "strict_max": strict}
    for low, high in ((None, 0), (0, None), (0, 1), (None, 1), (-1, 5), (1, None))
    for strict in (False,)
]
SETS: list[list[Any]] = [[], ["a"], [True, False], [0, 1]]
# What each argument is tried with; the columns of a rule are those of the probes.
TRIED: dict[str, list[Any]] = {
    "mostly": [0, 1e-9, 2],
    "value_set": SETS,
    "value_pairs_set": [[], [["a", "b"]]],
    "regex": ["", ".*", "x*$", "^a$", "a"],
    "regex_list": [[], [".*"], ["^a$", ""], ["^a$"]],
    "match_on": ["any", "all"],
    "value": [0, 1, 7],
    "threshold": [None, 0, 1],
    "json_schema": [{}, {"type": "object"}],
    "strftime_format": ["%Y"],
    "sum_total": [0, 5],
    "quantile_ranges": [
        {"quantiles": [0.5], "value_ranges": [[None, None]]},
        {"quantiles": [0.5], "value_ranges": [[0, 1]]},
    ],
    "ignore_row_if": ["never", "both_values_are_missing", "all_values_are_missing"],
    "column_index": [None, 0],
    "exact_match": [False, True],
    "column_set": [[], ["a column"]],
    "column_list": [[], ["a column"], ["a column", "another"]],
}
PARTITION = {"values": ["a", "b"], "weights": [0.5, 0.5]}


def tried(kind: str) -> list[dict[str, Any]]:
    """Arguments of a type, each varied alone from the first that is let through."""
    of = RULE_TYPES[kind]
    names = {"column": "probe", "column_A": "probe", "column_B": "other", "column_list": ["probe", "other"]}
    start: dict[str, Any] = {name: names.get(name, (TRIED.get(name) or [None])[-1]) for name in of.needs}
    if kind == "expect_column_kl_divergence_to_be_less_than":
        start["partition_object"] = PARTITION
    variants = [start]
    variants += [{**start, name: value} for name in of.arguments for value in TRIED.get(name, [])]
    if "min_value" in of.defaults:
        kept = set(of.defaults)
        variants += [{**start, **{n: v for n, v in bounds.items() if n in kept}} for bounds in BOUNDS]
    return variants


def rules(data: str) -> list[Expectation]:
    """Every variant of every type that is let through."""
    made = {}
    for kind in RULE_TYPES:
        for kwargs in tried(kind):
            if rule_fault(kind, kwargs, data, ["probe", "other"]) is None:
                full = completed(kind, kwargs)
                made[f"{kind} {full}"] = Expectation(kind, full, Meta(data), "critical", repr(full))  # type: ignore[arg-type]
    return list(made.values())


def column(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


PROBES = {
    "numbers": column([-3.0, 0.5, 2.0, 1e6], pa.float64()),
    "low numbers": column([-1e6, -1e6, -5.0, -7.0], pa.float64()),
    "few numbers": column([9.0, None, None, None], pa.float64()),
    "equal numbers": column([7.0, 7.0, 7.0, 7.0], pa.float64()),
    "texts": column(["a", "b", "{}", ""], pa.string()),
    "long texts": column(["zz zz zz", "zz zz zz", "12345678", "\n"], pa.string()),
    "flags": column([True, False, True, None], pa.bool_()),
    "many numbers": column([*range(20)], pa.float64()),
    "nulls": column([None] * 4, pa.string()),
}


def table_of(probe: pa.Array) -> pa.Table:
    """A manifest of four records with a probe, and with another column that is as different as can be."""
    rows = manifest.table([manifest.Row(
        index=index, id=f"c{index}", dataset="d", split="train", group="g", status="ok", shard="s"
    ) for index in range(len(probe))])  # fmt: skip
    is_equal = probe == PROBES["equal numbers"]
    other = probe if is_equal else pa.array(np.arange(len(probe)) * 1000.0 + 2000.0)
    return rows.append_column("probe", probe).append_column("other", other)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[bool | None]]:
    """Of every rule, whether it holds on each probe."""
    found: dict[str, list[bool | None]] = {}
    suite = Suite("probes", rules("manifest"))
    for probe in PROBES.values():
        for one in judge([suite], corpus_of(table_of(probe)), {}):
            found.setdefault(f"{one.expectation} {one.description}", []).append(one.success)
    return found


@pytest.mark.slow
def test_no_rule_holds_for_every_column(outcomes: dict[str, list[bool | None]]) -> None:
    assert len(outcomes) > 100
    always = [name for name, holds in outcomes.items() if all(holds)]
    # A table without rows or columns is no dataset, and refused before.
    may = r"expect_table_\w+_count.*'min_value': [01]|expect_column_to_exist"  # the probe is always there
    assert [name for name in always if not re.match(may, name)] == []


@pytest.mark.slow
def test_no_rule_but_one_about_nulls_or_columns_holds_for_nulls_alone(
    outcomes: dict[str, list[bool | None]],
) -> None:
    last = list(PROBES).index("nulls")
    may = ("non_null", "values_to_be_null", "expect_table", "expect_column_to_exist")
    green = [name for name, holds in outcomes.items() if holds[last]]
    assert green
    assert [name for name in green if not any(word in name for word in may)] == []


def test_no_rule_about_a_fact_holds_for_every_number() -> None:
    suite = Suite("probes", rules("facts"))
    assert len(suite.expectations) > 30
    outcomes = []
    for value, other in [(0.0, 9e9), (0.3, 9e9), (1.0, 0.0), (7.0, 7.5), (1e9, 7.0)]:
        facts = {"probe": Fact(value), "other": Fact(other)}
        results = judge([suite], corpus_of(table_of(PROBES["texts"])), facts)
        outcomes.append([one.success for one in results])
    names = [f"{rule.type} {rule.description}" for rule in suite.expectations]
    holds = zip(names, zip(*outcomes, strict=True), strict=True)
    assert [name for name, of_rule in holds if all(of_rule)] == []
