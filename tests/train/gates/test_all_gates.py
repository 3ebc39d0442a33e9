"""All gates: every kind scores in [0, 1], and decides for a question as it would without the others."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_outcomes import made_outcomes

from safe_data.core.errors import InputError
from safe_train.gates.all_gates import FITTED_HERE, GATES, Recipe, make_gate
from safe_train.gates.gate import Gate
from safe_train.gates.states import States

STATES = made_outcomes(60, width=9).states
BUDGETS = (0, 4, 8)


def gate_of(kind: str) -> Gate:
    """A gate of this kind with random weights."""
    rng = np.random.default_rng(3)
    width, outputs = 10, len(BUDGETS) if kind in ("policy", "student") else 1
    units = 5 if GATES[kind].hidden else width
    weights = {}
    if GATES[kind].learned:
        weights = {"mean": rng.standard_normal(width), "deviation": rng.random(width) + 0.5}
        weights |= {
            "last.weight": rng.standard_normal((outputs, units)),
            "last.bias": rng.standard_normal(outputs),
        }
    if GATES[kind].hidden:
        weights |= {
            "first.weight": rng.standard_normal((units, width)),
            "first.bias": rng.standard_normal(units),
        }
    return make_gate(Recipe(kind, GATES[kind].features, 0.5, 4, BUDGETS), weights)


@pytest.mark.parametrize("kind", GATES)
def test_scores_lie_within_0_and_1_and_the_kind_is_kept(kind: str) -> None:
    gate = gate_of(kind)
    decisions = gate.decide(STATES)
    assert gate.kind == kind
    assert ((decisions.scores >= 0) & (decisions.scores <= 1)).all()
    assert set(decisions.tokens.tolist()) <= {0, *BUDGETS}
    assert gate.needs_state is (kind not in ("always", "never"))


@pytest.mark.parametrize("kind", GATES)
@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(60)), cut=st.integers(1, 59))
def test_no_decision_depends_on_the_batch(kind: str, order: list[int], cut: int) -> None:
    gate = gate_of(kind)
    whole = gate.decide(STATES).of(order)
    parts = [gate.decide(STATES.of(part)) for part in (order[:cut], order[cut:])]
    alone = gate.decide(STATES.of(order[:1]))
    for name in ("tokens", "scores"):
        in_parts = np.concatenate([getattr(part, name) for part in parts])
        assert getattr(whole, name).tobytes() == in_parts.tobytes()
        assert getattr(alone, name)[0] == getattr(whole, name)[0]


def test_always_and_never_need_no_state() -> None:
    unknown = np.full(3, np.nan)
    nothing = States(unknown, unknown, unknown, np.zeros((3, 0), np.float32), 1.0)
    assert gate_of("always").decide(nothing).tokens.tolist() == [4, 4, 4]
    assert gate_of("never").decide(nothing).tokens.tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["entropy", "linear", "policy"])
def test_a_state_that_is_not_finite_is_no_skip(kind: str) -> None:
    unknown = np.full(2, np.nan)
    with pytest.raises(ValueError, match="is the base's state all finite"):
        gate_of(kind).decide(States(unknown, unknown, unknown, np.full((2, 9), np.nan, np.float32), 1.0))


@pytest.mark.parametrize("kind", ["entropy", "confidence", "margin"])
def test_the_higher_the_threshold_the_fewer_listen(kind: str) -> None:
    listening = [
        make_gate(Recipe(kind, (), threshold, 4, (0, 4)), {}).decide(STATES).listens
        for threshold in np.linspace(0, 1, 21)
    ]
    assert all((after <= before).all() for before, after in pairwise(listening))
    assert listening[0].all()
    assert not listening[-1].any()


def test_another_kind_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"kind='entrophy': is no gate of this version; did you mean 'entropy'"
    ):
        make_gate(Recipe("entrophy", (), 0.5, 4, (0, 4)), {})
    with pytest.raises(InputError, match="kind='entropy': has no weights, and mean are given"):
        make_gate(Recipe("entropy", (), 0.5, 4, (0, 4)), {"mean": np.zeros(2)})
    with pytest.raises(InputError, match="kind='margin': has no threshold"):
        make_gate(Recipe("margin", (), None, 4, (0, 4)), {})


def test_those_fitted_on_a_table_are_the_choices_of_the_command() -> None:
    from typing import get_args

    from safe_train.settings.gate import GateKind

    assert get_args(GateKind) == FITTED_HERE
