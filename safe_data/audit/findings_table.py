"""Findings table: findings.parquet, a row for each group of records behind a finding, to filter and join by.

kind, severity      of the finding
dataset, split      of the first record; the split is empty for a finding about whole datasets
ids                 the records, as `split/id`, with `DATASET:` in front if there are several datasets
evidence, score     what it rests on; the score is from 0 to 1, and 1 says that they are the same
to_do               what to do about it

A leak has a row for each record that leaks, and `cluster` one for all records that are one and the same, with
the score of the weakest link. A fact lists its first records, and `records` counts all of them.
"""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from safe_data.audit.alike.clusters import clusters
from safe_data.audit.audit import Audit
from safe_data.audit.audit_findings import LEAKAGE
from safe_data.audit.corpus import Corpus
from safe_data.audit.leaked import leaked_records

CLUSTER = "cluster"
KEEP_ONE = "keep one of them, and all of them in one split"

SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("kind", "severity", "dataset", "split")),
        pa.field("ids", pa.list_(pa.string()), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("records", pa.int64()),
        pa.field("to_do", pa.string(), nullable=False),
    ]
)


def findings_parquet(corpus: Corpus, audit: Audit) -> bytes:
    """The bytes of findings.parquet."""
    rows = [*_leaks(corpus, audit), *_clusters(corpus, audit), *_others(audit)]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), file, compression="zstd")
    return file.getvalue()


def _leaks(corpus: Corpus, audit: Audit) -> Iterator[dict[str, Any]]:
    parts = audit.leakage.parts
    findings = {(one.dataset, one.split, one.seen_in): one for one in audit.findings if one.kind == LEAKAGE}
    names = corpus.labels()
    for leaked in corpus.once(leaked_records):
        part, seen_in = parts[leaked.leak.part], parts[leaked.leak.seen_in]
        finding = findings[part.dataset, part.split, f"{seen_in.dataset}/{seen_in.split}"]
        pairs = zip(leaked.rows.tolist(), leaked.twins.tolist(), leaked.evidence, leaked.scores, strict=True)
        for row, twin, evidence, score in pairs:
            yield {
                "kind": LEAKAGE,
                "severity": finding.severity,
                "dataset": part.dataset,
                "split": part.split,
                "ids": [names[row], names[twin]],
                "evidence": evidence,
                "score": score,
                "records": 1,
                "to_do": finding.to_do,
            }


def _clusters(corpus: Corpus, audit: Audit) -> Iterator[dict[str, Any]]:
    """Records of one medium, in whatever splits; those of several splits are in the rows of leaks as well."""
    found_clusters = clusters(corpus) if audit.clusters else []
    for found, cluster in zip(found_clusters, audit.clusters, strict=True):
        first = found.rows[0]
        yield {
            "kind": CLUSTER,
            "severity": "warning",
            "dataset": corpus.names[corpus.dataset_of[first]],
            "split": corpus.manifest["split"][first].as_py(),
            "ids": cluster.records,
            "evidence": cluster.evidence,
            "score": cluster.weakest,
            "records": len(cluster.records),
            "to_do": KEEP_ONE,
        }


def _others(audit: Audit) -> Iterator[dict[str, Any]]:
    for finding in audit.findings:
        if finding.kind == LEAKAGE:
            continue
        for offender in finding.offenders or (None,):
            yield {
                "kind": finding.kind,
                "severity": finding.severity,
                "dataset": finding.dataset,
                "split": finding.split,
                "ids": list(offender.records) if offender else [],
                "evidence": offender.what if offender else finding.what,
                "score": None,
                "records": finding.records,
                "to_do": finding.to_do,
            }
