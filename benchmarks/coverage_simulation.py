"""How often 95 % intervals hold the truth, and tests at 5 % say what is false, on clustered data.

One JSON line per case and method: the share of trials, what it should be, its Monte Carlo standard error. All
topics take more than an hour on two cores; `python -m benchmarks.coverage_simulation means` runs one of them.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks.simulations import (
    calibration,
    deferral,
    differences,
    families,
    frontiers,
    lomo,
    means,
    power,
    seeds,
    shrinkage,
)
from benchmarks.simulations.case import Case, lines

TOPICS: dict[str, Callable[[], Iterator[Case]]] = {
    "means": means.cases,
    "differences": differences.cases,
    "seeds": seeds.cases,
    "calibration": calibration.cases,
    "deferral": deferral.cases,
    "lomo": lomo.cases,
    "power": power.cases,
    "families": families.cases,
    "shrinkage": shrinkage.cases,
    "frontiers": frontiers.cases,
}


def main() -> None:
    """Print one line per case and method of every topic."""
    simulate(tuple(TOPICS))


def simulate(topics: Sequence[str]) -> None:
    """Print one line per case and method of these topics."""
    for line in lines(case for topic in topics for case in TOPICS[topic]()):
        print(json.dumps(line), flush=True)


def command(words: Sequence[str]) -> int:
    """Simulate the named topics, or all if none is named; 2 if a word is no topic."""
    if not set(words) <= set(TOPICS):
        usage = "python -m benchmarks.coverage_simulation [TOPIC …]"
        print(f"usage: {usage}; there are {', '.join(TOPICS)}", file=sys.stderr)
        return 0 if set(words) & {"-h", "--help"} else 2
    simulate(words or tuple(TOPICS))
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
