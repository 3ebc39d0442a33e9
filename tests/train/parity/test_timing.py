"""Timing: the interval of a hand-computed case, and ways in turn so that a drifting clock favours neither."""

import math

import pytest

from safe_train.parity import timing
from safe_train.parity.timing import TimeRatio, ratio_of, time_ratio


def test_the_interval_is_students() -> None:
    """Logarithms 0.01, 0.03, 0.02: mean 0.02, deviation 0.01, and t(2, 0.995) = 9.924843."""
    found = ratio_of([(1.0, math.exp(x)) for x in (0.01, 0.03, 0.02)])
    reach = 9.924843 * 0.01 / math.sqrt(3)
    assert found.ratio == pytest.approx(math.exp(0.02))
    assert (found.low, found.high) == pytest.approx((math.exp(0.02 - reach), math.exp(0.02 + reach)))
    assert (found.pairs, found.base_seconds) == (3, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [(0.99, 1.01, "holds"), (1.0, 1.02, "not shown"), (1.0101, 1.02, "does not hold")],
)
def test_the_interval_decides(low: float, high: float, decision: str) -> None:
    assert TimeRatio(1.0, low, high, 9, 1.0).judged(1.01) == decision


def test_ways_alternate_and_what_goes_before_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slows down steadily, and preparations take long: the ratio is still that of the ways."""
    now, calls = [0.0], []

    def spend(seconds: float, name: str) -> None:
        now[0] += seconds * (1 + now[0] / 1e4)
        calls.append(name)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    found = time_ratio(
        lambda: spend(1.0, "a"),
        lambda: spend(1.05, "b"),
        repeats=4,
        before_base=lambda: spend(9.0, "-"),
        before_other=lambda: spend(9.0, "-"),
    )
    assert "".join(calls) == "-a-b" + "-a-b-b-a" * 2
    assert found.ratio == pytest.approx(1.05, rel=1e-4)
    assert found.low < 1.05 < found.high
