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


def main(topics: Sequence[str] = tuple(TOPICS)) -> None:
    """Print one line per case and method of these topics."""
    for line in lines(case for topic in topics for case in TOPICS[topic]()):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(TOPICS))
