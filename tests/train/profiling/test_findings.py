"""Findings and estimates, by planted numbers: each bound from both sides, and intervals that decide."""

from typing import Any

import msgspec
import pytest

from safe_data.core.errors import InputError
from safe_train.parity.timing import TimeRatio
from safe_train.profiling import findings
from safe_train.profiling.estimate import estimate, pass_time
from safe_train.profiling.latency import Asked, Way, latency_of
from safe_train.profiling.memory_model import model_of
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import Finding, Ladder, Largest

LARGEST = Largest(
    rows=8, card_bytes=1000, card_from="--card-gb", headroom=0.1, always_bytes=100, checked_bytes=None
)
WHOLE = Ladder(stopped_by="the largest size", at=None, model=None)


def ladder(peaks: dict[int, float]) -> Ladder:
    return Ladder(stopped_by="the largest size", at=None, model=model_of(peaks, always=0))


@pytest.mark.parametrize(
    ("taken", "stopped", "decision"),
    [
        (900, WHOLE, "go"),
        (901, WHOLE, "no-go"),
        (None, Ladder(stopped_by="memory", at=4, model=None), "no-go"),
        (None, Ladder(stopped_by="time", at=4, model=None), "not measured"),
    ],
)
def test_a_batch_must_leave_the_headroom(taken: int | None, stopped: Ladder, decision: str) -> None:
    assert findings.fits(taken, 8, LARGEST, stopped).decision == decision


def test_memory_is_predictable_where_a_line_is_right() -> None:
    straight = ladder({1: 10.0, 2: 20.0, 4: 40.0, 8: 80.0})
    bent = ladder({1: 10.0, 2: 20.0, 4: 40.0, 8: 160.0})
    assert findings.predictable("training", straight, 0.05).decision == "go"
    assert findings.predictable("training", bent, 0.05).decision == "no-go"
    found = findings.predictable("training", Ladder(stopped_by="time", at=4, model=None), 0.05)
    assert found == Finding(
        "memory predictable, training",
        "not measured",
        "fewer than 4 sizes were run: time ended the ladder",
    )


@pytest.mark.parametrize(
    ("rate", "decision"),
    [
        (Quantile(120.0, 100.0, 140.0, 9), "go"),
        (Quantile(120.0, 99.0, 140.0, 9), "not measured"),
        (Quantile(90.0, 80.0, 99.0, 9), "no-go"),
        (Quantile(90.0, 80.0, 101.0, 9), "not measured"),
        (Quantile(300.0, None, None, 3), "not measured"),
        (None, "not measured"),
    ],
)
def test_throughput_is_decided_by_its_interval(rate: Quantile | None, decision: str) -> None:
    assert findings.suffices(rate, 8, 100).decision == decision


def test_without_a_goal_throughput_is_not_measured() -> None:
    found = findings.suffices(Quantile(9.0, 9.0, 9.0, 9), 8, None)
    assert found == Finding("throughput", "not measured", "no goal is stated; see --samples-per-second")


def asked(*totals: float) -> list[Asked]:
    return [Asked(0.001, total, total / 2, total / 10, listened=True) for total in totals]


@pytest.mark.parametrize(("times", "decision"), [(1.05, "go"), (1.2, "no-go"), (1.1, "not measured")])
def test_latency_is_judged_against_the_same_questions_without_a_sound(times: float, decision: str) -> None:
    """The questions take from 1 to 20 ms: only pairs tell 5 % from 20 %."""
    base = [0.001 * number for number in range(1, 21)]
    off = asked(*base)
    noisy = [one * (times + (0.01 if place % 2 else -0.01)) for place, one in enumerate(base)]
    way = Way("k = 4", 4, lambda *_: off[0], asked(*noisy))
    found = latency_of(way, off)
    assert found.ratio is not None
    assert found.ratio.ratio == pytest.approx(times, abs=0.011)
    alone = latency_of(Way("gate off", 0, lambda *_: off[0], off), off)
    assert (alone.ratio, alone.first_ratio) == (None, None)
    (judged,) = findings.waits([alone, found], 1.1)
    assert (judged.name, judged.decision) == ("latency, k = 4", decision)


def test_a_way_without_steps_has_no_steps() -> None:
    off = asked(*[0.01] * 8)
    gated = [one._replace(first=None, token=None) for one in off]
    found = latency_of(Way("its gate", None, lambda *_: off[0], gated), off)
    assert (found.first_ms, found.token_ms, found.tokens_per_second, found.first_ratio) == (None,) * 4
    assert found.ratio is not None


@pytest.mark.parametrize(
    ("low", "high", "decision"), [(1.01, 3.0, "go"), (0.4, 1.0, "no-go"), (0.9, 1.2, "not measured")]
)
def test_the_cache_must_be_faster(profiled: Any, low: float, high: float, decision: str) -> None:
    ratio = TimeRatio(2.0, low, high, 9, 0.1)
    found = msgspec.structs.replace(profiled.profile.sounds, ratio=ratio)
    assert findings.cached(found, None).decision == decision
    assert findings.cached(None, "no encoder").decision == "not measured"


def test_a_rate_counts_the_step_of_the_optimizer(profiled: Any) -> None:
    """12 questions are two passes of 6 rows of 10 ms and a step of 4 ms: 500 a second."""
    training = profiled.profile.training
    ten = Quantile(10.0, 8.0, 12.0, 9)
    rungs = [msgspec.structs.replace(rung, pass_ms=ten) for rung in training.rungs]
    made = msgspec.structs.replace(training, rungs=rungs, step_ms=Quantile(4.0, 3.0, 5.0, 9))
    assert findings.planned_rate(made) == Quantile(500.0, 12 / 0.028, 12 / 0.020, 9)
    assert findings.planned_rate(msgspec.structs.replace(made, planned_rows=7)) is None


def timed(profile: Any) -> Any:
    """A profile whose passes take 10 ms a row, answers 5 ms a row, and the optimizer's step 40 ms."""

    def ms(count: float) -> Quantile:
        return Quantile(count, count / 2, 2 * count, 9)

    replace = msgspec.structs.replace
    rungs = [replace(rung, pass_ms=ms(10.0 * rung.rows)) for rung in profile.training.rungs]
    training = replace(profile.training, rungs=rungs, step_ms=ms(40.0))
    asked = [replace(rung, with_sound_ms=ms(5.0 * rung.rows)) for rung in profile.answering.rungs]
    return replace(profile, training=training, answering=replace(profile.answering, rungs=asked))


def test_hours_are_steps_and_answers(profiled: Any) -> None:
    """A step of 12 questions in passes of 6 takes 160 ms; 7200 answers of 5 ms take 36 s."""
    found = estimate(timed(profiled.profile), 22_500, answers=7200)
    assert found.training == pytest.approx(1.0)
    assert found.answering == pytest.approx(0.01)
    assert found.hours == pytest.approx(1.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.hours < found.high
    assert found.device == "CPU"


def test_other_rows_are_interpolated_and_never_beyond_what_was_run(profiled: Any) -> None:
    made = timed(profiled.profile)
    assert estimate(made, 3600, batch_size=7, rows=7).training == pytest.approx(3600 * 0.11 / 3600)
    with pytest.raises(InputError, match="rows=9: a time is known from 1 to 8; profile with more"):
        estimate(made, 1, batch_size=9, rows=9)
    with pytest.raises(InputError, match="steps=-1: must be at least 0"):
        estimate(made, -1)


def test_fewer_rows_than_the_smallest_take_no_less() -> None:
    times = {4: Quantile(9.0, 8.0, 10.0, 9)}
    assert pass_time(times, 1) == times[4]
