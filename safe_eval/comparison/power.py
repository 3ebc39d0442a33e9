"""Power plan: how many items a difference needs, or what difference so many items can show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from safe_data.core import numerals
from safe_data.core.errors import InputError
from safe_eval.arms.arm import Cell, score_cells
from safe_eval.predictions import read_predictions
from safe_eval.scorers.scorer import SCORERS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.power import (
    design_effect,
    intracluster_correlation,
    minimum_detectable_effect,
    needed_items,
    observed_design_effect,
    paired_std,
)
from safe_eval.statistics.sampling import Labels, Values


@dataclass(frozen=True)
class Differences:
    """How the scores of pairs differ: what the needed number of items depends on."""

    std: float
    changed: float  # the share of items whose score is not the same
    design_effect: float
    cluster_size: float  # mean
    correlation: float | None  # between the differences of one cluster
    like: str | None = None  # the pairs they were observed on


class PowerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A two-sided paired comparison: `difference` is found with `power` in `items` items."""

    difference: float
    items: int
    clusters: int
    power: float
    confidence: float
    std: float
    changed: float
    design_effect: float
    cluster_size: float
    correlation: float | None
    like: str | None


def assumed_differences(
    changed: float, difference: float, cluster_size: float, correlation: float
) -> Differences:
    """Right-or-wrong answers of which a share is not the same, in clusters that are alike by a correlation.

    >>> round(assumed_differences(0.1, 0.02, 4, 0.1).design_effect, 2)
    1.3
    """
    if abs(difference) > changed:
        raise InputError(
            f"a difference of {difference} cannot come from {numerals.percent(changed)} of answers changing; "
            "give the share that does with --changed"
        )
    effect = design_effect(cluster_size, correlation)
    return Differences(paired_std(changed, difference), changed, effect, cluster_size, correlation)


def observed_differences(
    path: Path, a: str | None, b: str | None, *, metric: str | None = None, slice_name: str = "all"
) -> Differences:
    """The differences of two sets of answers in a predictions file, as "model/condition".

    Raises:
        InputError: it is not clear which two are meant, or nothing differs between them.
    """
    file = path / "predictions.jsonl" if path.is_dir() else path
    rows = read_predictions(file)
    cells = _cells(
        file, [cell for name in SCORERS if metric in (None, name) for cell in score_cells(name, rows)]
    )
    if a is None and b is None and len(cells) == 2:
        a, b = cells
    if a is None or b is None or a == b or not {a, b} <= cells.keys():
        raise InputError(
            f"{file}: say which two answers to take as --a and --b; there are {', '.join(cells)}, "
            f"for example --a {next(iter(cells))} --b {list(cells)[-1]}"
        )
    differences, clusters = _differences(file, cells[a], cells[b], slice_name)
    effect = observed_design_effect(differences, clusters)
    if effect is None:
        raise InputError(f"{file}: {a} − {b} has no spread on the slice {slice_name!r} to plan with")
    return Differences(
        std=float(differences.std(ddof=1)),
        changed=float((differences != 0).mean()),
        design_effect=effect,
        cluster_size=len(differences) / count_clusters(clusters),
        correlation=intracluster_correlation(differences, clusters),
        like=f"{a} − {b} on {slice_name} in {file.name}, {len(differences)} items",
    )


def power_plan(
    differences: Differences,
    *,
    difference: float | None,
    items: int | None,
    power: float,
    confidence: float,
) -> PowerPlan:
    """The items that a difference needs, or the smallest difference that so many items find.

    Raises:
        InputError: both or neither of the two is given, or a number out of range.
    """
    if (difference is None) == (items is None):
        raise InputError("give either --difference, to learn how many items it needs, or --items")
    of = {"design_effect": differences.design_effect, "confidence": confidence, "power": power}
    if difference is not None:
        items = needed_items(differences.std, difference, **of)
    needed = items or 0
    found = minimum_detectable_effect(differences.std, needed, **of) if difference is None else difference
    return PowerPlan(
        difference=found,
        items=needed,
        clusters=math.ceil(needed / differences.cluster_size),
        power=power,
        confidence=confidence,
        std=differences.std,
        changed=differences.changed,
        design_effect=differences.design_effect,
        cluster_size=differences.cluster_size,
        correlation=differences.correlation,
        like=differences.like,
    )


def _cells(file: Path, cells: Sequence[Cell]) -> dict[str, Cell]:
    """The cells by name, if a name stands for one of them."""
    if len({cell.key.dataset for cell in cells}) > 1 or len({cell.key.seed for cell in cells}) > 1:
        raise InputError(f"{file}: holds several datasets or seeds; give a file of one of each")
    if not cells:
        raise InputError(f"{file}: holds no answers that are judged one by one")
    return {cell.key.name: cell for cell in cells}


def _differences(file: Path, a: Cell, b: Cell, slice_name: str) -> tuple[Values, Labels]:
    for cell in (a, b):
        if slice_name not in cell.slices:
            slices = ", ".join(cell.slices)
            raise InputError(f"{file}: {cell.key.name} has no slice {slice_name!r}; it has {slices}")
    in_a, in_b = a.slices[slice_name], b.slices[slice_name]
    _, at_a, at_b = np.intersect1d(
        a.examples[in_a], b.examples[in_b], assume_unique=True, return_indices=True
    )
    return a.scores[in_a][at_a] - b.scores[in_b][at_b], a.clusters[in_a][at_a]
