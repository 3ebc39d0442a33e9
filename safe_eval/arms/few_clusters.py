"""Few clusters: datasets whose intervals are uncertain, because their clusters are few or unequal."""

from collections.abc import Iterator

from safe_data.core import numerals
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.score_interval import FEW_CLUSTERS, LEAST_CLUSTERS, count_effective


def few_cluster_notes(arms: Arms) -> Iterator[str]:
    """One line per dataset and slice in which some arm has fewer than 20 effective clusters.

    >>> from safe_eval.arms.all_arms import all_arms
    >>> from safe_eval.prediction import Prediction
    >>> rows = [Prediction(example_id=f"q{n}", references=("a",), answer="a", group="g") for n in range(3)]
    >>> print(*few_cluster_notes(all_arms(rows)))
    all: 1 clusters are too few for an interval
    """
    fewest: dict[tuple[str | None, str], tuple[float, int]] = {}
    for arm in arms.arms:
        for name in COMPARED_SLICES:
            if name in arm.slices and arm.slices[name].any():
                clusters = arm.clusters[arm.slices[name]]
                found = (count_effective(clusters), count_clusters(clusters))
                fewest[arm.key.dataset, name] = min(found, fewest.get((arm.key.dataset, name), found))
    for (dataset, name), (effective, count) in fewest.items():
        if effective >= FEW_CLUSTERS:
            continue
        where = name if dataset is None else f"{dataset}, {name}"
        if effective < LEAST_CLUSTERS:
            yield f"{where}: {_counted(count, effective)} are too few for an interval"
        else:
            yield (
                f"{where}: {_counted(count, effective)}; below {FEW_CLUSTERS:.0f}, intervals are wide, and "
                "some hold the truth less often than they say"
            )


def _counted(count: int, effective: float) -> str:
    text = numerals.clusters(count, effective)
    return f"{text} clusters" if text == str(count) else f"{text} effective clusters"
