"""Matrix: what every two parts of a corpus share, where a part is a split of a dataset.

A cell says how many records of a part, and how many of its questions, have a twin in another part. Rejected
records count for ids and groups, which are known without any media: whether official splits leak can be
seen before a corpus is downloaded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import KINDS, alike
from safe_data.audit.alike.clusters import components
from safe_data.audit.corpus import Corpus

SHARED_KEYS = ("id", "group")
MOST_TWINS = 20


class Shared(msgspec.Struct, frozen=True):
    """What records of `part` share with those of `other`, each as `dataset/split`.

    `records` of the part's `among` have a twin there, and `questions` of its `asked` are about them; the
    first twins are named as (record of the part, record of the other).
    """

    kind: str
    part: str
    other: str
    records: int
    among: int
    questions: int
    asked: int
    twins: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float:
        """The share of the part's records."""
        return self.records / self.among

    @property
    def share_of_questions(self) -> float | None:
        """The share of the part's questions; None if it has none."""
        return self.questions / self.asked if self.asked else None


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a corpus by name, the number of each record's part, and how many questions it has."""

    names: tuple[str, ...]
    of: Int[ndarray, " records"]
    questions: Int[ndarray, " records"]


def matrix(corpus: Corpus) -> list[Shared]:
    """What each part shares with each other part, by kind, most affected first."""
    found = [shared for kind in (*SHARED_KEYS, *KINDS) for shared in shared_by(corpus, kind)]
    return sorted(found, key=lambda one: (-one.share, one.kind, one.part, one.other))


def shared_by(corpus: Corpus, kind: str) -> list[Shared]:
    """What the parts share by one kind: `id`, `group` or a kind of likeness."""
    return list(_shared(corpus, kind, twins_of(corpus, kind), corpus.once(parts)))


def twins_of(corpus: Corpus, kind: str) -> Int[ndarray, " records"]:
    """A number for each row, the same for rows that are alike by this kind; -1 for a row without anything.

    Ids and groups are compared within a dataset only: others may use the same words for other things.
    """
    if kind not in SHARED_KEYS:
        return components(corpus.manifest.num_rows, [alike(corpus, kind)])
    column = corpus.manifest[kind]
    given = np.asarray(pc.fill_null(pc.not_equal(column, ""), False))
    codes = np.asarray(pc.dictionary_encode(column).combine_chunks().indices.fill_null(0)).astype(np.int64)
    numbers = corpus.dataset_of * (int(codes.max(initial=0)) + 1) + codes
    return np.where(given, numbers, -1)


def parts(corpus: Corpus) -> Parts:
    """The parts in the order of the datasets and of their first records."""
    splits = pc.dictionary_encode(pc.fill_null(corpus.manifest["split"], "")).combine_chunks()
    words = splits.dictionary.to_pylist()
    keys = corpus.dataset_of * len(words) + np.asarray(splits.indices)
    found, numbers = np.unique(keys, return_inverse=True)
    names = tuple(f"{corpus.names[key // len(words)]}/{words[key % len(words)]}" for key in found.tolist())
    questions = np.asarray(corpus.manifest["examples"].fill_null(0).to_numpy(), np.int64)
    return Parts(names, numbers, questions)


def _shared(corpus: Corpus, kind: str, twins: Int[ndarray, " records"], among: Parts) -> Iterator[Shared]:
    looked_at = (twins >= 0) & _counted(corpus, kind)
    rows = np.flatnonzero(looked_at)
    if not len(rows):
        return
    numbers = np.unique(twins[rows], return_inverse=True)[1]
    count = len(among.names)
    present = np.zeros((int(numbers.max()) + 1, count), bool)
    present[numbers, among.of[rows]] = True
    crossing = present.sum(axis=1) > 1
    for part in range(count):
        of_part = among.of[rows] == part
        for other in range(count):
            affected = of_part & present[numbers, other] & crossing[numbers]
            if part == other or not affected.any():
                continue
            yield Shared(
                kind,
                among.names[part],
                among.names[other],
                records=int(affected.sum()),
                among=int(of_part.sum()),
                questions=int(among.questions[rows[affected]].sum()),
                asked=int(among.questions[rows[of_part]].sum()),
                twins=_first_twins(corpus, rows, numbers, affected, among.of[rows] == other),
            )


def _counted(corpus: Corpus, kind: str) -> Bool[ndarray, " records"]:
    """The rows that a kind is looked for among: for media the loaded ones that have it, else every row."""
    if kind in SHARED_KEYS:
        return np.ones(corpus.manifest.num_rows, bool)
    medium = "has_image" if "picture" in kind else "has_audio" if "sound" in kind else None
    counted = pc.equal(corpus.manifest["status"], "ok")
    if medium:
        counted = pc.and_(counted, corpus.manifest[medium])
    return np.asarray(pc.fill_null(counted, False))


def _first_twins(
    corpus: Corpus,
    rows: Int[ndarray, " some"],
    numbers: Int[ndarray, " some"],
    affected: Bool[ndarray, " some"],
    others: Bool[ndarray, " some"],
) -> tuple[tuple[str, str], ...]:
    """The first affected records, each with its first twin in the other part."""
    places = np.flatnonzero(others)
    first_of = dict(zip(numbers[places][::-1].tolist(), rows[places][::-1].tolist(), strict=True))
    shown = np.flatnonzero(affected)[:MOST_TWINS]
    return tuple((corpus.label(int(rows[one])), corpus.label(first_of[int(numbers[one])])) for one in shown)
