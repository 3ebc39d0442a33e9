"""Audit findings: what is wrong with datasets, how much of them it is, and what to do about it.

One finding is of one kind: a leak from one part into another, or a fact that breaks the bound of the
committed suites. Each names the first records behind it; findings.parquet lists more.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from safe_data.audit.committed_suites import RULES, Rule
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import Fact, Offender
from safe_data.audit.suites import Severity

LEAKAGE = "leakage"
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")

# What to do about a fact that breaks its bound; of any other, look at the records that are named.
ADVICE = {
    "duplicate_ids": "give each record an id of its own; WebDataset merges samples of one id",
    "records_without_group": "name in `group` what must not be split: the video, speaker or picture",
    "load_rate": "see `safe-data info ROOT --rejected`; get or mend these files, then build again",
    "class_imbalance": "sample by label, or declare in dataset.json that it is intended",
    "answer_prior": "report the accuracy of this guess beside every score, or balance the answers",
    "duplicate_records": "keep one of each cluster, or weigh them; they count twice in every score",
    "near_duplicate_sounds": "listen to the pairs; keep one of each cluster",
    "near_duplicate_pictures": "look at the pairs; keep one of each cluster",
    "near_duplicate_texts": "read the pairs; a template is no fault, a copied row is",
    "conflicting_labels": "listen to each cluster and mend the labels; one of them is wrong",
    "conflicting_answers": "mend or drop the questions; no answer meets both references",
    "silent_sounds": "drop the sounds or get them anew; nothing can be asked about silence",
    "empty_references": "give a reference, or drop the question; every answer to it is wrong",
    "records_without_examples": "nothing is asked about them, so an evaluation passes them by",
    "short_sounds": "check that the clip was cut where the annotation says",
    "clipped_sounds": "get a copy that is not overdriven, where there is one",
    "blank_pictures": "check the frame that was taken; of a video, take more by `--frames`",
    "annotated_mismatched_rate": "drop or mend the pairs that are marked as mismatched",
    "annotated_aligned_rate": "drop or mend the pairs that are marked as mismatched",
    "event_overlap": "check the times of events; sound and picture may be shifted",
    "speech_agreement": "listen to these records; the transcript may be another clip's",
    "transcript_agreement": "listen to these records; the transcript may be another clip's",
    "caption_match": "listen to these records; the caption may be another clip's",
    "ratio_error": "see `safe-data check ROOT --sampling FILE`; mend the shares or add rows",
    "difficulty_violations": "mend the difficulties that the stages of the curriculum name",
    "undrawable_stages": "see `safe-data check ROOT --sampling FILE`",
}
LOOK = "look at the records that are named"


class AuditFinding(msgspec.Struct, frozen=True):
    """One thing that is wrong; shares are of all records, and of all questions, of the dataset or split.

    `split` is empty for a finding about whole datasets, and numbers are None where they say nothing. Of a
    leak, `seen_in` is the other part, as `dataset/split`.
    """

    kind: str
    severity: Literal["critical", "warning", "info"]
    what: str
    dataset: str
    split: str
    seen_in: str
    records: int | None
    share: float | None
    questions: int | None
    question_share: float | None
    evidence: str
    to_do: str
    offenders: tuple[Offender, ...]


def worst_first(findings: Sequence[AuditFinding]) -> tuple[AuditFinding, ...]:
    """Critical ones first, of these leaks, those of test before others; then what touches the most."""

    def place(finding: AuditFinding) -> tuple[int, bool, bool, float]:
        share = max(finding.question_share or 0, finding.share or 0)
        is_leak = finding.kind == LEAKAGE
        return SEVERITIES.index(finding.severity), not is_leak, is_leak and finding.split != "test", -share

    return tuple(sorted(findings, key=place))


def fact_findings(corpus: Corpus, facts: Mapping[str, Fact]) -> list[AuditFinding]:
    """One finding for each fact that breaks a bound of the committed suites; leaks are in the matrix."""
    found: dict[str, AuditFinding] = {}
    for suite, rules in RULES.items():
        for rule in rules:
            fact = facts.get(rule.about)
            if suite == LEAKAGE or rule.kind or fact is None or fact.value is None:
                continue
            if breaks(rule, fact.value):
                found.setdefault(rule.about, _fact_finding(corpus, rule, fact, fact.value))
    rejected = facts.get("load_rate")
    if (
        rejected is not None
        and "load_rate" not in found
        and rejected.value is not None
        and rejected.value < 1
    ):
        rule = Rule(
            "load_rate", "share of records that are loaded; the others were rejected", severity="info"
        )
        found["load_rate"] = _fact_finding(corpus, rule, rejected, rejected.value)
    return list(found.values())


def breaks(rule: Rule, value: float) -> bool:
    """Whether a value is beyond the bound of a rule."""
    if rule.least is not None:
        return value < rule.least or (rule.strict and value == rule.least)
    return rule.most is not None and (value > rule.most or (rule.strict and value == rule.most))


def _fact_finding(corpus: Corpus, rule: Rule, fact: Fact, value: float) -> AuditFinding:
    counts = fact.among is not None and float(value).is_integer()
    number = f"{value:.6g}" + (f" of {fact.among}" if fact.among is not None else "")
    return AuditFinding(
        kind=rule.about,
        severity=rule.severity,
        what=f"{number}: {rule.protects}",
        dataset=", ".join(corpus.names),
        split="",
        seen_in="",
        records=int(value) if counts else None,
        share=value / fact.among if counts and fact.among else None,
        questions=None,
        question_share=None,
        evidence=fact.detail,
        to_do=ADVICE.get(rule.about, LOOK),
        offenders=fact.offenders,
    )
