"""Audit page: an audit as one HTML file that needs no network; every value in it is escaped.

What is wrong stands first, the worst at the top, with records to hear and to see; then what is in which other
split, what was measured, and what was not looked for.
"""

from collections.abc import Iterator
from typing import NamedTuple

from safe_data.audit.audit import Audit, FoundCluster
from safe_data.audit.audit_findings import LEAKAGE, AuditFinding
from safe_data.audit.audit_lines import clusters_told, headline, looked_at
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import Offender
from safe_data.audit.leak_kinds import shares_of
from safe_data.audit.leaked import telling
from safe_data.audit.matrix import ANY, Leak, Matrix
from safe_data.audit.page import styled, template
from safe_data.audit.page_media import MAX_PAGE_BYTES, OFFENDERS_SHOWN, PageMedia
from safe_data.core.numerals import share_text

CLUSTERS_SHOWN = OFFENDERS_SHOWN
TONES = {"critical": "bad", "warning": "unknown", "info": "rest"}


class Shown(NamedTuple):
    """A finding as the page shows it."""

    offenders: tuple[Offender, ...]
    severity: str
    title: str
    name: str
    shares: str = ""
    evidence: tuple[str, ...] = ()
    to_do: str = ""
    success: bool = False


class Cell(NamedTuple):
    """What a part shares with another: its shares in words, and how dark the cell is, from 0 to 5."""

    records: str
    questions: str
    shade: int


class MatrixRow(NamedTuple):
    """A part, and what it shares with each part; None for itself and where there is nothing."""

    part: str
    cells: list[Cell | None]


class KindRow(NamedTuple):
    """One kind of likeness between two parts."""

    of: str
    seen_in: str
    kind: str
    what: str
    records: str
    questions: str


class Measured(NamedTuple):
    """A fact in words."""

    suite: str
    name: str
    value: str
    detail: str


def audit_page(corpus: Corpus, audit: Audit) -> str:
    """Fill in the page.

    Raises:
        ImportError: jinja2 is not installed (extra `report`).
    """
    findings = [_shown(finding) for finding in audit.findings]
    clusters = Shown(
        tuple(Offender(_evidence(one), one.records) for one in audit.clusters[:CLUSTERS_SHOWN]),
        "info",
        clusters_told(audit),
        "cluster",
    )
    page = template("audit.html.j2").render(
        audit=audit,
        headline=headline(audit),
        looked_at=looked_at(audit),
        findings=findings,
        tones=TONES,
        clusters=clusters,
        media=PageMedia(corpus, [*findings, clusters]),
        offenders_shown=OFFENDERS_SHOWN,
        page_megabytes=f"{MAX_PAGE_BYTES / 1e6:g}",
        parts=[part_name(audit.leakage, number) for number in range(len(audit.leakage.parts))],
        rows=_matrix_rows(audit.leakage),
        kinds=list(_kind_rows(audit.leakage)),
        measured=list(_measured(audit)),
        **styled("check.css", "audit.css"),
    )
    return f"{page}\n"


def part_name(matrix: Matrix, number: int) -> str:
    """A part by its split, and by its dataset if there are several."""
    part = matrix.parts[number]
    several = len({one.dataset for one in matrix.parts}) > 1
    return f"{part.dataset}/{part.split}" if several else part.split


def _shown(finding: AuditFinding) -> Shown:
    shares = []
    if finding.share is not None:
        of = finding.split or "the records"
        shares.append(f"{share_text(finding.share)} of {of}")
    if finding.question_share is not None:
        shares.append(f"{share_text(finding.question_share)} of its questions")
    name = f"{finding.kind} · {finding.split} in {finding.seen_in}" if finding.seen_in else finding.kind
    evidence = tuple(finding.evidence.split("; ")) if finding.evidence else ()
    return Shown(
        finding.offenders, finding.severity, finding.what, name, ", ".join(shares), evidence, finding.to_do
    )


def _evidence(cluster: FoundCluster) -> str:
    """By what records of a cluster are the same, and how sure that is: `near_sound, score 0.97`."""
    return cluster.evidence if cluster.weakest == 1 else f"{cluster.evidence}, score {cluster.weakest:.3f}"


def _matrix_rows(matrix: Matrix) -> list[MatrixRow]:
    cells = {(leak.part, leak.seen_in): _cell(leak) for leak in matrix.leaks if leak.kind == ANY}
    numbers = range(len(matrix.parts))
    return [MatrixRow(part_name(matrix, of), [cells.get((of, other)) for other in numbers]) for of in numbers]


def _cell(leak: Leak) -> Cell:
    """A cell that shares anything is never white."""
    share = max(leak.share, leak.question_share or 0)
    return Cell(share_text(leak.share), share_text(leak.question_share), 1 + min(4, int(share * 5)))


def _kind_rows(matrix: Matrix) -> Iterator[KindRow]:
    by_pair: dict[tuple[int, int], list[Leak]] = {}
    for leak in matrix.leaks:
        if leak.kind != ANY:
            by_pair.setdefault((leak.part, leak.seen_in), []).append(leak)
    for leak in (one for pair in sorted(by_pair) for one in telling(by_pair[pair])):
        part = matrix.parts[leak.part]
        yield KindRow(
            part_name(matrix, leak.part),
            part_name(matrix, leak.seen_in),
            leak.kind,
            shares_of(leak.kind),
            f"{leak.records} of {part.records} ({share_text(leak.share)})",
            f"{leak.questions} of {part.questions} ({share_text(leak.question_share)})",
        )


def _measured(audit: Audit) -> Iterator[Measured]:
    for suite, facts in audit.facts.items():
        for name, fact in facts.items():
            if fact["value"] is not None and suite != LEAKAGE:
                among = f" of {fact['among']}" if fact["among"] is not None else ""
                yield Measured(suite, name, f"{fact['value']:.6g}{among}", fact["detail"])
