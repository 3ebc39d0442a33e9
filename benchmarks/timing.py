"""Two ways to do one thing, timed in turns, and the line that says how they compare."""

import json
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter

Run = Callable[[], float]  # does the work once; the seconds it took


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def in_turns(repeats: int, *runs: Run) -> list[list[float]]:
    """The seconds of each run, one after the other and over again, so that a busy machine slows all."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for times, run in zip(taken, runs, strict=True):
            times.append(run())
    return taken


def print_line(**facts: object) -> None:
    """A JSON line; numbers with four digits."""
    print(json.dumps({name: _short(value) for name, value in facts.items()}), flush=True)


def print_ratio(
    benchmark: str,
    what: str,
    unit: str,
    ours: Sequence[float],
    reference: Sequence[float],
    sizes: Mapping[str, object],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Compare the medians of ours and of the reference, in `unit`; met is null where there is no goal."""
    ratio = median(ours) / median(reference)
    goal = met = None
    if at_least is not None:
        goal, met = f">= {at_least:g}", ratio >= at_least
    if at_most is not None:
        goal, met = f"<= {at_most:g}", ratio <= at_most
    print_line(
        benchmark=benchmark,
        what=what,
        ours=median(ours),
        reference=median(reference),
        unit=unit,
        ratio=ratio,
        goal=goal,
        met=met,
        repeats=len(ours),
        ours_runs=list(ours),
        reference_runs=list(reference),
        **sizes,
    )


def rates(amount: float, times: Sequence[float]) -> list[float]:
    """`amount` per second, for each of the times."""
    return [amount / time for time in times]


def _short(value: object) -> object:
    if isinstance(value, list):
        return [_short(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
