"""Case: something tried on made data again and again, and the share of trials in which it came out."""

import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

# What one trial found, by method: whether an interval held the truth, or a test said what is false; None is
# not measured.
Trial = Callable[[np.random.Generator], Mapping[str, bool | None]]

TRIALS = 2000


@dataclass(frozen=True)
class Case:
    """A trial that is repeated, with seeds from 0 on.

    `name` says what was made and what is counted, such as "loss of 5 points called none; Zipf, 50 clusters".
    `nominal` is the share that should come out, or the bound of it: "0.95", "<= 0.05".
    """

    name: str
    nominal: str
    trial: Trial
    trials: int = TRIALS


def shares(case: Case, trials: int | None = None) -> dict[str, float]:
    """The share of the trials that a method measured in which its outcome came, e.g. its interval held."""
    return {method: came / measured for method, (came, measured) in _counts(case, trials).items()}


def lines(cases: Iterable[Case]) -> Iterator[dict[str, object]]:
    """One line per case and method, in order; cases run on all cores. Trials are `partial`s of functions."""
    cases = list(cases)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for case, found in zip(cases, pool.map(_counts, cases), strict=True):
            for method, (came, measured) in found.items():
                share = came / measured
                yield {
                    "case": case.name,
                    "method": method,
                    "nominal": case.nominal,
                    "share": round(share, 4),
                    "stderr": round(math.sqrt(share * (1 - share) / measured), 4),
                    "trials": case.trials,
                    "measured": measured,
                }


def _counts(case: Case, trials: int | None = None) -> dict[str, tuple[int, int]]:
    """By method: the trials in which the outcome came, and those in which it was measured."""
    counts: dict[str, tuple[int, int]] = {}
    seed = zlib.crc32(case.name.encode())
    for trial in range(case.trials if trials is None else trials):
        for method, outcome in case.trial(np.random.default_rng([trial, seed])).items():
            if outcome is not None:
                came, measured = counts.get(method, (0, 0))
                counts[method] = came + bool(outcome), measured + 1
    return counts
