"""Leaked: the records of a part for evaluation that are in another part too, a twin of each, and by what.

`train` is for evaluation only if no split has that name, as in the facts about leakage.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.audit_findings import LEAKAGE, AuditFinding
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import MOST_OFFENDERS, Offender
from safe_data.audit.facts.leakage import TRAIN
from safe_data.audit.leak_kinds import KINDS, labels_of, matrix_of, strictest
from safe_data.audit.matrix import ANY, NOT_IN_ANY, QUESTION, Leak, Matrix, places, touched_by
from safe_data.core.numerals import counted, share_text

TO_DO = "split again by `safe-data split … --group group --merge-duplicates`, or leave these records out"
PICTURES = ("picture_file", "picture", "near_picture")  # as in the suites, these alone are a warning


class LeakedRecords(NamedTuple):
    """The records of one part that are alike one of another part: their rows, a twin of each, and by what."""

    leak: Leak
    rows: Int[ndarray, " leaked"]
    twins: Int[ndarray, " leaked"]
    evidence: list[str]
    scores: Float[ndarray, " leaked"]
    by: dict[str, int]
    """how many records each kind of likeness touches"""


def leak_findings(corpus: Corpus) -> list[AuditFinding]:
    """One finding for each part for evaluation and each other part in which records of it are, too."""
    matrix = corpus.once(matrix_of)
    return [_leak_finding(corpus, matrix, leaked) for leaked in corpus.once(leaked_records)]


def leaked_records(corpus: Corpus) -> list[LeakedRecords]:
    """The leaking records of every part for evaluation, by every other part."""
    return list(_leaked_records(corpus, corpus.once(matrix_of)))


def _leaked_records(corpus: Corpus, matrix: Matrix) -> Iterator[LeakedRecords]:
    at = corpus.once(places)
    tables, _ = touched_by(corpus, labels_of(corpus))
    telling = {name: touched.tocsc() for name, touched in tables.items() if name not in NOT_IN_ANY}
    trained = any(part.split == TRAIN for part in matrix.parts)
    for leak in matrix.leaks:
        if leak.kind != ANY or (trained and matrix.parts[leak.part].split == TRAIN):
            continue
        by_kind = {}
        for name, touched in telling.items():
            rows = touched.indices[touched.indptr[leak.seen_in] : touched.indptr[leak.seen_in + 1]]
            if len(affected := np.sort(rows[at.part_of[rows] == leak.part])):
                by_kind[name] = affected
        yield _leaked(corpus, leak, by_kind)


def _leaked(corpus: Corpus, leak: Leak, by_kind: Mapping[str, Int[ndarray, " rows"]]) -> LeakedRecords:
    """A twin is by the first kind, which is the strongest; all kinds are evidence."""
    at = corpus.once(places)
    rows = np.unique(np.concatenate([*by_kind.values()]))
    twins, mask = np.full(len(rows), -1), np.zeros(len(rows), np.int64)
    for number, (name, affected) in enumerate(by_kind.items()):
        labels = corpus.once(KINDS[name].labels)
        there = np.flatnonzero((at.part_of == leak.seen_in) & (labels >= 0))
        values, firsts = np.unique(labels[there], return_index=True)
        places_of = np.searchsorted(rows, affected)
        mask[places_of] |= 1 << number
        found = there[firsts[np.searchsorted(values, labels[affected])]]  # each has one, as it is touched
        twins[places_of] = np.where(twins[places_of] < 0, found, twins[places_of])
    names = list(by_kind)
    words = {
        code: ", ".join(strictest(name for number, name in enumerate(names) if code >> number & 1))
        for code in np.unique(mask).tolist()
    }
    scores = _scores(corpus, rows, by_kind)
    counts = {name: len(affected) for name, affected in by_kind.items()}
    return LeakedRecords(leak, rows, twins, [words[code] for code in mask.tolist()], scores, counts)


def _scores(
    corpus: Corpus, rows: Int[ndarray, " leaked"], by_kind: Mapping[str, Int[ndarray, " rows"]]
) -> Float[ndarray, " leaked"]:
    """1 for what is exactly the same; of what is nearly the same, the score of the best pair of a record."""
    scores = np.zeros(len(rows))
    for name, affected in by_kind.items():
        best = np.zeros(corpus.manifest.num_rows)
        if name.startswith("near_"):
            found = alike(corpus, name)
            np.maximum.at(best, found.left, found.score)
            np.maximum.at(best, found.right, found.score)
        else:
            best[affected] = 1.0
        places_of = np.searchsorted(rows, affected)
        scores[places_of] = np.maximum(scores[places_of], best[affected])
    return scores


def telling(leaks: Sequence[Leak]) -> list[Leak]:
    """Without the kinds that touch no more records than a stricter kind, in the order of the kinds."""
    counts = {leak.kind: leak.records for leak in leaks}
    order = [*KINDS, QUESTION]
    stricter = {name: kind.implied_by for name, kind in KINDS.items()}
    said = [one for one in leaks if counts.get(stricter.get(one.kind, "")) != one.records]
    return sorted(said, key=lambda one: order.index(one.kind))


def _leak_finding(corpus: Corpus, matrix: Matrix, leaked: LeakedRecords) -> AuditFinding:
    leak = leaked.leak
    part, seen_in = matrix.parts[leak.part], matrix.parts[leak.seen_in]
    between = (leak.part, leak.seen_in)
    by_kind = [one for one in matrix.leaks if one.kind != ANY and (one.part, one.seen_in) == between]
    evidence = "; ".join(_words(one) for one in telling(by_kind) if one.kind in (*leaked.by, QUESTION))
    is_elsewhere = seen_in.split != TRAIN and part.dataset != seen_in.dataset
    pairs = zip(leaked.rows[:MOST_OFFENDERS].tolist(), leaked.twins.tolist(), leaked.evidence, strict=False)
    where = seen_in.split if part.dataset == seen_in.dataset else f"{seen_in.dataset}/{seen_in.split}"
    return AuditFinding(
        kind=LEAKAGE,
        severity="warning" if is_elsewhere or {*leaked.by} <= {*PICTURES} else "critical",
        what=f"{counted(leak.records, 'record')} of {part.split} {_are(leak.records)} in {where} too",
        dataset=part.dataset,
        split=part.split,
        seen_in=f"{seen_in.dataset}/{seen_in.split}",
        records=leak.records,
        share=leak.share,
        questions=leak.questions,
        question_share=leak.question_share,
        evidence=evidence,
        to_do=TO_DO,
        offenders=tuple(
            Offender(words, (corpus.label(row), corpus.label(twin))) for row, twin, words in pairs
        ),
    )


def _words(leak: Leak) -> str:
    """What one kind of likeness touches: `sound: 3 records (7.5 %), 9 questions (7.5 %)`."""
    asked = f", {counted(leak.questions, 'question')} ({share_text(leak.question_share)})"
    records = f"{counted(leak.records, 'record')} ({share_text(leak.share)})"
    return f"{leak.kind}: {records}{asked if leak.questions else ''}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
