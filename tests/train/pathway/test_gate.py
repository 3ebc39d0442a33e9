"""The gate is one number, or one per prompt, in [0, 1]."""

import pytest
import torch

from safe_data.core.errors import InputError
from safe_train.pathway.gate import gate_values


def test_one_number_or_one_per_prompt() -> None:
    assert gate_values(0.5).shape == ()
    assert gate_values([0.0, 1.0], batch_size=2).tolist() == [0.0, 1.0]
    assert gate_values(torch.tensor([0.25], dtype=torch.float64), batch_size=1).dtype == torch.float32


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (1.5, r"gate 1\.5 is outside \[0, 1\]; 0 is off and 1 is fully on"),
        (-0.1, r"gate -0\.1 is outside"),
        (float("nan"), "gate nan is outside"),
        ([0.0, 2.0, 1.0], "gate 2 is outside"),
        ([0.0, 1.0], r"gate of shape \(2,\) for a batch of 3; give one number, or one per prompt"),
        ([[0.0], [1.0], [1.0]], r"gate of shape \(3, 1\)"),
    ],
)
def test_what_is_no_gate(gate: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gate_values(gate, batch_size=3)


def test_a_gate_carries_no_gradient() -> None:
    assert not gate_values(torch.tensor(0.5, requires_grad=True)).requires_grad
