"""Judge: what comes of each rule on a manifest and its facts.

This is stricter than Great Expectations: a null counts as a miss, and a rule that saw no row, raised, or gave
no result could not be judged.

Source: docs.greatexpectations.io on `mostly`, on missing values, and on severity.
Differs: Great Expectations leaves nulls out of the denominator of `mostly`, passes any rule on an empty
table, and drops an unknown type of expectation with a log line.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.expectations import Result, validate
from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, Offender
from safe_data.audit.rule_results import RuleResult
from safe_data.audit.suites import Expectation, Suite
from safe_data.core.errors import did_you_mean

ABOUT_NULLS = (
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_values_to_be_null",
    "expect_column_values_to_not_be_null",
)
_ALL_MISS: Result = {"success": False, "result": {"element_count": 0, "unexpected_count": 0}}  # all are null
_CANDIDATES = 1000  # rows that are looked at to name those that break a rule


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
    why_not = [_why_not_asked(rule, corpus.manifest, facts) for rule in rules]
    asked = [rule for rule, reason in zip(rules, why_not, strict=True) if reason is None]
    nulls = {key: mask for rule in asked for key, mask in _null_rows(rule, corpus.manifest)}
    tables = _tables(asked, corpus.manifest, facts, nulls)
    looks_at = [_table_of(rule, nulls) for rule in asked]
    seen = iter(validate(asked, looks_at, tables) if asked else [])
    results = []
    for name, rule, reason in zip(names, rules, why_not, strict=True):
        result = next(seen) if reason is None else None
        table = tables[_table_of(rule, nulls)]
        if result is not None and not table.num_rows and corpus.manifest.num_rows:
            result = _ALL_MISS
        else:
            reason = reason or _why_not_judged(rule, result, table)
        results.append(_result(name, rule, result, reason, facts, corpus, nulls.get(_complete(rule.columns))))
    return results


def _null_rows(rule: Expectation, manifest: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """The rows in which a column of a rule about values is null, if there are any: each is a miss.

    Great Expectations leaves them out or not, by the type of the rule, and so does not see them.
    """
    if rule.meta.data == "facts" or "mostly" not in rule.kwargs or rule.type in ABOUT_NULLS:
        return
    masks = [pc.is_null(manifest[name], nan_is_null=True) for name in rule.columns]
    mask = reduce(pc.or_, masks)
    if manifest.num_rows and pc.any(mask).as_py():
        yield _complete(rule.columns), mask


def _complete(columns: Sequence[str]) -> str:
    """The name of the table of records that have a value in every one of these columns."""
    return f"with {', '.join(columns)}"


def _tables(
    rules: Sequence[Expectation],
    manifest: pa.Table,
    facts: Mapping[str, Fact],
    nulls: Mapping[str, pa.ChunkedArray],
) -> dict[str, pa.Table]:
    """What the rules look at: the columns that they name, since a manifest may have a million rows."""
    of_manifest = [rule for rule in rules if rule.meta.data == "manifest" and not rule.about_table]

    def chosen(columns: set[str]) -> pa.Table:
        return manifest.select([name for name in manifest.schema.names if name in columns])

    complete = {
        key: chosen(set(rule.columns)).filter(pc.invert(nulls[key]))
        for rule in of_manifest
        if (key := _complete(rule.columns)) in nulls
    }
    return {
        "manifest": chosen({column for rule in of_manifest for column in rule.columns}),
        "facts": pa.table({name: pa.array([fact.value], pa.float64()) for name, fact in facts.items()}),
        "columns": manifest.slice(0, 1),  # all columns, for rules about which there are
        **complete,
    }


def _table_of(rule: Expectation, nulls: Mapping[str, pa.ChunkedArray]) -> str:
    if rule.about_table:
        return "columns"
    about_values = "mostly" in rule.kwargs and rule.type not in ABOUT_NULLS
    key = _complete(rule.columns)
    return key if about_values and rule.meta.data == "manifest" and key in nulls else rule.meta.data


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
    facts: Mapping[str, Fact],
    corpus: Corpus,
    nulls: pa.ChunkedArray | None,
) -> RuleResult:
    of = [facts[name] for name in rule.columns if name in facts] if rule.meta.data == "facts" else []
    given: dict[str, Any] = {
        "suite": suite,
        "expectation": rule.type,
        "columns": rule.columns,
        "description": rule.description,
        "severity": rule.severity,
        "bound": rule.bound,
        "data": rule.meta.data,
        "arguments": rule.kwargs,
    }
    if result is None or why_not:
        applies = all(fact.applies for fact in of)
        return RuleResult(**given, success=None, exception=why_not, applies=applies)
    success, seen = bool(result["success"]), result["result"]
    if rule.meta.data == "facts":
        return RuleResult(**given, success=success, **_of_facts(of))
    if "element_count" in seen:
        rows = corpus.manifest.num_rows
        good = seen["element_count"] - seen["unexpected_count"] - seen.get("missing_count", 0)
        holds = success and good / rows >= rule.kwargs.get("mostly", 1)
        offenders = (*_offending_rows(rule, seen, corpus), *_offending_nulls(rule, nulls, corpus))
        return RuleResult(
            **given, success=holds, observed=good, among=rows, offenders=offenders[:MOST_OFFENDERS]
        )
    return RuleResult(**given, success=success, observed=seen.get("observed_value"))


def _of_facts(named: Sequence[Fact]) -> dict[str, Any]:
    """What a result says of the facts that its rule names: the number of one, the values of several."""
    offenders = tuple(offender for fact in named for offender in fact.offenders)
    detail = "; ".join(fact.detail for fact in named if fact.detail)
    one = named[0] if len(named) == 1 else None
    observed = one.value if one else ", ".join(f"{fact.value:.6g}" for fact in named)
    return {
        "observed": observed,
        "among": one.among if one else None,
        "offenders": offenders,
        "detail": detail,
    }


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
    """The first records whose values Great Expectations found to break the rule; it would take minutes to
    name the rows itself, where a million of them do.
    """
    found = [_values(rule, value) for value in seen.get("partial_unexpected_list") or []]
    of = [corpus.manifest[name] for name in rule.columns]
    try:
        masks = [
            pc.is_in(column, pa.array([values[place] for values in found], column.type))
            for place, column in enumerate(of)
        ]
        rows = pc.indices_nonzero(reduce(pc.and_, masks)).slice(0, _CANDIDATES).to_pylist() if found else []
    except (pa.ArrowException, TypeError, IndexError):  # a value is shown in another form than it is stored
        return tuple(Offender(_what(rule, values), ()) for values in found)
    offenders = []
    for row in rows:
        values = tuple(column[row].as_py() for column in of)
        if values in found:
            offenders.append(Offender(_what(rule, values), (corpus.label(row),)))
    return tuple(offenders[:MOST_OFFENDERS])


def _values(rule: Expectation, value: Any) -> tuple[Any, ...]:
    """What Great Expectations shows of a row, as the values of the rule's columns."""
    if isinstance(value, dict):
        return tuple(value.get(name) for name in rule.columns)
    return tuple(value) if isinstance(value, list | tuple) and len(rule.columns) > 1 else (value,)


def _what(rule: Expectation, values: Sequence[Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(rule.columns, values, strict=False))


def _offending_nulls(
    rule: Expectation, nulls: pa.ChunkedArray | None, corpus: Corpus
) -> tuple[Offender, ...]:
    """The first records that miss a rule as they have no value."""
    if nulls is None or rule.type in ABOUT_NULLS or "mostly" not in rule.kwargs:
        return ()
    rows = pc.indices_nonzero(nulls).slice(0, MOST_OFFENDERS).to_pylist()
    return tuple(Offender(f"no {' or no '.join(rule.columns)}", (corpus.label(row),)) for row in rows)
