"""Check a dataset: Great Expectations judges the manifest's rows and the facts computed from them.

This is stricter than Great Expectations: a null counts as a miss, and a rule that saw no row, raised, or gave
no result could not be judged. Warnings alone leave the exit code at 0.

Source: docs.greatexpectations.io on `mostly`, on missing values, and on severity.
Differs: Great Expectations leaves nulls out of the denominator of `mostly`, passes any rule on an empty
table, drops an unknown type of expectation with a log line, and fails the whole result for a warning.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from safe_data.audit.corpus import open_corpus
from safe_data.audit.expectations import Result, validate
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact, Offender
from safe_data.audit.findings import VERDICTS, Finding, exit_code, summary, table
from safe_data.audit.page import html_page
from safe_data.audit.suites import SUITES, Expectation, Suite, load_suites
from safe_data.core.errors import InputError, install_extra
from safe_data.core.options_file import installed_versions
from safe_data.core.overwriting import write_all_new
from safe_data.core.terminal import say
from safe_data.shards.layout import Dataset

FORMAT_VERSION = 1
PACKAGES = ("safe-hearing", "great_expectations", "pandas", "pyarrow")
ABOUT_NULLS = ("expect_column_to_exist", "expect_column_proportion_of_non_null_values_to_be_between")
OUTPUTS = ("facts.json", "results.json", "index.html")


def check(
    root: Path, *, suites: list[str] | None = None, out: Path | None = None, force: bool = False
) -> int:
    """Judge a built dataset by suites of expectations; print the findings, write them, return the exit code.

    Args:
        root: the dataset, as `safe-data build` wrote it
        suites: schema, integrity, leakage, or the path of your own .json (default: these three)
        out: where to write facts.json, results.json and index.html (default: ROOT/check)
        force: replace other results that are there

    Returns:
        0 if all critical expectations hold, 1 if one does not, 2 if any could not be judged.

    Raises:
        InputError: there is no dataset, it has no rows, a suite cannot be read, or other results are there.
    """
    out = out or root / "check"
    for path in filter(Path.is_file, (out / name for name in OUTPUTS if force)):
        path.unlink()  # an older verdict must not outlive a check that fails
    chosen = load_suites(suites or SUITES)
    corpus = open_corpus([str(root)])
    (dataset,) = corpus.datasets
    about = _provenance(dataset, chosen)
    _check_same_judged(out / "results.json", about)
    facts = compute_facts(corpus, facts_named(chosen))
    findings = judge(chosen, corpus.manifest, facts)
    say([f"{dataset.name}: {corpus.manifest.num_rows} records", *table(findings), "", summary(findings)])
    say([f"written to {_write_outputs(out, facts, findings, about, force=force)}"])
    return exit_code(findings)


def facts_named(suites: Sequence[Suite]) -> list[str]:
    """The facts that rules name, in the order in which they are listed; others are not computed."""
    rules = (rule for suite in suites for rule in suite.expectations if rule.meta.data == "facts")
    named = {column for rule in rules for column in rule.columns}
    return [name for name in FACTS if name in named]


def judge(suites: Sequence[Suite], manifest: pa.Table, facts: Mapping[str, Fact]) -> list[Finding]:
    """One finding per expectation, in the order of the suites.

    Raises:
        InputError: Great Expectations is missing, or cannot read an expectation.
    """
    rules = [rule for suite in suites for rule in suite.expectations]
    names = [suite.name for suite in suites for _ in suite.expectations]
    needed = {column for rule in rules for column in rule.columns} | {"split", "id"}
    columns = [column for column in manifest.schema.names if column in needed]
    one_row = pa.table({name: pa.array([fact.value], pa.float64()) for name, fact in facts.items()})
    tables = {"manifest": manifest.select(columns), "facts": one_row}
    results = validate(rules, tables)
    return [
        _finding(name, rule, result, tables[rule.meta.data], facts)
        for name, rule, result in zip(names, rules, results, strict=True)
    ]


def _finding(
    suite: str, rule: Expectation, result: Result | None, table: pa.Table, facts: Mapping[str, Fact]
) -> Finding:
    about = (suite, rule.type, rule.columns, rule.description, rule.severity, rule.bound)
    why_not = _why_not_judged(rule, result, table, facts)
    if result is None or why_not:
        return Finding(*about, None, exception=why_not)
    success, seen = bool(result["success"]), result["result"]
    if "element_count" in seen:
        rows = seen["element_count"]
        good = rows - seen["unexpected_count"] - seen.get("missing_count", 0)
        holds = success and good / rows >= rule.kwargs.get("mostly", 1)
        return Finding(*about, holds, good, rows, _offending_rows(rule, seen))
    if rule.meta.data == "facts" and len(rule.columns) == 1:
        fact = facts[rule.columns[0]]
        return Finding(*about, success, fact.value, fact.among, fact.offenders, detail=fact.detail)
    return Finding(*about, success, seen.get("observed_value"))


def _why_not_judged(
    rule: Expectation, result: Result | None, table: pa.Table, facts: Mapping[str, Fact]
) -> str | None:
    """Why an expectation could not be judged: no result, no fact, an exception, or no value; else None."""
    present = [column for column in rule.columns if column in table.schema.names]
    empty = [column for column in present if table[column].null_count == table.num_rows]
    if result is None:
        return "Great Expectations gave no result"
    if empty and rule.meta.data == "facts":
        return f"not measured: {facts[empty[0]].why_not}"
    info = result["exception_info"]
    for entry in [info] if "raised_exception" in info else info.values():
        if entry["raised_exception"]:
            return str(entry["exception_message"])
    seen = result["result"]
    if seen.get("element_count", 1) == 0:
        return "there was no value to look at"
    if empty and "element_count" not in seen and rule.type not in ABOUT_NULLS:
        return f"there was no value to look at: every {empty[0]} is null"
    return None


def _offending_rows(rule: Expectation, seen: Result) -> tuple[Offender, ...]:
    rows = seen.get("partial_unexpected_index_list") or []
    whats = (", ".join(f"{name} {row.get(name)}" for name in rule.columns) for row in rows)
    wheres = (f"{row.get('split')}/{row.get('id')}" for row in rows)
    return tuple(Offender(what, (where,)) for what, where in zip(whats, wheres, strict=True))


def _provenance(dataset: Dataset, suites: Sequence[Suite]) -> dict[str, Any]:
    """The dataset, the suites and the versions that a result depends on."""
    return {
        "format_version": FORMAT_VERSION,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "manifest_sha256": dataset.manifest_sha256,
        "suites": {suite.name: suite.sha256 for suite in suites},
        "versions": installed_versions(PACKAGES),
    }


def _write_outputs(
    out: Path, facts: Mapping[str, Fact], findings: Sequence[Finding], about: dict[str, Any], *, force: bool
) -> str:
    """Write the three files and return what to tell the user; without Jinja2 there is no page."""
    code = exit_code(findings)
    results = [asdict(finding) for finding in findings]
    found = {name: asdict(fact) for name, fact in facts.items()}
    verdict = {"exit_code": code, "verdict": VERDICTS[code], "results": results}
    texts = {
        out / "facts.json": _json({**about, "facts": found}),
        out / "results.json": _json({**about, **verdict}),
    }
    try:
        texts[out / "index.html"] = html_page(about["dataset"], findings, about).encode()
    except ImportError:
        write_all_new(texts, force=force)
        return f"{out / 'results.json'} (for an HTML page as well, {install_extra('report')})"
    write_all_new(texts, force=force)
    return f"{out / 'index.html'}"


def _check_same_judged(results: Path, about: Mapping[str, Any]) -> None:
    """Refuse, before any work, to replace results about another dataset, or by other suites or versions.

    Raises:
        InputError: the file is there, and is about something else.
    """
    if not results.exists():
        return
    try:
        found = json.loads(results.read_text("utf-8"))
        same = all(found[name] == value for name, value in about.items())
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise InputError(
            f"{results}: is there already, about other rows, suites or versions; name another --out, or add "
            "--force to replace it"
        )


def _json(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    return f"{text}\n".encode()
