"""Units are what groups and clusters connect, whatever the order of the rows."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.splitting.units import Units, classes_of, units_of

ROWS = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c", "d", "e"]), st.integers(0, 8), st.booleans()), max_size=12
)


def units(ids: list[str], groups: list[str | None], clusters: list[int], counts: list[bool]) -> Units:
    return units_of(
        pa.array(ids, pa.string()),
        pa.array(groups, pa.string()),
        np.array(counts, bool),
        np.array(clusters, int),
    )


def test_a_cluster_joins_groups_and_a_record_without_a_group_is_alone() -> None:
    found = units(list("vwxyz"), ["g", "h", None, "", "g"], [0, 4, 2, 3, 4], [True, True, True, False, True])
    assert found.of_row.tolist() == [0, 0, 1, 2, 0]  # v and z share g, w and z a sound
    assert found.sizes.tolist() == [3, 1, 0]  # y was rejected
    assert found.groups.tolist() == [2, 0, 0]
    assert found.group_count == 2
    assert found.names == ("group g", "record x", "record y")


@settings(max_examples=50, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[str, int, bool]], random: object) -> None:
    named = [(f"r{number:02}", *row) for number, row in enumerate(rows)]
    mixed = list(named)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = (
        units([r[0] for r in order], [r[1] for r in order], [r[2] for r in order], [r[3] for r in order])
        for order in (named, mixed)
    )
    numbers = dict(zip([row[0] for row in mixed], other.of_row.tolist(), strict=True))
    assert [numbers[row[0]] for row in named] == one.of_row.tolist()
    assert (one.names, one.sizes.tolist(), one.groups.tolist()) == (
        other.names,
        other.sizes.tolist(),
        other.groups.tolist(),
    )


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_no_group_and_no_cluster_is_in_two_units(rows: list[tuple[str, int, bool]]) -> None:
    found = (
        units([f"r{n:02}" for n in range(len(rows))], *map(list, zip(*rows, strict=True))) if rows else None
    )
    for key in (0, 1) if found else ():
        seen: dict[object, int] = {}
        for row, unit in zip(rows, found.of_row.tolist(), strict=True):
            if row[key] != "":
                assert seen.setdefault(row[key], unit) == unit


def test_classes_are_counted_among_the_chosen_records() -> None:
    classes = classes_of(np.array([0, 0, 1, 2]), pa.array(["how", "what", "how", None]))
    assert classes.names == ("", "how", "what")
    counts = classes.counts(np.array([1, 0, 0]), 2, np.array([True, True, False]))
    assert counts.toarray().tolist() == [[0, 1, 0], [0, 1, 1]]
