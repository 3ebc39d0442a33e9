"""A loss that is not finite or jumps stops the training, and the message says where to look."""

import math
import re

import pytest

from safe_data.core.errors import InputError
from safe_train.stages.loss_guard import LossGuard


def ids() -> list[str]:
    return [f"clip-{i}" for i in range(80)]


def test_losses_that_fall_and_vary_pass() -> None:
    guard = LossGuard(4.0)
    for step in range(300):
        guard.check(step, 5.0 * math.exp(-step / 60) + 0.3 * (step % 3), ids)
    assert len(guard.losses) == 100


@pytest.mark.parametrize(("loss", "word"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_a_loss_that_is_not_finite_stops_at_once(loss: float, word: str) -> None:
    message = (
        f"step 0: the loss is {word}; lower the learning rate, or look for faulty data with "
        "`safe-data check`; the batch: clip-0, clip-1, clip-2, clip-3, clip-4 and 75 more"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        LossGuard(4.0).check(0, loss, ids)


def test_the_message_names_the_median_that_is_known() -> None:
    guard = LossGuard(math.inf, [0.25, 0.5, 0.75])
    message = (
        "step 812: the loss is nan (median of the last 3: 0.5); lower the learning rate, or look for faulty "
        "data with `safe-data check`; the batch: clip-7"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        guard.check(812, math.nan, lambda: ["clip-7"])


def test_a_spike_is_above_the_factor_times_the_median_and_above_a_nat() -> None:
    guard = LossGuard(10.0, [0.5] * 100)
    guard.check(100, 5.0, ids)
    message = (
        "step 101: the loss jumped to 5.01 (median of the last 100: 0.5); lower the learning rate, or look "
        "for faulty data with `safe-data check`; the batch: clip-0, clip-1"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        guard.check(101, 5.01, lambda: ids()[:2])
    low = LossGuard(10.0, [0.01] * 100)
    low.check(100, 1.0, ids)
    with pytest.raises(InputError, match=r"jumped to 1\.01 \(median of the last 100: 0\.01\)"):
        low.check(101, 1.01, ids)


def test_before_fifty_losses_nothing_is_a_spike() -> None:
    guard = LossGuard(10.0, [0.5] * 49)
    guard.check(49, 99.0, ids)
    with pytest.raises(InputError, match="jumped"):
        guard.check(50, 99.0, ids)


def test_the_median_is_of_the_last_hundred() -> None:
    guard = LossGuard(10.0, [50.0] * 500 + [0.5] * 100)
    with pytest.raises(InputError, match=r"median of the last 100: 0\.5"):
        guard.check(600, 50.0, ids)


def test_a_resumed_training_guards_alike() -> None:
    losses = [2.0 / (1 + step) for step in range(120)]
    whole = LossGuard(3.0)
    for step, loss in enumerate(losses):
        whole.check(step, loss, ids)
    resumed = LossGuard(3.0, losses)
    assert resumed.losses == whole.losses
    assert LossGuard(3.0, whole.losses).losses == whole.losses


def test_a_factor_of_infinity_allows_every_finite_loss() -> None:
    guard = LossGuard(math.inf, [0.5] * 100)
    guard.check(100, 1e9, ids)


@pytest.mark.parametrize("factor", [1.0, 0.0, -2.0, math.nan])
def test_a_factor_that_would_stop_every_training_is_refused(factor: float) -> None:
    message = f"spike_factor={factor}: must be above 1; with inf, no loss is a spike"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        LossGuard(factor)
