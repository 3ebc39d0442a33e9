"""Trade-off: accuracy against what listening costs, point by point, as a table and as findings.

The points and their intervals are those of safe_eval's frontiers (docs/evaluation.md), which hold for all
points of a seed and a slice at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from safe_data.core.files import write_bytes
from safe_data.core.table import Table, csv_text
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, worst
from safe_eval.results.frontiers import DOMINATED, ON_FRONTIER, FrontierRow
from safe_train.experiments.experiment import Finding

AUDIO, JUDGED_BY = "audio", "the frontiers of safe-eval score"
LOSS = 0.01  # accuracy that the plan lets a gate lose on audio questions
_ASIDE = ("all",)  # slices that are left out: they mix what a gate must tell apart
_COLUMNS = (
    "metric",
    "dataset",
    "seed",
    "slice",
    "cost",
    "threshold",
    "value",
    "ci_low",
    "ci_high",
    "mean_cost",
    "cost_low",
    "cost_high",
    "status",
    "dominated_by",
    "share_on_frontier",
    "confidence",
    "n",
    "clusters",
)


def write_points(file: Path, rows: Iterable[FrontierRow], names: Mapping[str, str]) -> None:
    """Write points as CSV: what each is called, its accuracy and its mean cost, with joint intervals.

    Args:
        file: where to
        rows: points, of which those on all questions together are left out
        names: what to call each model; a point of another is left out
    """
    kept = [row for row in rows if row.model in names and row.slice not in _ASIDE]
    cells = [
        (names[row.model], *(getattr(row, column) for column in _COLUMNS))
        for row in sorted(kept, key=lambda row: (row.seed, row.slice, row.cost, row.mean_cost))
    ]
    write_bytes(file, csv_text([Table("Points", ("gate", *_COLUMNS), cells, name="points")]).encode())


def curve_finding(rows: Sequence[FrontierRow], seeds: Sequence[int], *, kind: str, file: str) -> Finding:
    """Whether the trade-off of a gate is known: a curve of each seed, from listening always to never.

    Its value is the most that a threshold skips of audio questions at a loss of one point or less, in the
    seed in which that is least. It is a value of the test split, by which no threshold may be chosen.

    Args:
        rows: points, of which those with a threshold are the curves
        seeds: of the plan
        kind: of the gate
        file: the CSV of its points
    """
    curves = {seed: _curve(rows, seed) for seed in seeds}
    missing = [seed for seed, points in curves.items() if not points]
    skips = [_most_skipped(points) for points in curves.values() if points]
    shares = ", ".join(f"{100 * one:.1f}" for one in skips)
    evidence = (
        f"{sum(map(len, curves.values()))} points of seeds {list(seeds)}; at a loss of one point or less, by "
        f"value, {shares} % of audio questions may be skipped"
    )
    if missing:
        evidence = f"no curve of seeds {missing}: too few different scores of the gate, or no answers without"
    return Finding(
        name=f"{kind}: trade_off_curve",
        bound="skips against accuracy at every threshold, from always to never, in every seed",
        decision=NOT_MEASURED if missing else GO,
        evidence=evidence,
        judged_by=JUDGED_BY,
        file=file,
        value=None if missing else min(skips),
    )


def _curve(rows: Sequence[FrontierRow], seed: int) -> list[FrontierRow]:
    """The points on audio questions, from listening always on."""
    found = [row for row in rows if (row.seed, row.slice) == (seed, AUDIO) and row.threshold is not None]
    return sorted(found, key=lambda row: row.threshold or 0.0)


def _most_skipped(curve: Sequence[FrontierRow]) -> float:
    always = curve[0].value
    return max(1 - row.mean_cost for row in curve if always - row.value <= LOSS)


def front_finding(
    rows: Sequence[FrontierRow],
    seeds: Sequence[int],
    *,
    model: str,
    cost: str,
    name: str,
    file: str,
    severity: str = "critical",
) -> Finding:
    """Whether a model is on the Pareto front of audio questions in every seed, by intervals.

    It is no-go where the intervals of both differences show that another point dominates it. It is a go where
    no point does so in the sample, nor in so many resamples of all points together as the confidence says.
    Between the two it is not measured: other questions might say the opposite.

    Args:
        rows: points of all models
        seeds: of which a point is there
        model: whose place is asked for
        cost: what is paid
        name: of the finding
        file: the CSV of the points
        severity: of the finding
    """
    places = [_place(rows, seed, model, cost) for seed in seeds]
    known = [one for one in places if one is not None]
    shares = [one.share_on_frontier for one in known if one.share_on_frontier is not None]
    told = "; ".join(_told(one) for one in known)
    return Finding(
        name=name,
        bound="on the front of audio questions in as many resamples as the confidence says, in every seed",
        decision=worst([_standing(one) for one in places]) if places else NOT_MEASURED,
        evidence=told or f"no two points state {cost}",
        judged_by=JUDGED_BY,
        file=file,
        value=min(shares, default=None),
        severity=severity,
    )


def _place(rows: Sequence[FrontierRow], seed: int, model: str, cost: str) -> FrontierRow | None:
    for row in rows:
        if row.threshold is None and (row.seed, row.slice, row.model, row.cost) == (seed, AUDIO, model, cost):
            return row
    return None


def _standing(row: FrontierRow | None) -> str:
    """What a point's place on the front says.

    >>> _standing(None)
    'not measured'
    """
    if row is None or row.share_on_frontier is None:
        return NOT_MEASURED
    if row.status == DOMINATED:
        return NO_GO
    return GO if row.status == ON_FRONTIER and row.share_on_frontier >= row.confidence else NOT_MEASURED


def _told(row: FrontierRow) -> str:
    better = "" if row.dominated_by is None else f" by {row.dominated_by}"
    often = "" if row.share_on_frontier is None else f" ({100 * row.share_on_frontier:.1f} % of resamples)"
    accuracy = _ends(row.value, row.ci_low, row.ci_high)
    paid = _ends(row.mean_cost, row.cost_low, row.cost_high)
    return (
        f"seed {row.seed}: {row.status or 'unknown'}{better}{often}, accuracy {accuracy} at a cost of {paid}"
    )


def _ends(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:.3g}"
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"
