"""What the losses of a training say, on curves that are planted."""

from pathlib import Path

import pytest

from safe_train.experiments.experiment import Material
from safe_train.experiments.training import falls, near_zero, no_divergence, training_of
from safe_train.settings.plan import PlanConfig
from safe_train.stages.logs import StepLoss


def losses(*values: float) -> list[StepLoss]:
    return [StepLoss(step, value) for step, value in enumerate(values)]


def test_the_settings_are_the_plans_and_single_options_win() -> None:
    plan = PlanConfig(shards=(Path("s"),), backbone="b", options={"epochs": 2.0, "rank": 4})
    config = training_of(plan, Material(0, (Path("s"),), "b"), Path("o"), seed=3, quiet=True, steps=5)
    assert (config.optim.steps, config.optim.epochs, config.pathway.rank) == (5, None, 4)
    assert (config.run.seed, config.run.quiet, config.optim.batch_size) == (3, True, 80)
    config = training_of(plan, Material(0, (Path("s"),), "b"), Path("o"), seed=3, quiet=True)
    assert (config.optim.steps, config.optim.epochs) == (None, 2.0)


@pytest.mark.parametrize(
    ("values", "decision", "said"),
    [
        ([1.0] * 60, "go", "60 losses, the highest 1 nats per token"),
        ([1.0] * 60 + [25.0], "no-go", "step 60: the loss jumped to 25"),
        ([1.0, float("nan")], "no-go", "step 1: the loss is nan"),
        ([], "not measured", "no loss was logged"),
    ],
)
def test_a_jump_or_a_loss_that_is_not_finite_is_divergence(
    values: list[float], decision: str, said: str
) -> None:
    found = no_divergence(losses(*values), 20.0, name="n", file="f")
    assert found.decision == decision
    assert found.evidence.startswith(said)


def test_near_zero_is_decided_by_the_interval() -> None:
    assert near_zero([0.01, 0.03] * 100, 0.1, file="f").decision == "go"
    assert near_zero([0.5, 0.6] * 100, 0.1, file="f").decision == "no-go"
    assert near_zero([0.0, 0.19] * 10, 0.1, file="f").decision == "not measured"  # two steps say little
    assert near_zero([0.01], 0.1, file="f").decision == "not measured"


def test_a_curve_that_rises_or_stays_does_not_fall() -> None:
    assert falls([0.9**step for step in range(100)], file="f").decision == "go"
    assert falls([1.0] * 100, file="f").decision == "no-go"
    assert falls([0.9**step for step in range(80)] + [0.3] * 20, file="f").decision == "no-go"
    assert falls([1.0] * 9, file="f").decision == "not measured"
