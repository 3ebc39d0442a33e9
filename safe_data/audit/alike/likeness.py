"""Likeness: the pairs of records that one kind of evidence says are the same, or nearly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.numerals import counted


@dataclass(frozen=True, eq=False)
class Likeness:
    """Pairs of rows of a corpus, each once with `left < right`, in ascending order.

    `score` is 1 for what is the same and less for what is only similar; `evidence` says in words what it is.
    Where the pairs could not be looked for, there are none and `why_not` says why; `unread` are the rows
    whose media could not be read, so that they are like nothing.
    """

    kind: str
    left: Int[ndarray, " pairs"]
    right: Int[ndarray, " pairs"]
    score: Float[ndarray, " pairs"]
    evidence: str = ""
    why_not: str | None = None
    unread: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.left)

    @property
    def pairs(self) -> Int[ndarray, "pairs 2"]:
        """The pairs as one array."""
        return np.stack([self.left, self.right], axis=1)


def from_pairs(
    kind: str, pairs: Iterable[tuple[int, int, float]], evidence: str = "", unread: tuple[int, ...] = ()
) -> Likeness:
    """A likeness of (row, row, score) in any order; of a pair that comes twice, the highest score counts.

    >>> from_pairs("near_sound", [(4, 2, 0.9), (2, 4, 0.95)]).pairs.tolist()
    [[2, 4]]
    """
    best: dict[tuple[int, int], float] = {}
    for one, other, score in pairs:
        if one != other:
            pair = (min(one, other), max(one, other))
            best[pair] = max(score, best.get(pair, 0.0))
    ordered = sorted(best)
    rows = np.array(ordered, np.int64).reshape(-1, 2)
    scores = np.array([best[pair] for pair in ordered], float)
    return Likeness(kind, rows[:, 0], rows[:, 1], scores, evidence, unread=unread)


def from_keys(
    kind: str, rows: Int[ndarray, " records"], keys: pa.Array | pa.ChunkedArray, evidence: str = ""
) -> Likeness:
    """Rows of equal keys as pairs of each with the first of them; a missing or empty key equals nothing.

    A star holds a cluster together as all its pairs would, and a million copies are a million pairs.

    >>> from_keys("sound", np.array([3, 5, 8]), pa.array(["a", None, "a"])).pairs.tolist()
    [[3, 8]]
    """
    given = pc.fill_null(pc.not_equal(keys, ""), False)
    rows, keys = rows[np.asarray(given)], keys.filter(given)
    codes = pc.dictionary_encode(keys)
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    numbers = np.asarray(codes.indices)
    order = np.lexsort((rows, numbers))
    rows, numbers = rows[order], numbers[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    firsts = np.repeat(rows[starts], np.diff(np.append(starts, len(rows))))
    others = rows != firsts
    left, right = firsts[others], rows[others]
    order = np.lexsort((right, left))
    return Likeness(kind, left[order], right[order], np.ones(len(order)), evidence)


def unavailable(kind: str, why_not: str) -> Likeness:
    """A likeness that could not be looked for."""
    none = np.zeros(0, np.int64)
    return Likeness(kind, none, none, np.zeros(0), why_not=why_not)


def joined(kind: str, likenesses: Sequence[Likeness]) -> Likeness:
    """The pairs of several likenesses; each pair once, with its highest score.

    >>> joined("any", [from_pairs("a", [(0, 1, 0.5)]), from_pairs("b", [(0, 1, 1.0)])]).score.tolist()
    [1.0]
    """
    left, right, score = (
        np.concatenate([getattr(one, name) for one in likenesses]) if likenesses else np.zeros(0)
        for name in ("left", "right", "score")
    )
    order = np.lexsort((-score, right, left))
    left, right, score = left[order], right[order], score[order]
    first = np.append(True, (np.diff(left) != 0) | (np.diff(right) != 0))[: len(left)]
    evidence = ", ".join(dict.fromkeys(one.evidence for one in likenesses if one.evidence))
    unread = tuple(sorted({row for one in likenesses for row in one.unread}))
    left, right = left[first].astype(np.int64), right[first].astype(np.int64)
    return Likeness(kind, left, right, score[first], evidence, unread=unread)


def require_all_read(likeness: Likeness) -> None:
    """Refuse a likeness that was not looked for among all records: a count of it would be too low.

    Raises:
        ValueError: it could not be looked for, or media could not be read.
    """
    if likeness.why_not:
        raise ValueError(likeness.why_not)
    if unread := len(likeness.unread):
        raise ValueError(f"the media of {counted(unread, 'record')} cannot be read; see `safe-data verify`")
