"""Expectations put to a dataset: Great Expectations asserts, over facts and rows computed here.

Where Great Expectations is lenient this is strict: a null is a miss, and a rule that looked at no row,
raised, or gave no result was not judged. Warnings alone leave the exit code at 0.

Source: docs.greatexpectations.io on `mostly`, on missing values, and on severity.
Differs: there nulls leave the denominator of `mostly`, a rule holds for an empty table, an unknown type of
expectation is dropped with a log line, and a warning makes the whole result a failure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from safe_data.audit.expectations import Result, validate
from safe_data.audit.facts.all_facts import compute_facts
from safe_data.audit.facts.fact import Fact, Offender
from safe_data.audit.findings import VERDICTS, Finding, exit_code, summary, table
from safe_data.audit.page import html_page
from safe_data.audit.suites import SUITES, Expectation, Suite, load_suites
from safe_data.core.errors import InputError, install_extra
from safe_data.core.files import write_bytes
from safe_data.core.options_file import installed_versions
from safe_data.shards.layout import MANIFEST, Dataset, file_facts, read_dataset

FORMAT_VERSION = 1
PACKAGES = ("safe-hearing", "great_expectations", "pandas", "pyarrow")
OUTPUTS = ("facts.json", "results.json", "index.html")


def check(root: Path, *, suites: list[str] | None = None, out: Path | None = None) -> int:
    """Judge a built dataset by suites of expectations, and write what was found to ROOT/check.

    Args:
        root: the dataset, as `safe-data build` wrote it
        suites: schema, integrity, leakage, or the path of your own .json (default: the three)
        out: where to write facts.json, results.json and index.html

    Raises:
        InputError: no dataset, no rows, or a suite that cannot be read.
    """
    out = out or root / "check"
    for path in filter(Path.is_file, (out / name for name in OUTPUTS)):
        path.unlink()  # an older verdict must not outlive a check that stops half way
    chosen = load_suites(suites or SUITES)
    dataset = read_dataset(root)
    manifest = read_manifest(root, dataset)
    facts = compute_facts(manifest)
    findings = judge(chosen, manifest, facts)
    print(f"{dataset.name}: {manifest.num_rows} records\n{table(findings)}\n\n{summary(findings)}")
    about = _provenance(dataset, chosen)
    print(f"written to {_write_outputs(out, facts, findings, about)}")
    return exit_code(findings)


def read_manifest(root: Path, dataset: Dataset) -> pa.Table:
    """The manifest's rows, whatever its columns: whether they are the format's is for the suites to say.

    Raises:
        InputError: no manifest, not the dataset's, an unreadable one, or one without rows.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise InputError(f"{path}: missing; build the dataset again")
    if file_facts(path).sha256 != dataset.manifest_sha256:
        raise InputError(f"{path}: not the one the dataset was finished with; see safe-data verify {root}")
    try:
        manifest = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as a manifest ({error}); build the dataset again") from None
    if not manifest.num_rows:
        raise InputError(f"{path}: has no rows, so there is nothing to judge")
    return manifest.replace_schema_metadata(None)  # it may come from strangers, and pandas would follow it


def judge(suites: Sequence[Suite], manifest: pa.Table, facts: Mapping[str, Fact]) -> list[Finding]:
    """One finding an expectation, in the suites' order.

    Raises:
        InputError: Great Expectations is missing, or cannot read an expectation.
    """
    rules = [rule for suite in suites for rule in suite.expectations]
    names = [suite.name for suite in suites for _ in suite.expectations]
    asked = {column for rule in rules for column in rule.columns} | {"split", "id"}
    columns = [column for column in manifest.schema.names if column in asked]
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
        return Finding(*about, success, fact.value, fact.among, fact.offenders)
    return Finding(*about, success, seen.get("observed_value"))


def _why_not_judged(
    rule: Expectation, result: Result | None, table: pa.Table, facts: Mapping[str, Fact]
) -> str | None:
    """That there is no result, no measurement, an exception, or nothing that was looked at."""
    there = [column for column in rule.columns if column in table.schema.names]
    empty = [column for column in there if table[column].null_count == table.num_rows]
    if result is None:
        return "Great Expectations gave no result"
    if empty and rule.meta.data == "facts":
        return f"not measured: {facts[empty[0]].why_not}"
    info = result["exception_info"]
    for entry in [info] if "raised_exception" in info else info.values():
        if entry["raised_exception"]:
            return str(entry["exception_message"])
    seen = result["result"]
    if seen.get("element_count", 1) == 0 or (empty and seen.get("observed_value", 0) is None):
        return "there was no value to look at"
    return None


def _offending_rows(rule: Expectation, seen: Result) -> tuple[Offender, ...]:
    rows = seen.get("partial_unexpected_index_list") or []
    whats = (", ".join(f"{name} {row.get(name)}" for name in rule.columns) for row in rows)
    wheres = (f"{row.get('split')}/{row.get('id')}" for row in rows)
    return tuple(Offender(what, (where,)) for what, where in zip(whats, wheres, strict=True))


def _provenance(dataset: Dataset, suites: Sequence[Suite]) -> dict[str, Any]:
    """What was judged, by which suites and versions."""
    return {
        "format_version": FORMAT_VERSION,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "manifest_sha256": dataset.manifest_sha256,
        "suites": {suite.name: suite.sha256 for suite in suites},
        "versions": installed_versions(PACKAGES),
    }


def _write_outputs(
    out: Path, facts: Mapping[str, Fact], findings: Sequence[Finding], about: dict[str, Any]
) -> str:
    """Write the three files; what to tell the user about them."""
    code = exit_code(findings)
    results = [asdict(finding) for finding in findings]
    measured = {name: asdict(fact) for name, fact in facts.items()}
    verdict = {"exit_code": code, "verdict": VERDICTS[code], "results": results}
    write_bytes(out / "facts.json", _json({**about, "facts": measured}))
    write_bytes(out / "results.json", _json({**about, **verdict}))
    try:
        write_bytes(out / "index.html", html_page(about["dataset"], findings, about).encode())
    except ImportError:
        return f"{out / 'results.json'} (for an HTML page as well, {install_extra('report')})"
    return f"{out / 'index.html'}"


def _json(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    return f"{text}\n".encode()
