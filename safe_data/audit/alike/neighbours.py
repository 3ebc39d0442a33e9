"""Neighbours: all pairs of vectors whose cosine reaches a bound, exactly and in little memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float16, Float32, Int
from numpy import ndarray

_BLOCK = 2_048  # vectors; a block of products takes 32 MB

Vectors = Float32[ndarray, "vectors dims"] | Float16[ndarray, "vectors dims"]


class Near(NamedTuple):
    """Pairs of numbers of vectors, each with `left < right`, and their cosines."""

    left: Int[ndarray, " pairs"]
    right: Int[ndarray, " pairs"]
    cosine: Float[ndarray, " pairs"]


def near_pairs(vectors: Vectors, at_least: float) -> Near:
    """The pairs of vectors of length 1 whose cosine is at least so large, in ascending order.

    The work grows with the square of their number.

    >>> near_pairs(np.eye(3, dtype=np.float32)[[0, 1, 0]], 0.9)[:2]
    (array([0]), array([2]))
    """
    found = list(_blocks(vectors, at_least))
    left, right, cosine = (
        (np.concatenate(parts) for parts in zip(*found, strict=True)) if found else _nothing()
    )
    order = np.lexsort((right, left))
    return Near(left[order], right[order], cosine[order])


def _blocks(vectors: Vectors, at_least: float) -> Iterator[Near]:
    """The pairs of each block of vectors with itself and with all later blocks."""
    for top in range(0, len(vectors), _BLOCK):
        rows = vectors[top : top + _BLOCK].astype(np.float32)
        for start in range(top, len(vectors), _BLOCK):
            columns = rows if start == top else vectors[start : start + _BLOCK].astype(np.float32)
            cosines = rows @ columns.T
            left, right = np.nonzero(cosines >= at_least)
            chosen = left + top < right + start
            left, right = left[chosen], right[chosen]
            yield Near(left + top, right + start, cosines[left, right].astype(float))


def _nothing() -> Near:
    return Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
