"""Forecast text: the steps of a plan with what each will take, and all of it together, in 80 columns."""

from collections.abc import Sequence
from textwrap import wrap

from safe_train.experiments.experiment import Training
from safe_train.plan.forecast import Forecast, Hours, StepForecast
from safe_train.sweeps.held import NOTE, Held

WIDTH = 80
_GB = 1e9


def forecast_lines(found: Forecast) -> list[str]:
    """The steps in order, each with what it needs and will take; then the sum."""
    lines = []
    for at, one in enumerate(found.steps, 1):
        number = f" (experiment {one.step.experiment.number})" if one.step.experiment else ""
        lines.append(f"{at:2} {one.step.name}: {one.step.title}{number}")
        for text in _step(one):
            lines += wrap(text, WIDTH, initial_indent="     ", subsequent_indent="       ")
    return [*lines, "", *_total(found)]


def _step(one: StepForecast) -> list[str]:
    """A line of what comes before, one of work, one of time and memory."""
    step, takes = one.step, one.step.estimate
    texts = [f"needs {', '.join(step.needs)}"] if step.needs else []
    if work := _work(takes.all_steps, takes.answers, takes.alone):
        texts.append(work)
    if takes.unknown:
        texts.append(takes.unknown)
    times = [f"time {_time(one.hours)}"] if one.hours else []
    times += [f"took {one.earlier.seconds:,.0f} s on {one.earlier.started[:10]}"] if one.earlier else []
    if one.held:
        times.append(_memory(*one.held[0], is_named=len(one.held) > 1))
    return [*texts, *(["; ".join(times)] if times else [])]


def _work(steps: int, answers: int, alone: int) -> str:
    parts = (
        (steps, "training steps"),
        (answers, "answers"),
        (alone, "asked alone"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def _total(found: Forecast) -> list[str]:
    takes = [one.step.estimate for one in found.steps]
    work = _work(*(sum(getattr(one, name) for one in takes) for name in ("all_steps", "answers", "alone")))
    lines = [f"in all: {work or 'no training and no answers that are known'}"]
    lines += _of_time(found)
    lines += [f"took: {total:,.0f} s in the earlier run"] if (total := _took(found)) else []
    if (largest := found.largest) is not None:
        name, training, held = largest
        lines.append(f"memory at most: {_memory(training, held, is_named=True)}, in {name}")
    else:
        lines.append(f"memory: not known; {found.no_memory}")
    return [line for text in lines for line in wrap(text, WIDTH, subsequent_indent="  ")]


def _of_time(found: Forecast) -> list[str]:
    if not found.device:
        return [] if _took(found) else ["time: not known; give --profile PROFILE.json"]
    without = [one.step.name for one in found.steps if one.hours is None]
    uncounted = [one.step.name for one in found.steps if one.step.estimate.unknown]
    lines = [f"time: {_time(found.hours)} on {found.device}, one after another, of passes alone"]
    lines += ["  not in it: loading, evaluations, scoring" + (f"; {', '.join(without)}" if without else "")]
    return lines + ([f"  more than that: {', '.join(uncounted)}"] if uncounted else [])


def _took(found: Forecast) -> float:
    return sum(one.earlier.seconds for one in found.steps if one.earlier)


def _memory(training: Training, held: Held, *, is_named: bool) -> str:
    named = f" ({training.name})" if is_named else ""
    more = f" and more: {NOTE}" if held.note else ""
    return f"{_bytes(held.memory)}{more}, {held.trainable:,} trained{named}"


def _bytes(count: int) -> str:
    """Memory in a unit that a reader can compare.

    >>> _bytes(43_900_000_000), _bytes(18_000_000)
    ('43.9 GB', '0.02 GB')
    """
    return f"{count / _GB:.1f} GB" if count >= _GB else f"{count / _GB:.2f} GB"


def _time(hours: Hours) -> str:
    """A time with its interval, in one unit.

    >>> _time(Hours(12.34, 11.9, 12.84)), _time(Hours(0.05, None, None)), _time(Hours(0.002, 0.0019, 0.003))
    ('12.3 h [11.9, 12.8]', '3.0 min', '7.2 s [6.8, 10.8]')
    """
    factor, unit = (1, "h") if hours.value >= 1 else (60, "min") if hours.value >= 1 / 60 else (3600, "s")
    ends: Sequence[float | None] = (hours.low, hours.high)
    shown = [f"{factor * end:,.1f}" for end in ends if end is not None]
    interval = f" [{', '.join(shown)}]" if len(shown) == len(ends) and hours.low != hours.high else ""
    return f"{factor * hours.value:,.1f} {unit}{interval}"
