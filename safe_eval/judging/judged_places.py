"""Judged places: the datasets and seeds in which a model was judged, so that each of them owes evidence."""

from collections.abc import Iterable

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.metric_names import NOT_OF_CAPTIONS, SEED_STD, is_mean
from safe_eval.judging.row_evidence import Place
from safe_eval.results.aggregates import OWN_AGGREGATES
from safe_eval.results.metrics import Metric
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.scores import Scores


def judged_places(criterion: Criterion, scores: Scores) -> set[Place]:
    """The datasets and seeds in which the criterion's model was judged on its slice.

    A dataset that only the other side answered is among them: who leaves one out could lose there. Where the
    model is the baseline, or has one seed that goes with each of the other model, its seeds are the other's.
    """
    model, metric = (criterion.condition or "").rpartition("/")[0], criterion.metric.removesuffix(SEED_STD)
    judging: set[str] = {*ANSWER_METRICS, *MAXIMA}
    if is_mean(metric) and metric not in CONSULTATION_METRICS:
        judging = {metric}
    elif metric in OWN_AGGREGATES:
        judging = {OWN_AGGREGATES[metric]}
    elif metric in NOT_OF_CAPTIONS:
        judging = set(ANSWER_METRICS)
    slices = ("audio", "vl") if metric == SEPARATION else (criterion.slice,)
    rows = [row for row in scores.metrics if row.metric in judging and row.slice in slices]
    other = (criterion.against or "").rpartition("/")[0]
    own, others = _seeds_of(model, rows), _seeds_of(other, rows)
    if other and model == scores.provenance.baseline:
        own, others = others, own
    places: set[Place] = set()
    for dataset in own.keys() | others.keys():
        mine, beside = own.get(dataset, set()), others.get(dataset, set())
        seeds = beside if len(mine) == 1 and len(beside) > 1 else mine
        places |= {Place(dataset, seed) for seed in seeds} or {Place(dataset, None)}
    return places


def _seeds_of(model: str, rows: Iterable[Metric]) -> dict[str | None, set[int]]:
    """The seeds of a model on each dataset."""
    seeds: dict[str | None, set[int]] = {}
    for row in rows:
        if row.model == model:
            seeds.setdefault(row.dataset, set()).add(row.seed)
    return seeds
