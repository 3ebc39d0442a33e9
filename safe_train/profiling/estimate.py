"""Estimate: the hours that a plan takes on the machine of a profile, from what its passes took."""

import math
from collections.abc import Sequence

import msgspec

from safe_data.core.errors import InputError
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import Profile


class HoursEstimate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours of one device, with the interval of the passes alone; `device` is the one that was profiled.

    Training and answers; not the loading, the evaluations of training, or what several devices exchange.
    """

    device: str
    training: float
    answering: float
    low: float | None
    high: float | None

    @property
    def hours(self) -> float:
        """All hours."""
        return self.training + self.answering


def estimate(
    profile: Profile,
    steps: int,
    *,
    batch_size: int | None = None,
    rows: int | None = None,
    answers: int = 0,
    answer_rows: int | None = None,
) -> HoursEstimate:
    """The hours of so many steps of training and so many answers with a sound.

    A global batch of `batch_size` questions is as many passes of `rows` rows as it needs (default: both as
    profiled). Times of sizes that were not run are interpolated between those that were. The passes are those
    of a first epoch, so that training that is longer takes less.

    Raises:
        InputError: a number below 1 or 0, or more rows than were run.
    """
    training = profile.training
    batch = training.batch_size if batch_size is None else batch_size
    planned = min(training.planned_rows if rows is None else rows, batch)
    asked = profile.answering.rungs[-1].rows if answer_rows is None else answer_rows
    for name, number, least in (("steps", steps, 0), ("batch_size", batch, 1), ("answers", answers, 0)):
        if number < least:
            raise InputError(f"{name}={number}: must be at least {least}")
    passes = pass_time({rung.rows: rung.pass_ms for rung in training.rungs}, planned)
    batches = pass_time({rung.rows: rung.with_sound_ms for rung in profile.answering.rungs}, asked)
    count, answered = math.ceil(batch / planned), math.ceil(answers / asked)

    def hours(training_ms: float, answering_ms: float) -> tuple[float, float]:
        step = count * training_ms + training.step_ms.value
        return steps * step / 3.6e6, answered * answering_ms / 3.6e6

    def both(training_ms: float | None, answering_ms: float | None) -> float | None:
        return None if training_ms is None or answering_ms is None else sum(hours(training_ms, answering_ms))

    trained, asking = hours(passes.value, batches.value)
    return HoursEstimate(
        device=profile.machine.device,
        training=trained,
        answering=asking,
        low=both(passes.low, batches.low),
        high=both(passes.high, batches.high),
    )


def pass_time(times: dict[int, Quantile], rows: int) -> Quantile:
    """The time of so many rows: as measured, or on the straight line between the sizes around it.

    Raises:
        InputError: fewer than one row, or more than were run.

    >>> times = {2: Quantile(10.0, 9.0, None, 9), 4: Quantile(14.0, 12.0, 20.0, 9)}
    >>> pass_time(times, 3)
    Quantile(value=12.0, low=10.5, high=None, n=9)
    """
    sizes = sorted(times)
    if not 1 <= rows <= sizes[-1]:
        raise InputError(f"rows={rows}: a time is known from 1 to {sizes[-1]}; profile with more --most-rows")
    if rows in times:
        return times[rows]
    after = next(place for place, size in enumerate(sizes) if size > rows)
    if after == 0:
        return times[sizes[0]]  # fewer rows take no longer
    below, above = sizes[after - 1], sizes[after]
    share = (rows - below) / (above - below)
    pair = (times[below], times[above])
    return Quantile(
        _between([one.value for one in pair], share) or 0.0,
        _between([one.low for one in pair], share),
        _between([one.high for one in pair], share),
        min(one.n for one in pair),
    )


def _between(ends: Sequence[float | None], share: float) -> float | None:
    low, high = ends
    return None if low is None or high is None else low + share * (high - low)
