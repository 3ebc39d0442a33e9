"""Units: records that must stay together, because they share a group or are one and the same.

A unit is a connected component of groups and clusters. Units are numbered in the order of the smallest id in
each, so that neither the order of the rows nor that of the groups matters.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Rows = Int[ndarray, " records"]


@dataclass(frozen=True, eq=False)
class Units:
    """The unit of each record, how many records of each count, and its groups.

    Rejected records have a unit, and count for nothing.
    """

    of_row: Rows
    sizes: Int[ndarray, " units"]
    groups: Int[ndarray, " units"]  # in each unit; a record without a group is none
    group_count: int
    names: tuple[str, ...]  # `group NAME`, its first, or `record ID` where it has none

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def joined(self) -> int:
        """How many units hold more than one group, because of what their records share."""
        return int((self.groups > 1).sum())


def units_of(
    ids: pa.Array, groups: pa.Array, counts: Bool[ndarray, " records"], clusters: Rows | None = None
) -> Units:
    """The units of records.

    Args:
        ids: the id of each record, each once
        groups: the group of each record; one without is in no group
        counts: which records count
        clusters: a number that is equal for records that are one and the same (default: none are)
    """
    rows = len(ids)
    names = pc.fill_null(groups, "").dictionary_encode()
    words = names.dictionary.to_pylist()
    group = np.asarray(names.indices, np.int64)
    nowhere = words.index("") if "" in words else -1
    alone = group == nowhere
    group = np.where(alone, len(words) + np.arange(rows), group)
    number = _joined(
        np.arange(rows) if clusters is None else clusters, np.unique(group, return_inverse=True)[1]
    )
    rank = np.empty(rows, np.int64)
    rank[np.asarray(pc.sort_indices(ids))] = np.arange(rows)
    first = np.full(int(number.max(initial=-1)) + 1, rows)
    np.minimum.at(first, number, rank)
    of_row = np.argsort(np.argsort(first, kind="stable"), kind="stable")[number]
    count = len(first)
    pairs = np.unique(np.stack([of_row[~alone], group[~alone]]), axis=1)
    return Units(
        of_row=of_row,
        sizes=np.bincount(of_row, counts, count).astype(np.int64),
        groups=np.bincount(pairs[0], minlength=count),
        group_count=len(words) - (nowhere >= 0),
        names=_names(of_row, _labels(ids, groups, alone), count),
    )


@dataclass(frozen=True, eq=False)
class Classes:
    """Things that have a class, such as records or questions: the record of each, and its class."""

    rows: Rows
    codes: Int[ndarray, " things"]
    names: tuple[str, ...]

    def counts(self, of_row: Rows, units: int, chosen: Bool[ndarray, " records"]) -> csr_array:
        """How often each class is in each unit (units × classes), among the chosen records."""
        there = chosen[self.rows]
        where = of_row[self.rows[there]], self.codes[there]
        ones = np.ones(int(there.sum()), np.int64)
        return csr_array(coo_array((ones, where), shape=(units, len(self.names))))


NO_CLASSES = Classes(np.zeros(0, np.int64), np.zeros(0, np.int64), ())


def classes_of(rows: Rows, values: pa.Array) -> Classes:
    """The classes of things, in the order of their names; null is a class as well.

    >>> classes_of(np.arange(3), pa.array(["dog", None, "crow"])).names
    ('', 'crow', 'dog')
    """
    codes = pc.fill_null(values, "").dictionary_encode()
    order = np.asarray(pc.sort_indices(codes.dictionary), np.int64)
    rank = np.argsort(order)
    return Classes(
        rows, rank[np.asarray(codes.indices, np.int64)], tuple(codes.dictionary.take(order).to_pylist())
    )


def _joined(one: Rows, other: Rows) -> Rows:
    """The component of each record, where records with the same number of either kind are connected."""
    one = np.unique(one, return_inverse=True)[1]
    left, right = one, other + int(one.max(initial=-1)) + 1
    nodes = int(right.max(initial=-1)) + 1
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(nodes, nodes))
    found: Rows = connected_components(links, directed=False)[1][left].astype(np.int64)
    return np.unique(found, return_inverse=True)[1]


def _labels(ids: pa.Array, groups: pa.Array, alone: Bool[ndarray, " records"]) -> pa.Array:
    """What each record gives its unit as a name; a group comes before a record."""
    of_group = pc.binary_join_element_wise("group ", pc.fill_null(groups, ""), "")
    return pc.if_else(pa.array(alone), pc.binary_join_element_wise("record ", ids, ""), of_group)


def _names(of_row: Rows, names: pa.Array, count: int) -> tuple[str, ...]:
    """The first name in each unit."""
    order = np.asarray(pc.sort_indices(names))
    units, places = np.unique(of_row[order], return_index=True)
    found = [""] * count
    for unit, name in zip(units.tolist(), names.take(pa.array(order[places])).to_pylist(), strict=True):
        found[unit] = name
    return tuple(found)
