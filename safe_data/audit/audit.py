"""Audit: everything that is found about datasets, in one structure; a pure function of a corpus.

It judges nothing: the findings say what is wrong and how much of it there is, and what was not looked for.
"""

from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from safe_data.audit.alike.clusters import clusters
from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.audit_findings import LEAKAGE, AuditFinding, fact_findings, worst_first
from safe_data.audit.committed_suites import RULES
from safe_data.audit.corpus import Corpus
from safe_data.audit.distribution import Distribution, distributions
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact, not_applicable
from safe_data.audit.leak_kinds import NOT_READ, matrix_of, passed_over
from safe_data.audit.leaked import leak_findings
from safe_data.audit.matrix import Matrix, NotLookedFor
from safe_data.core.files import file_sha256
from safe_data.core.options_file import installed_versions
from safe_data.core.phases import Phase, unseen

FORMAT_VERSION = 1
PACKAGES = ("safe-hearing", "pyarrow", "numpy", "scipy", "soundfile", "silero-vad", "pocketsphinx")

# The facts that annotations alone give; all others are about media.
ANNOTATED = (
    "duplicate_ids",
    "records_without_group",
    "rows",
    "examples",
    "audio_examples",
    "class_imbalance",
    "answer_prior",
    "conflicting_answers",
    "near_duplicate_texts",
    "empty_references",
    "records_without_examples",
    "caption_words_min",
    "caption_words_max",
)


class AuditedDataset(msgspec.Struct, frozen=True):
    """A dataset that was audited: what identifies its contents, and how many records it has."""

    name: str
    root: str
    fingerprint: str
    manifest_sha256: str
    rows: int
    loaded: int


class FoundCluster(msgspec.Struct, frozen=True):
    """Records that are one and the same, each as `split/id`: the strongest evidence, and the weakest link."""

    records: tuple[str, ...]
    evidence: str
    score: float
    weakest: float


class About(msgspec.Struct, frozen=True):
    """What an audit is about, and what else its result depends on; `given` are hashes of files."""

    format_version: int
    datasets: tuple[AuditedDataset, ...]
    only_annotations: bool
    given: dict[str, str]
    versions: dict[str, str]


class Audit(msgspec.Struct, frozen=True):
    """What was found, the worst first; `facts` are under the suite that is about them."""

    about: About
    findings: tuple[AuditFinding, ...]
    leakage: Matrix
    clusters: tuple[FoundCluster, ...]
    facts: dict[str, dict[str, Any]]
    distributions: tuple[Distribution, ...]
    not_looked_for: tuple[NotLookedFor, ...]

    @property
    def name(self) -> str:
        """The names of the datasets."""
        return ", ".join(dataset.name for dataset in self.about.datasets)


def audit_corpus(corpus: Corpus, at: Phase = unseen) -> Audit:
    """Find what is wrong with the datasets of a corpus; `at` is told which part of the work begins."""
    at("leakage between splits")
    matrix = corpus.once(matrix_of)
    facts = _facts(corpus, at)
    at("findings")
    findings = [*leak_findings(corpus), *fact_findings(corpus, facts)]
    return Audit(
        about=about_corpus(corpus),
        findings=worst_first(findings),
        leakage=matrix,
        clusters=_clusters(corpus),
        facts={
            suite: {name: asdict(facts[name]) for name in names if name in facts}
            for suite, names in _names_by_suite().items()
            if any(name in facts for name in names)
        },
        distributions=distributions(corpus),
        not_looked_for=(*matrix.not_looked_for, *passed_over(corpus), *_not_looked_for(corpus, facts)),
    )


def about_corpus(corpus: Corpus) -> About:
    """What the audit of a corpus will be about."""
    files = {"annotations": corpus.given.annotations, "sampling": corpus.given.sampling}
    return About(
        format_version=FORMAT_VERSION,
        datasets=_datasets(corpus),
        only_annotations=bool(corpus.described),
        given={name: file_sha256(path) for name, path in files.items() if path is not None},
        versions=installed_versions(PACKAGES),
    )


def _names_by_suite() -> dict[str, list[str]]:
    """The facts by suite, and those that no suite judges."""
    judged = {
        suite: [name for name in dict.fromkeys(rule.about for rule in rules) if name in FACTS]
        for suite, rules in RULES.items()
        if suite != LEAKAGE  # the matrix says more
    }
    leaks = {name for name in FACTS if name.endswith("_in_two_splits")}
    named = {name for names in judged.values() for name in names}
    return {**judged, "beside": [name for name in FACTS if name not in named | leaks]}


def _facts(corpus: Corpus, at: Phase) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for name in dict.fromkeys(name for names in _names_by_suite().values() for name in names):
        if corpus.described and name not in ANNOTATED:
            found[name] = not_applicable(NOT_READ)
            continue
        at(name.replace("_", " "))
        found |= compute_facts(corpus, [name])
    return found


def _not_looked_for(corpus: Corpus, facts: dict[str, Fact]) -> list[NotLookedFor]:
    """What could not be found out, and why; what the datasets do not have is not missed."""
    why_not = {
        name: fact.why_not or "" for name, fact in facts.items() if fact.value is None and fact.applies
    }
    return [
        *([NotLookedFor("sounds and pictures", NOT_READ)] if corpus.described else []),
        *(NotLookedFor(name, why) for name, why in why_not.items()),
    ]


def _clusters(corpus: Corpus) -> tuple[FoundCluster, ...]:
    if corpus.described:
        return ()
    names = corpus.labels()
    return tuple(
        FoundCluster(tuple(names[row] for row in one.rows), one.evidence, one.score, one.weakest)
        for one in clusters(corpus)
    )


def _datasets(corpus: Corpus) -> tuple[AuditedDataset, ...]:
    rows = np.bincount(corpus.dataset_of, minlength=len(corpus.names))
    loaded = np.bincount(corpus.dataset_of[loaded_rows(corpus)], minlength=len(corpus.names))
    about = zip(corpus.names, corpus.roots, corpus.datasets, rows.tolist(), loaded.tolist(), strict=True)
    return tuple(
        AuditedDataset(name, str(root), dataset.fingerprint, dataset.manifest_sha256, of, ok)
        for name, root, dataset, of, ok in about
    )
