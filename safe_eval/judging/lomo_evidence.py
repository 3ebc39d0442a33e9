"""LOMO evidence: what a criterion asks for about a modality that was left out."""

from collections.abc import Iterator

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.row_evidence import Evidence, Place, of_lomo, of_separation
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.separation import SEPARATION
from safe_eval.scoring.scores import Scores

LOMO_METRICS = (*SHARES_LOST, SEPARATION)


def lomo_evidence(criterion: Criterion, scores: Scores, *, over_seeds: bool) -> Iterator[Evidence]:
    """The shares lost, or the separations, of a condition: of each seed, or over all of them."""
    if criterion.metric == SEPARATION:
        for row in scores.separation:
            if (f"{row.model}/{row.condition}", row.seed is None) == (criterion.condition, over_seeds):
                yield of_separation(row)
        return
    for lomo in scores.lomo:
        asked = (criterion.slice, criterion.condition, over_seeds)
        if (lomo.slice, f"{lomo.model}/{lomo.condition}", lomo.seed is None) == asked:
            yield of_lomo(lomo, criterion.metric)


def pooled_places(criterion: Criterion, scores: Scores) -> set[Place]:
    """The places that need no separation of their own: a row over all datasets has their questions."""
    if criterion.metric != SEPARATION or criterion.dataset is not None:
        return set()
    return {
        Place(dataset, row.seed)
        for row in scores.separation
        if len(row.datasets) > 1 and f"{row.model}/{row.condition}" == criterion.condition
        for dataset in row.datasets
    }
