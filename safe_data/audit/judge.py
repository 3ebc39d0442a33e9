"""Judge: what comes of each rule on a manifest and its facts.

This is stricter than Great Expectations: a null counts as a miss, and a rule that saw no row, raised, or gave
no result could not be judged.

Source: docs.greatexpectations.io on `mostly`, on missing values, and on severity.
Differs: Great Expectations leaves nulls out of the denominator of `mostly`, passes any rule on an empty
table, and drops an unknown type of expectation with a log line.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from safe_data.audit.corpus import Corpus
from safe_data.audit.expectations import Result, validate
from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.facts.fact import Fact, Offender
from safe_data.audit.rule_results import RuleResult
from safe_data.audit.suites import Expectation, Suite
from safe_data.core.errors import did_you_mean

ABOUT_NULLS = ("expect_column_to_exist", "expect_column_proportion_of_non_null_values_to_be_between")
ROW = "row of the corpus"  # a column that Great Expectations gives back, to name the rows that break a rule


def facts_named(suites: Sequence[Suite]) -> list[str]:
    """The facts that rules name, in the order in which they are listed; others are not computed."""
    rules = (rule for suite in suites for rule in suite.expectations if rule.meta.data == "facts")
    named = {column for rule in rules for column in rule.columns}
    return [name for name in FACTS if name in named]


def judge(suites: Sequence[Suite], corpus: Corpus, facts: Mapping[str, Fact]) -> list[RuleResult]:
    """One result per rule, in the order of the suites.

    Raises:
        InputError: Great Expectations is missing, or cannot read a rule.
    """
    rules = [rule for suite in suites for rule in suite.expectations]
    names = [suite.name for suite in suites for _ in suite.expectations]
    before = [_why_not_asked(rule, corpus.manifest, facts) for rule in rules]
    asked = [rule for rule, why_not in zip(rules, before, strict=True) if why_not is None]
    tables = _tables(asked, corpus.manifest, facts)
    looks_at = [_table_of(rule) for rule in asked]
    seen = iter(validate(asked, looks_at, tables, index_columns=[ROW]) if asked else [])
    return [
        _result(name, rule, next(seen) if why_not is None else None, why_not, tables, facts, corpus)
        for name, rule, why_not in zip(names, rules, before, strict=True)
    ]


def _tables(
    rules: Sequence[Expectation], manifest: pa.Table, facts: Mapping[str, Fact]
) -> dict[str, pa.Table]:
    """What the rules look at: the columns that they name, since a manifest may have a million rows."""
    needed = {column for rule in rules if not rule.about_table for column in rule.columns}
    columns = [column for column in manifest.schema.names if column in needed]
    rows = pa.array(np.arange(manifest.num_rows))
    return {
        "manifest": manifest.select(columns).append_column(ROW, rows),
        "facts": pa.table({name: pa.array([fact.value], pa.float64()) for name, fact in facts.items()}),
        "columns": manifest.slice(0, 1),  # all columns, for rules about which there are
    }


def _table_of(rule: Expectation) -> str:
    return "columns" if rule.about_table else rule.meta.data


def _why_not_asked(rule: Expectation, manifest: pa.Table, facts: Mapping[str, Fact]) -> str | None:
    """Why a rule cannot even be asked: what it is about does not exist, or has no value; else None."""
    if rule.meta.data == "facts":
        for name in rule.columns:
            if name not in facts and name in FACTS:
                return f"the fact {name} was not computed"
            if name not in facts:
                return f"no fact is named {name!r}; {did_you_mean(name, FACTS, 'see safe-data check --list')}"
            if facts[name].value is None:
                return f"{'not measured: ' if facts[name].applies else ''}{facts[name].why_not}"
        return None
    for name in rule.columns if not rule.about_table else ():
        if name not in (known := manifest.schema.names):
            hint = did_you_mean(name, known, "see safe-data check --list")
            return f"the manifest has no column {name!r}; {hint}"
    return None


def _result(
    suite: str,
    rule: Expectation,
    result: Result | None,
    why_not: str | None,
    tables: Mapping[str, pa.Table],
    facts: Mapping[str, Fact],
    corpus: Corpus,
) -> RuleResult:
    about = (suite, rule.type, rule.columns, rule.description, rule.severity, rule.bound)
    more: dict[str, Any] = {"data": rule.meta.data, "arguments": rule.kwargs}
    why_not = why_not or _why_not_judged(rule, result, tables[_table_of(rule)])
    if result is None or why_not:
        of = facts if rule.meta.data == "facts" else {}
        applies = all(of[name].applies for name in rule.columns if name in of)
        return RuleResult(*about, None, exception=why_not, applies=applies, **more)
    success, seen = bool(result["success"]), result["result"]
    if rule.meta.data == "facts" and len(rule.columns) == 1:
        fact = facts[rule.columns[0]]
        return RuleResult(*about, success, fact.value, fact.among, fact.offenders, detail=fact.detail, **more)
    if "element_count" in seen:
        rows = seen["element_count"]
        good = rows - seen["unexpected_count"] - seen.get("missing_count", 0)
        holds = success and good / rows >= rule.kwargs.get("mostly", 1)
        return RuleResult(*about, holds, good, rows, _offending_rows(rule, seen, corpus), **more)
    return RuleResult(*about, success, seen.get("observed_value"), **more)


def _why_not_judged(rule: Expectation, result: Result | None, table: pa.Table) -> str | None:
    """Why an expectation could not be judged: no result, an exception, or no value; else None."""
    if result is None:
        return "Great Expectations gave no result"
    info = result["exception_info"]
    for entry in [info] if "raised_exception" in info else info.values():
        if entry["raised_exception"]:
            return str(entry["exception_message"])
    seen = result["result"]
    if seen.get("element_count", 1) == 0:
        return "there was no value to look at"
    if rule.about_table or "element_count" in seen or rule.type in ABOUT_NULLS:
        return None
    present = [column for column in rule.columns if column in table.schema.names]
    empty = [column for column in present if table[column].null_count == table.num_rows]
    return f"there was no value to look at: every {empty[0]} is null" if empty else None


def _offending_rows(rule: Expectation, seen: Result, corpus: Corpus) -> tuple[Offender, ...]:
    rows = seen.get("partial_unexpected_index_list") or []
    whats = (", ".join(f"{name} {row.get(name)}" for name in rule.columns) for row in rows)
    wheres = (corpus.label(row[ROW]) for row in rows)
    return tuple(Offender(what, (where,)) for what, where in zip(whats, wheres, strict=True))
