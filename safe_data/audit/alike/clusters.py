"""Clusters: records that are one and the same, directly or through others.

Two records are one if they sound alike, or if they look alike and one of them has no sound: a picture often
gets several sounds on purpose. Neighbours of embeddings join nothing: a tagger's embeddings of a badger and a
beaver were once equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from safe_data.audit.alike.all_alike import PICTURES, SOUNDS, alike
from safe_data.audit.alike.likeness import Likeness, require_all_read
from safe_data.audit.corpus import Corpus


@dataclass(frozen=True)
class Cluster:
    """Rows that are one record, the strongest evidence for it, and the weakest link that holds them together.

    `evidence` and `score` are of the strongest pair, `weakest` is the lowest score of a pair.
    """

    rows: tuple[int, ...]
    evidence: str
    score: float
    weakest: float


def cluster_of(corpus: Corpus) -> Int[ndarray, " records"]:
    """The number of the cluster of each row: the first row of it; a row that is like no other has its own."""
    return corpus.once(_cluster_of)


def clusters(corpus: Corpus) -> list[Cluster]:
    """The clusters of two records or more, largest first."""
    return corpus.once(_clusters)


def _cluster_of(corpus: Corpus) -> Int[ndarray, " records"]:
    return components(corpus.manifest.num_rows, _evidence(corpus))


def components(count: int, likenesses: Sequence[Likeness]) -> Int[ndarray, " records"]:
    """Number `count` rows so that rows which pairs connect have one number, that of the first of them."""
    left = np.concatenate([one.left for one in likenesses] or [np.zeros(0, np.int64)])
    right = np.concatenate([one.right for one in likenesses] or [np.zeros(0, np.int64)])
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, numbers = connected_components(links, directed=False)
    _, firsts, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    named: Int[ndarray, " records"] = firsts[inverse].astype(np.int64)
    return named


def numbers_by(corpus: Corpus, *kinds: str) -> Int[ndarray, " records"]:
    """`components` of all rows by these kinds of likeness.

    Raises:
        ValueError: a kind could not be looked for, or not among all records.
    """
    found = [alike(corpus, kind) for kind in kinds]
    for one in found:
        require_all_read(one)
    return components(corpus.manifest.num_rows, found)


def _clusters(corpus: Corpus) -> list[Cluster]:
    numbers = cluster_of(corpus)
    strongest: dict[int, tuple[str, float]] = {}
    weakest: dict[int, float] = {}
    for one in _evidence(corpus):  # strongest kind first
        of_pair = numbers[one.left]
        order = np.lexsort((-one.score, of_pair))
        first = np.flatnonzero(np.diff(of_pair[order], prepend=-1))
        for place in order[first].tolist():
            strongest.setdefault(int(of_pair[place]), (one.kind, float(one.score[place])))
        last = np.append(first[1:], len(order)) - 1
        for place in order[last].tolist() if len(order) else ():
            name = int(of_pair[place])
            weakest[name] = min(weakest.get(name, 1.0), float(one.score[place]))
    order = np.argsort(numbers, kind="stable")
    cuts = np.flatnonzero(np.diff(numbers[order])) + 1
    members = (part for part in np.split(order, cuts) if len(part) > 1)
    found = [
        Cluster(tuple(part.tolist()), *strongest[name], weakest[name])
        for part in members
        for name in [int(numbers[part[0]])]
    ]
    return sorted(found, key=lambda one: (-len(one.rows), one.rows))


def _evidence(corpus: Corpus) -> list[Likeness]:
    """The pairs that make two records one, the strongest kind first."""
    has_sound = np.asarray(pc.fill_null(corpus.manifest["has_audio"], False))
    found = [alike(corpus, kind) for kind in SOUNDS]
    for one in (alike(corpus, kind) for kind in PICTURES):
        chosen = ~(has_sound[one.left] & has_sound[one.right])
        found.append(replace(one, left=one.left[chosen], right=one.right[chosen], score=one.score[chosen]))
    return found
