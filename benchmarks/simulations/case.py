"""Case: something tried on made data again and again, and the share of trials in which it came out."""

import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

# What one trial found, by method: an interval held the truth, or a test said what is false.
Trial = Callable[[np.random.Generator], dict[str, bool]]

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
    """The share of trials in which each method's outcome came, e.g. its interval held the truth."""
    counts: dict[str, int] = {}
    trials = case.trials if trials is None else trials
    for trial in range(trials):
        for method, outcome in case.trial(
            np.random.default_rng([trial, zlib.crc32(case.name.encode())])
        ).items():
            counts[method] = counts.get(method, 0) + bool(outcome)
    return {method: count / trials for method, count in counts.items()}


def lines(cases: Iterable[Case]) -> Iterator[dict[str, object]]:
    """One line per case and method, in order; cases run on all cores. Trials are `partial`s of functions."""
    cases = list(cases)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for case, found in zip(cases, pool.map(shares, cases), strict=True):
            for method, share in found.items():
                stderr = math.sqrt(share * (1 - share) / case.trials)
                yield {
                    "case": case.name,
                    "method": method,
                    "nominal": case.nominal,
                    "share": round(share, 4),
                    "stderr": round(stderr, 4),
                    "trials": case.trials,
                }
