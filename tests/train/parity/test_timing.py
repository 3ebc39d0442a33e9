"""Timing: the interval of a hand-computed case, and ways in turn so that a drifting clock favours neither."""

import pytest

from safe_data.core.errors import InputError
from safe_train.parity import timing
from safe_train.parity.timing import TimeRatio, ratio_of, time_ratio


def test_the_interval_is_that_of_a_median() -> None:
    """Of 20 pairs, 3 are left out at each end: P(at most 3 of 20) = 0.0013, and at most 4 is 0.0059."""
    pairs = [(2.0, 2.0 + n / 50) for n in range(20)]
    found = ratio_of(pairs[::-1])
    assert (found.low, found.high) == (1.03, 1.16)
    assert found.ratio == pytest.approx(1.095)
    assert (found.pairs, found.base_seconds) == (20, 2.0)
    disturbed = ratio_of([*pairs[:-3], *[(2.0, 900.0)] * 3])  # as when another process took over
    assert (disturbed.low, disturbed.high) == (found.low, found.high)


def test_a_median_of_few_pairs_has_no_interval() -> None:
    assert (ratio_of([(1.0, 1.0)] * 8).low, ratio_of([(1.0, 1.0)] * 8).high) == (1.0, 1.0)
    with pytest.raises(InputError, match="7 pairs of times have no interval; take at least 8"):
        ratio_of([(1.0, 1.0)] * 7)


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [(0.99, 1.01, "holds"), (1.0, 1.02, "not shown"), (1.0101, 1.02, "does not hold")],
)
def test_the_interval_decides(low: float, high: float, decision: str) -> None:
    assert TimeRatio(1.0, low, high, 9, 1.0).judged(1.01) == decision


def test_how_many_pairs_would_show_it() -> None:
    assert TimeRatio(1.0, 0.98, 1.02, 30, 0.1).pairs_that_show(1.01) == 120
    assert TimeRatio(1.0, 0.99, 1.01, 30, 0.1).pairs_that_show(1.5) == 31
    assert TimeRatio(1.02, 0.99, 1.04, 30, 0.1).pairs_that_show(1.01) is None


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
        repeats=8,
        before_base=lambda: spend(9.0, "-"),
        before_other=lambda: spend(9.0, "-"),
    )
    assert "".join(calls) == "-a-b" + "-a-b-b-a" * 4
    assert found.ratio == pytest.approx(1.05, rel=1e-4)
    assert found.low < 1.05 < found.high
