"""Schedules: rates rise, then fall or stay; the gate opens and is never quite closed; budgets are drawn."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_train.stages.schedule import budget_at, gate_at, rate_at

KINDS = ("none", "linear", "cosine", "step")


@given(st.integers(1, 3000), st.integers(0, 500), st.data())
def test_the_cosine_is_the_one_of_transformers_times_a_linear_warm_up(
    steps: int, warm_up: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, steps - 1))
    rising = min(1.0, (step + 1) / max(warm_up, 1)) if warm_up else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    assert rate_at(step, steps, warm_up=warm_up) == pytest.approx(rising * cosine)
    assert rate_at(step, steps, warm_up=warm_up, kind="constant") == pytest.approx(rising)


def test_every_rate_trains_and_the_last_is_almost_zero() -> None:
    rates = [rate_at(step, 100, warm_up=10) for step in range(100)]
    assert min(rates) > 0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3
    assert {rate_at(step, 100, warm_up=10, kind="constant") for step in range(10, 100)} == {1.0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_opens_once_and_is_never_quite_closed(kind: str) -> None:
    gates = [gate_at(step, kind, 50) for step in range(80)]
    assert 0 < gates[0] <= 1
    assert gates == sorted(gates)
    assert set(gates[50:]) == {1.0}


def test_how_the_gate_opens() -> None:
    assert {gate_at(step, "none", 50) for step in range(80)} == {1.0}
    assert {gate_at(step, "step", 50) for step in range(50)} == {0.1}
    assert [gate_at(step, "linear", 4) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert [gate_at(step, "cosine", 4) for step in range(4)] == pytest.approx(
        [0.5 - math.cos(math.pi * part) / 2 for part in (0.25, 0.5, 0.75, 1.0)]
    )


def test_each_step_draws_one_budget_from_the_seed_and_the_step_alone() -> None:
    drawn = [[budget_at(step, (4, 8, 12), seed) for step in range(900)] for seed in (0, 1)]
    assert drawn[0] == [budget_at(step, (4, 8, 12), 0) for step in range(900)]
    assert drawn[0] != drawn[1]
    for one in drawn:
        counts = Counter(one)
        assert set(counts) == {4, 8, 12}
        assert min(counts.values()) > 250  # of 300 expected, more than three deviations of 14
        pairs = Counter(pairwise(one))
        assert len(pairs) == 9
        assert min(pairs.values()) > 65  # of 100: a step says nothing of the next
    assert {budget_at(step, (8,), 0) for step in range(50)} == {8}
