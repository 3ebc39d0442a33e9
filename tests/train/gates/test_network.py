"""Networks of gates: what NumPy computes is the plain formula, and tensors that do not fit are refused."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_train.gates.features import CLAMP
from safe_train.gates.network import network_from

RNG = np.random.default_rng(0)
LINEAR = {
    "mean": RNG.standard_normal(4),
    "deviation": RNG.random(4) + 0.5,
    "last.weight": RNG.standard_normal((2, 4)),
    "last.bias": RNG.standard_normal(2),
}
DEEP = LINEAR | {
    "first.weight": RNG.standard_normal((3, 4)),
    "first.bias": RNG.standard_normal(3),
    "last.weight": RNG.standard_normal((2, 3)),
}


def test_it_computes_the_plain_formula_in_clamped_standard_deviations() -> None:
    features = 4 * RNG.standard_normal((50, 4))
    inputs = np.clip((features - DEEP["mean"]) / DEEP["deviation"], -CLAMP, CLAMP)
    assert np.abs(inputs).max() == CLAMP
    hidden = np.maximum(inputs @ DEEP["first.weight"].T + DEEP["first.bias"], 0)
    wanted = hidden @ DEEP["last.weight"].T + DEEP["last.bias"]
    np.testing.assert_allclose(network_from(DEEP, hidden=True, outputs=2)(features), wanted, atol=1e-12)
    wanted = inputs @ LINEAR["last.weight"].T + LINEAR["last.bias"]
    np.testing.assert_allclose(network_from(LINEAR, hidden=False, outputs=2)(features), wanted, atol=1e-12)


def test_a_state_of_another_width_is_no_broadcast() -> None:
    narrow = {name: array[..., :1] if name != "last.bias" else array for name, array in LINEAR.items()}
    with pytest.raises(ValueError, match="4 features: this gate was fitted on 1"):
        network_from(narrow, hidden=False, outputs=2)(np.ones((3, 4)))


def test_its_weights_make_it_again() -> None:
    for weights, hidden in ((LINEAR, False), (DEEP, True)):
        assert network_from(weights, hidden=hidden, outputs=2).weights.keys() == weights.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": np.zeros(1)}, "expected mean, deviation, last.weight, last.bias: more"),
        ({"mean": np.zeros(5)}, r"deviation has the shape \[4\], expected \[5\]"),
        ({"last.bias": np.zeros(3)}, r"last.bias has the shape \[3\], expected \[2\]"),
        ({"deviation": np.zeros(4)}, "deviation is not above 0 everywhere"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        network_from(LINEAR | change, hidden=False, outputs=2)
    with pytest.raises(InputError, match=r"first\.bias"):
        network_from(LINEAR, hidden=True, outputs=2)
