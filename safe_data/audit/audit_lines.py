"""Audit lines: an audit in at most 80 columns: what is wrong, the worst first, and what leaks into what.

The page and the JSON say more; these lines fit a terminal and a log.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator

from safe_data.audit.audit import Audit
from safe_data.audit.audit_findings import LEAKAGE, AuditFinding
from safe_data.audit.matrix import ANY, Matrix
from safe_data.core.numerals import counted, share_text
from safe_data.core.table import COLUMNS, Table, render
from safe_data.core.terminal import printable

RECORDS_PRINTED, MISSES_PRINTED = 2, 8
INDENT = 12
_KEPT = "\0"


def audit_lines(audit: Audit) -> list[str]:
    """The lines that `safe-data audit` prints."""
    return [
        *_headline(audit),
        *_findings(audit),
        *leakage_lines(audit.leakage),
        *_clusters(audit),
        *_missed(audit),
    ]


def headline(audit: Audit) -> str:
    """How many findings there are, by severity: `3 critical, 1 warning`."""
    severities = [finding.severity for finding in audit.findings]
    counts = [f"{severities.count(name)} {name}" for name in dict.fromkeys(severities)]
    return ", ".join(counts) or "nothing wrong was found"


def looked_at(audit: Audit) -> str:
    """How much was audited: `400 records in 3 splits`."""
    records = sum(dataset.loaded for dataset in audit.about.datasets)
    parts = f"{counted(records, 'record')} in {counted(len(audit.leakage.parts), 'split')}"
    rejected = sum(dataset.rows - dataset.loaded for dataset in audit.about.datasets)
    return parts + (f", {rejected} rejected" if rejected else "")


def _headline(audit: Audit) -> Iterator[str]:
    yield f"{printable(audit.name)}: {looked_at(audit)}"
    if audit.about.only_annotations:
        yield "annotations alone: no sound and no picture was read"
    yield headline(audit)


def _findings(audit: Audit) -> Iterator[str]:
    for finding in audit.findings:
        yield ""
        yield from _wrapped(finding.severity, _told(finding))
        for words in finding.evidence.split("; "):
            yield from _wrapped("", words)
        for offender in finding.offenders[:RECORDS_PRINTED]:
            yield from _wrapped("", ": ".join(filter(None, (offender.what, " = ".join(offender.records)))))
        yield from _wrapped("", f"→ {finding.to_do}")


def _told(finding: AuditFinding) -> str:
    """The sentence of a finding, with its shares."""
    if finding.kind == LEAKAGE:
        asked = ""
        if finding.questions:
            asked = f"; {counted(finding.questions, 'question')} ({share_text(finding.question_share)})"
        return f"{finding.what} ({share_text(finding.share)}){asked}"
    share = f" ({share_text(finding.share)})" if finding.share is not None else ""
    return f"{finding.kind} {finding.what}{share}"


def leakage_lines(matrix: Matrix) -> list[str]:
    """What is in which other part as well, by any kind of likeness."""
    rows = [
        (
            _name(matrix, leak.part),
            _name(matrix, leak.seen_in),
            leak.records,
            share_text(leak.share),
            leak.questions,
            share_text(leak.question_share),
        )
        for leak in matrix.leaks
        if leak.kind == ANY
    ]
    if not rows:
        return (
            ["", "no record of a split is in another one, as far as was looked"]
            if len(matrix.parts) > 1
            else []
        )
    columns = ("of", "in", "records", "share", "questions", "share of questions")
    return ["", *render([Table("What is in another split too", columns, rows)], "text")]


def clusters_told(audit: Audit) -> str:
    """How many records are duplicates of others: `10 clusters of 20 records: 5 by sound_file`."""
    if not audit.clusters:
        return ""
    kinds = Counter(cluster.evidence for cluster in audit.clusters)
    records = sum(len(cluster.records) for cluster in audit.clusters)
    by_kind = ", ".join(f"{count} by {kind}" for kind, count in kinds.most_common())
    return f"{counted(len(audit.clusters), 'cluster')} of {records} records that are the same: {by_kind}"


def _clusters(audit: Audit) -> list[str]:
    told = clusters_told(audit)
    return ["", *textwrap.wrap(told, COLUMNS)] if told else []


def _name(matrix: Matrix, number: int) -> str:
    part = matrix.parts[number]
    several = len({one.dataset for one in matrix.parts}) > 1
    return f"{part.dataset}/{part.split}" if several else part.split


def _missed(audit: Audit) -> Iterator[str]:
    if not audit.not_looked_for:
        return
    yield ""
    yield "Not looked for"
    for missed in audit.not_looked_for[:MISSES_PRINTED]:
        yield from textwrap.wrap(
            printable(f"{missed.kind}: {missed.why}"), COLUMNS, initial_indent="  ", subsequent_indent="    "
        )
    if (hidden := len(audit.not_looked_for) - MISSES_PRINTED) > 0:
        yield f"  … and {hidden} more in audit.json"


def _wrapped(label: str, text: str) -> list[str]:
    """Lines under a label in the first column."""
    if not text:
        return []
    wrapper = textwrap.TextWrapper(
        COLUMNS,
        initial_indent=f"{label:<{INDENT}}",
        subsequent_indent=" " * INDENT,
        break_on_hyphens=False,
    )
    lines = wrapper.wrap(printable(text).replace(" %", f"{_KEPT}%"))  # a number and its unit stay together
    return [line.replace(_KEPT, " ") for line in lines]
