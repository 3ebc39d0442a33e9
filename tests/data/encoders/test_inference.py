"""Windows cover a clip from its first to its last sample, up to a minute in all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.encoders.inference import pool_in_time, window_starts

RATE = 100
WINDOW = 10 * RATE


@pytest.mark.parametrize(
    ("seconds", "starts"),
    [
        (0, [0]),
        (3, [0]),
        (10, [0]),
        (10.02, [0.01]),
        (10.5, [0.25]),
        (10.6, [0, 0.6]),
        (15, [0, 5]),
        (20.4, [0, 10.4]),
        (30, [0, 10, 20]),
        (60, [0, 10, 20, 30, 40, 50]),
        (110, [0, 20, 40, 60, 80, 100]),
    ],
)
def test_windows_are_spread_from_the_first_to_the_last_sample(seconds: float, starts: list[float]) -> None:
    found = window_starts(round(seconds * RATE), WINDOW, RATE)
    assert [start / RATE for start in found] == starts


@given(st.integers(0, 10**5), st.integers(1, 5000), st.integers(1, 200))
def test_windows_lie_inside_the_clip_and_leave_no_more_than_the_remainder_out(
    samples: int, window: int, rate: int
) -> None:
    starts = window_starts(samples, window, rate)
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] + window <= max(samples, window)
    heard = {sample for start in starts for sample in range(start, min(start + window, samples))}
    if samples <= 60 * rate // window * window:
        assert samples - len(heard) <= rate / 2


@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 64))
def test_pooling_keeps_the_order_of_time_and_the_range(windows: int, steps: int, frames: int) -> None:
    starts = [window * steps for window in range(windows)]
    clock = np.arange(windows * steps, dtype=np.float32).reshape(windows, steps, 1)
    pooled = pool_in_time(clock, starts, 1.0, frames)[:, 0]
    assert pooled.shape == (frames,)
    assert (np.diff(pooled) >= 0).all()
    assert pooled.min() >= 0
    assert pooled.max() <= windows * steps - 1
    if windows * steps % frames == 0:
        assert pooled.mean() == pytest.approx(clock.mean())


def test_where_windows_overlap_both_are_averaged() -> None:
    states = np.array([[[0], [10], [20], [30]], [[25], [35], [45], [55]]], np.float32)
    pooled = pool_in_time(states, [0, 2], 1.0, 4)[:, 0]
    assert pooled.tolist() == [5, (20 + 25) / 2, (30 + 35) / 2, 50]
