"""Neighbours: all pairs of vectors whose cosine reaches a bound, in little memory.

An exact search compares all pairs. With many vectors, an index of faiss looks only into the cells near each
of them; what it finds is computed anew, so that it may miss a pair and never makes one up.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float16, Float32, Int
from numpy import ndarray
from threadpoolctl import threadpool_limits

from safe_data.core.cores import cores
from safe_data.core.errors import require_extra

FEW = 20_000  # vectors that are compared in seconds, so that an index does not pay off
MANY = 300_000  # vectors; to compare all pairs of more takes longer than ten minutes
MOST_PAIRS = 20_000_000

_BLOCK = 2_048  # vectors; a block of products takes 32 MB
_CELLS, _IN_A_CELL, _CELLS_AROUND = 1_024, 40, 8  # at most; vectors at least; in which a pair is looked for
_ROUNDING = 1e-4  # by which the cosines of an index may be off

Vectors = Float32[ndarray, "vectors dims"] | Float16[ndarray, "vectors dims"]


class Near(NamedTuple):
    """Pairs of numbers of vectors, each with `left < right`, and their cosines."""

    left: Int[ndarray, " pairs"]
    right: Int[ndarray, " pairs"]
    cosine: Float[ndarray, " pairs"]


def nearest_pairs(vectors: Vectors, at_least: float) -> Near:
    """The pairs of vectors of length 1 with at least this cosine: surely all of few, or without faiss.

    Raises:
        InputError: there are more than 300,000 vectors, and faiss is not installed.
        ValueError: there are more than 20 million pairs.
    """
    if len(vectors) > MANY:
        require_extra(f"a search for neighbours among {len(vectors)} embeddings", "faiss", "faiss")
    if len(vectors) > FEW and importlib.util.find_spec("faiss"):
        return indexed_pairs(vectors, at_least)
    return near_pairs(vectors, at_least)


def near_pairs(vectors: Vectors, at_least: float) -> Near:
    """The pairs of vectors of length 1 whose cosine is at least so large, in ascending order.

    The work grows with the square of their number.

    Raises:
        ValueError: there are more than 20 million pairs.

    >>> near_pairs(np.eye(3, dtype=np.float32)[[0, 1, 0]], 0.9)[:2]
    (array([0]), array([2]))
    """
    tops = range(0, len(vectors), _BLOCK)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
        rows = pool.map(lambda top: _gathered(_row_of_blocks(vectors, top, at_least), at_least), tops)
        return _gathered(rows, at_least)


def indexed_pairs(vectors: Vectors, at_least: float) -> Near:
    """The pairs that an index of faiss finds among vectors of length 1, each checked by its exact cosine.

    Vectors are sorted into cells by a sample of them, and each is compared with those of the cells around it.

    Raises:
        InputError: faiss is not installed.
        ValueError: there are more than 20 million pairs.
    """
    require_extra("a fast search for neighbours", "faiss", "faiss")
    count, dims = vectors.shape
    if count < _IN_A_CELL:
        return near_pairs(vectors, at_least)
    import faiss

    cells = min(_CELLS, count // _IN_A_CELL)
    index: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(dims), dims, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 4  # cells that are good enough; more rounds take longer than they save
    index.nprobe = _CELLS_AROUND
    with threadpool_limits(cores(), "openmp"):
        index.train(vectors[:: max(1, count // (_IN_A_CELL * cells))].astype(np.float32))
        return _gathered(_cells(index, vectors, at_least), at_least)


def _gathered(blocks: Iterable[Near], at_least: float) -> Near:
    """All pairs, each once, in ascending order."""
    found, pairs = [Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))], 0
    for block in blocks:
        found.append(block)
        pairs += len(block.left)
        if pairs > MOST_PAIRS:
            raise ValueError(
                f"more than {MOST_PAIRS} pairs have a cosine of {at_least} or more: these vectors tell too "
                "little apart"
            )
    left, right, cosine = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((right, left))
    left, right, cosine = left[order], right[order], cosine[order]
    new = np.append(True, (np.diff(left) != 0) | (np.diff(right) != 0))[: len(left)]
    return Near(left[new], right[new], cosine[new])


def _row_of_blocks(vectors: Vectors, top: int, at_least: float) -> Iterator[Near]:
    """The pairs of one block of vectors with itself and with each later block."""
    rows = vectors[top : top + _BLOCK].astype(np.float32)
    for start in range(top, len(vectors), _BLOCK):
        columns = rows if start == top else vectors[start : start + _BLOCK].astype(np.float32)
        cosines = rows @ columns.T
        left, right = np.nonzero(cosines >= at_least)
        chosen = left + top < right + start
        left, right = left[chosen], right[chosen]
        yield Near(left + top, right + start, cosines[left, right].astype(float))


def _cells(index: Any, vectors: Vectors, at_least: float) -> Iterator[Near]:
    """The pairs of each block of vectors with those in the cells around; most are found from both sides."""
    for first in range(0, len(vectors), _BLOCK):
        index.add(vectors[first : first + _BLOCK].astype(np.float32))
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK].astype(np.float32)
        limits, _, right = index.range_search(block, at_least - _ROUNDING)
        left = np.repeat(np.arange(len(block)), np.diff(limits.astype(np.int64)))
        cosine = np.einsum("ij,ij->i", block[left], vectors[right].astype(np.float32))
        left = left + first
        chosen = (cosine >= at_least) & (left != right)
        low, high = np.sort(np.stack([left, right])[:, chosen], axis=0)
        yield Near(low, high, cosine[chosen].astype(float))
