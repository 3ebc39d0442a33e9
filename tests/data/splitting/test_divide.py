"""Splits, dev and folds are of whole units, the same for any order of rows; kept splits show what leaks."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.splitting.divide import NOWHERE, Divided, Divisible, Wanted, divide
from safe_data.splitting.report import cleaned_of, largest_units, missed_parts, parts_of, wanted_shares
from safe_data.splitting.units import classes_of, units_of

THREE = ("train", "val", "test")


def divisible(
    groups: list[str], now: list[str], ids: list[str] | None = None, ok: int | None = None
) -> Divisible:
    """Records whose label is the first letter of their group; after the first `ok`, they are rejected."""
    ids = ids or [f"r{number:03}" for number in range(len(groups))]
    counts = np.arange(len(groups)) < (len(groups) if ok is None else ok)
    units = units_of(pa.array(ids), pa.array(groups), counts)
    rows = np.flatnonzero(counts)
    classes = classes_of(rows, pa.array([groups[row][:1] for row in rows]))
    return Divisible(units, counts, classes, tuple(now))


def splits_by_id(divided: Divided, ids: list[str]) -> dict[str, tuple[str, int]]:
    return {
        name: (divided.names[split], int(fold))
        for name, split, fold in zip(ids, divided.split, divided.fold, strict=True)
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 15), min_size=12, max_size=60), st.randoms(use_true_random=False))
def test_no_group_crosses_and_the_order_of_rows_does_not_matter(groups: list[int], random: object) -> None:
    ids = [f"r{number:03}" for number in range(len(groups))]
    rows = list(zip(ids, (f"{'ab'[number % 2]}{number}" for number in groups), strict=True))
    wanted = Wanted(THREE, (0.6, 0.2, 0.2), dev=0.25)
    found = []
    for order in (rows, random.sample(rows, len(rows))):  # type: ignore[attr-defined]
        names, of = [row[0] for row in order], [row[1] for row in order]
        divided = divide(divisible(of, ["train"] * len(order), names), wanted)
        assert (divided.leaks == NOWHERE).all()
        seen: dict[str, int] = {}
        for group, split in zip(of, divided.split.tolist(), strict=True):
            assert seen.setdefault(group, split) == split
        found.append(splits_by_id(divided, names))
    assert found[0] == found[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=20, max_size=60), st.integers(2, 5))
def test_folds_partition_train_and_nothing_else(groups: list[int], folds: int) -> None:
    names = [f"a{number}" for number in groups]
    if len(set(names)) < folds * 3:
        return
    given_rows = divisible(names, ["train"] * len(names))
    divided = divide(given_rows, Wanted(("train", "test"), (0.8, 0.2), folds=folds))
    in_train = divided.split == 0
    assert ((divided.fold >= 0) == in_train).all()
    assert set(divided.fold[in_train].tolist()) == set(range(folds))
    for group in set(names):
        assert len({int(fold) for fold, name in zip(divided.fold, names, strict=True) if name == group}) == 1


def test_dev_comes_out_of_train_and_the_other_splits_stay() -> None:
    groups = [f"a{number}" for number in range(100)]
    now = ["train"] * 80 + ["test"] * 20
    divided = divide(divisible(groups, now), Wanted(("train", "test"), dev=0.25))
    assert divided.names == ("train", "dev", "test")
    assert np.bincount(divided.split).tolist() == [60, 20, 20]
    assert divided.split[80:].tolist() == [2] * 20


def test_kept_splits_are_cleaned_of_what_an_earlier_one_has() -> None:
    groups = ["a", "b", "c", "b", "c", "d", "c", "d", "e"]
    now = ["train", "train", "train", "val", "val", "val", "test", "test", "test"]
    given_rows = divisible(groups, now)
    divided = divide(given_rows, Wanted(THREE))
    assert [THREE[code] if code >= 0 else "" for code in divided.leaks] == [
        *["", "", ""],
        *["train", "train", ""],
        *["train", "val", ""],
    ]
    val, test = cleaned_of(given_rows, divided, np.arange(9))
    assert (val.leaking_records, val.leaking_questions, val.seen_in) == (2, 7, {"train": 2})
    assert (test.leaking_records, test.leaking_questions, test.seen_in) == (2, 13, {"train": 1, "val": 1})
    assert (test.records, test.questions, test.file) == (3, 21, "test.clean.txt")


def test_a_rejected_record_goes_where_its_group_goes_and_counts_for_nothing() -> None:
    groups = ["a", "b", "c", "d", "b", "z"]
    given_rows = divisible(groups, ["train"] * 6, ok=4)
    divided = divide(given_rows, Wanted(("train", "test"), (0.5, 0.5)))
    assert np.bincount(divided.split[:4]).tolist() == [2, 2]
    assert divided.split[4] == divided.split[1]
    assert divided.split[5] == 0


def test_a_giant_group_is_named_where_it_makes_fractions_impossible() -> None:
    given_rows = divisible(["big"] * 90 + [f"a{number}" for number in range(10)], ["train"] * 100)
    wanted = Wanted(THREE, (0.8, 0.1, 0.1))
    divided = divide(given_rows, wanted)
    parts = parts_of(given_rows, divided.split, THREE, wanted_shares(wanted), np.zeros(100, int))
    largest = largest_units(given_rows, divided)
    assert [part.records for part in parts] == [90, 5, 5]
    assert list(missed_parts(parts, largest, 0.02)) == [
        "train has 90 % of the records, not 80 %",
        "val has 5 % of the records, not 10 %",
        "test has 5 % of the records, not 10 %",
        "group big has 90 % of them, more than any split should have",
    ]
    assert list(missed_parts(parts, largest, 0.2)) == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            Wanted(("train", "test")),
            "--names train test: the corpus also has val; name all splits, each before those that are "
            "cleaned of it, such as --names train test val",
        ),
        (
            Wanted(("train", "val", "test"), folds=3),
            "--folds 3: train has 2 units that stay together; give no more folds than that",
        ),
        (
            Wanted(("dev", "train", "val", "test"), folds=3),
            "--dev and --folds divide dev, and it has no record; leave them out",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused(wanted: Wanted, message: str) -> None:
    given_rows = divisible(["a", "a", "b", "c", "d"], ["train", "train", "train", "val", "test"])
    with pytest.raises(InputError) as refused:
        divide(given_rows, wanted)
    assert str(refused.value) == message
