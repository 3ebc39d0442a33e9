"""Settings that cannot be are refused with the reason."""

import pytest

from safe_data.core.errors import InputError
from safe_train.config import PathwayConfig, PredictConfig, StageAConfig, spread_layers


def test_layers_spread_over_the_depth() -> None:
    assert spread_layers(32) == (8, 16, 24, 32)
    assert spread_layers(4) == (1, 2, 3, 4)
    assert spread_layers(2) == (1, 2)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"rank": 8, "heads": 3}, "rank=8 does not divide among heads=3; choose a multiple"),
        ({"tokens": 0}, "tokens=0: must be at least 1"),
    ],
)
def test_a_pathway_that_cannot_be(choice: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PathwayConfig(**choice)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"steps": 0}, "steps=0: must be at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0: must be above 0"),
        ({"kl_weight": -1.0}, r"kl_weight=-1\.0: must be 0 or more"),
        ({"kl_weight": float("nan")}, "kl_weight=nan: must be 0 or more"),
        ({"silent_fraction": 1.5}, r"silent_fraction=1\.5: must be in \[0, 1\]"),
        ({"seed": -1}, "seed=-1: a seed is 0 or more"),
    ],
)
def test_what_cannot_be_trained(choice: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StageAConfig(**choice)


def test_a_negative_seed_draws_no_noise() -> None:
    with pytest.raises(InputError, match="seed=-1: a seed is 0 or more"):
        PredictConfig(seed=-1)
