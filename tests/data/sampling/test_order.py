"""The order is a shuffle, and a pure function of seed, epoch and position."""

import subprocess
import sys
from itertools import pairwise, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_data.sampling import order as module
from safe_data.sampling.order import Order

lengths, seeds = st.integers(1, 300), st.integers(0, 2**70)
quickly = settings(max_examples=100, deadline=None)


@quickly
@given(length=lengths, seed=seeds, epoch=st.integers(0, 10**12))
def test_an_epoch_has_every_row_once(length: int, seed: int, epoch: int) -> None:
    found = Order(length, seed).indices(epoch * length, (epoch + 1) * length)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(np.sort(found), np.arange(length))
    np.testing.assert_array_equal(found, Order(length, seed).epoch(epoch))


@quickly
@given(
    length=lengths,
    seed=seeds,
    start=st.integers(0, 10**9),
    cuts=st.lists(st.integers(0, 700), max_size=6).map(sorted),
)
def test_a_resumed_run_sees_the_same_rows(length: int, seed: int, start: int, cuts: list[int]) -> None:
    whole = Order(length, seed).indices(start, start + 700)
    places = [start, *(start + cut for cut in cuts), start + 700]
    pieces = [Order(length, seed).indices(a, b) for a, b in pairwise(places)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@quickly
@given(length=lengths, seed=seeds, start=st.integers(0, 10**6), ranks=st.integers(1, 9))
def test_any_number_of_ranks_shares_one_sequence(length: int, seed: int, start: int, ranks: int) -> None:
    order = Order(length, seed)
    whole = order.indices(start, start + 500)
    shared = np.full(500, -1)
    for rank in range(ranks):
        shared[rank::ranks] = Order(length, seed).indices(start + rank, start + 500, ranks)
    np.testing.assert_array_equal(shared, whole)


def test_epochs_seeds_and_streams_differ() -> None:
    orders = [
        Order(50, seed, stream).epoch(epoch) for seed in (0, 1) for stream in ("", "a") for epoch in (0, 1)
    ]
    assert len({order.tobytes() for order in orders}) == 8
    assert not any((order == np.arange(50)).all() for order in orders)


def test_every_permutation_is_as_likely_as_any_other() -> None:
    epochs = 12_000
    for length in (2, 3, 4, 5):
        rows = Order(length, seed=3).indices(0, epochs * length).reshape(epochs, length)
        seen = dict.fromkeys(permutations(range(length)), 0)
        for row in rows.tolist():
            seen[tuple(row)] += 1
        expected = epochs / factorial(length)
        chi_squared = sum((count - expected) ** 2 / expected for count in seen.values())
        freedom = len(seen) - 1
        assert chi_squared < freedom + 4 * (2 * freedom) ** 0.5


def test_neighbours_in_a_large_epoch_are_strangers() -> None:
    rows = Order(200_000, seed=1).epoch(0)
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.01
    assert 0.49 < (np.diff(rows) < 0).mean() < 0.51


def test_the_sequence_is_the_same_everywhere_and_always() -> None:
    expected = [2, 1, 2, 3, 6, 5, 4, 1, 0]
    assert Order(7, seed=0).indices(5, 14).tolist() == expected
    code = "from safe_data.sampling.order import Order; print(Order(7, seed=0).indices(5, 14).tolist())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(expected)


def test_no_positions_are_no_rows() -> None:
    assert Order(3, seed=0).indices(5, 5).tolist() == []
    assert Order(3, seed=0).indices(5, 2).tolist() == []


def test_the_cached_epoch_cannot_be_changed() -> None:
    order = Order(5, seed=0)
    with pytest.raises(ValueError, match="read-only"):
        order.epoch(0)[0] = 9
    order.indices(0, 5)[0] = 9
    assert sorted(order.indices(0, 5).tolist()) == [0, 1, 2, 3, 4]


def test_what_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^an order of 0 rows: there is nothing to shuffle; give 1 or more$"
    ):
        Order(0, seed=0)
    with pytest.raises(ValueError, match=r"^positions from -1 by 1: start is at least 0, step at least 1$"):
        Order(5, seed=0).indices(-1, 4)
    with pytest.raises(ValueError, match="from 0 by 0"):
        Order(5, seed=0).indices(0, 4, 0)


def test_a_thread_that_uses_another_epoch_does_not_change_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(50, seed=0)
    shuffled = module._shuffled

    class Interrupted(np.ndarray):
        """Another thread takes over while the order is made read-only."""

        @property
        def flags(self):  # type: ignore[override]
            monkeypatch.setattr(module, "_shuffled", shuffled)
            order.epoch(0)
            return super().flags

    monkeypatch.setattr(module, "_shuffled", lambda *given: shuffled(*given).view(Interrupted))
    assert order.epoch(1).tolist() == Order(50, seed=0).epoch(1).tolist()
