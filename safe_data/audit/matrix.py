"""Matrix: which parts share what, where a part is a split of a dataset; records and questions affected.

A record of part B is affected by part A if a record of A is alike: it has the same id, group, medium, or
whatever the kind of likeness is. Likeness is taken as transitive within one kind.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array

from safe_data.audit.alike.questions import leaking_questions
from safe_data.audit.corpus import Corpus
from safe_data.core.errors import words_of

ANY, QUESTION = "any", "question"
NOT_IN_ANY = ("id", "near_text")  # two splits may number from 1, and many clips are "a dog barks"

Labels = Int[ndarray, " records"]  # equal for records that are alike, -1 for one that is like no other


class Part(msgspec.Struct, frozen=True):
    """A split of a dataset, its loaded records, and how much is asked about them."""

    dataset: str
    split: str
    records: int
    questions: int


class Leak(msgspec.Struct, frozen=True):
    """How many records of `part` are alike one of `seen_in`, and how many of its questions are about them.

    Both are numbers of `Matrix.parts`; shares are of all loaded records, and all questions, of `part`.
    """

    kind: str
    seen_in: int
    part: int
    records: int
    share: float
    questions: int
    question_share: float | None


class NotLookedFor(msgspec.Struct, frozen=True):
    """A kind of finding that could not be looked for, and why."""

    kind: str
    why: str


class Matrix(msgspec.Struct, frozen=True):
    """The parts, every leak that there is (a pair of parts that is not listed shares nothing), by kind."""

    parts: tuple[Part, ...]
    kinds: tuple[str, ...]
    leaks: tuple[Leak, ...]
    not_looked_for: tuple[NotLookedFor, ...]


class Places(NamedTuple):
    """The part of each record, -1 for a rejected one, and how much is asked about it."""

    parts: tuple[Part, ...]
    part_of: Int[ndarray, " records"]
    questions: Int[ndarray, " records"]


def places(corpus: Corpus) -> Places:
    """Where each record stands; parts come in the order of the datasets, splits by name."""
    manifest = corpus.manifest
    splits = pc.fill_null(manifest["split"], "").combine_chunks().dictionary_encode()
    names = splits.dictionary.to_pylist()
    rank = np.argsort(np.argsort(np.array(names, dtype=object), kind="stable"), kind="stable")
    codes = corpus.dataset_of * len(names) + rank[splits.indices.to_numpy(zero_copy_only=False)]
    loaded = pc.fill_null(pc.equal(manifest["status"], "ok"), False).to_numpy()
    questions = pc.fill_null(manifest["examples"], 0).to_numpy().astype(np.int64)
    found, dense = np.unique(codes[loaded], return_inverse=True)
    part_of = np.full(manifest.num_rows, -1)
    part_of[loaded] = dense
    records = np.bincount(dense, minlength=len(found))
    asked = np.bincount(dense, questions[loaded], minlength=len(found))
    ordered = sorted(names)
    parts = tuple(
        Part(corpus.names[code // len(names)], ordered[code % len(names)], int(count), int(number))
        for code, count, number in zip(found.tolist(), records, asked, strict=True)
    )
    return Places(parts, part_of, questions)


def touching(labels: Labels, part_of: Int[ndarray, " records"], parts: int) -> csr_array:
    """A table of records × parts: 1 where a record is like one of the part, its own part left out."""
    rows = np.flatnonzero((labels >= 0) & (part_of >= 0))
    _, clusters = np.unique(labels[rows], return_inverse=True)
    ones = np.ones(len(rows), np.int8)
    shape = (int(clusters.max(initial=-1)) + 1, parts)
    present = csr_array(coo_array((ones.astype(np.int64), (clusters, part_of[rows])), shape=shape) > 0)
    crossing = np.diff(present.indptr)[clusters] > 1
    rows, clusters = rows[crossing], clusters[crossing]
    met = coo_array(present[clusters])
    others = met.col != part_of[rows[met.row]]
    found = coo_array(
        (np.ones(int(others.sum()), np.int8), (rows[met.row[others]], met.col[others])),
        shape=(len(labels), parts),
    )
    return csr_array(found)


def leaks_of(kind: str, touched: csr_array, at: Places) -> list[Leak]:
    """The cells of one kind that are not empty, the largest share of questions, then of records, first."""
    met = coo_array(touched)
    count = len(at.parts)
    cells = met.col.astype(np.int64) * count + at.part_of[met.row]
    records = np.bincount(cells, minlength=count * count)
    questions = np.bincount(cells, at.questions[met.row], minlength=count * count)
    leaks = []
    for cell in np.flatnonzero(records).tolist():
        part = at.parts[cell % count]
        affected, asked = int(records[cell]), int(questions[cell])
        of_questions = asked / part.questions if part.questions else None
        leaks.append(
            Leak(kind, cell // count, cell % count, affected, affected / part.records, asked, of_questions)
        )
    return sorted(leaks, key=lambda leak: (-(leak.question_share or 0), -leak.share))


def question_leaks(corpus: Corpus) -> list[Leak]:
    """The cells of questions that are asked about the same media, and answered the same, in another part.

    Raises:
        ValueError: media could not be compared.
    """
    at = corpus.once(places)
    asked = corpus.once(leaking_questions)
    of_record = at.part_of[asked.rows]
    met = coo_array(touching(asked.answer, of_record, len(at.parts)))
    of_questions = Places(at.parts, of_record, np.ones(len(asked.rows), np.int64))
    leaks = []
    for leak in leaks_of(QUESTION, csr_array(met), of_questions):
        here = met.row[(met.col == leak.seen_in) & (of_record[met.row] == leak.part)]
        records = len(np.unique(asked.rows[here]))
        share = records / at.parts[leak.part].records
        leaks.append(msgspec.structs.replace(leak, records=records, share=share))
    return leaks


def touched_by(
    corpus: Corpus, kinds: Mapping[str, Callable[[Corpus], Labels]]
) -> tuple[dict[str, csr_array], tuple[NotLookedFor, ...]]:
    """The table of `touching` of each kind; and the kinds whose labels raise, which were not looked for."""
    at, made = corpus.once(places), corpus.once(_tables)
    tables, missed = {}, []
    for kind, labels_of in kinds.items():
        try:
            if labels_of not in made:
                made[labels_of] = touching(corpus.once(labels_of), at.part_of, len(at.parts))
            tables[kind] = made[labels_of]
        except (ValueError, KeyError) as error:
            missed.append(NotLookedFor(kind, words_of(error)))
    return tables, tuple(missed)


def _tables(_: Corpus) -> dict[Callable[[Corpus], Labels], csr_array]:
    return {}


def leakage_matrix(corpus: Corpus, kinds: Mapping[str, Callable[[Corpus], Labels]]) -> Matrix:
    """Compare all parts by each kind, and by any of them but those that say too little alone."""
    at = corpus.once(places)
    tables, missed = touched_by(corpus, kinds)
    leaks = [leak for kind, touched in tables.items() for leak in leaks_of(kind, touched, at)]
    telling = [touched for kind, touched in tables.items() if kind not in NOT_IN_ANY]
    together = leaks_of(ANY, sum(telling[1:], telling[0]), at) if telling else []
    return Matrix(at.parts, (ANY, *tables), (*together, *leaks), missed)
