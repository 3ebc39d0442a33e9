"""Absent: what a criterion asks for and the scores do not hold, and why in words."""

from collections.abc import Iterable

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.measurable import COVERAGE, MEANS, SEED_STD
from safe_eval.scorers import SCORERS
from safe_eval.scorers.captions import MAXIMA
from safe_eval.scoring.cells import BASE
from safe_eval.scoring.confidences import CALIBRATION_METRICS
from safe_eval.scoring.consultation import CONSULTATION_METRICS
from safe_eval.scoring.kept import DRIFT_METRICS
from safe_eval.scoring.measures import OWN_MEASURES
from safe_eval.scoring.metric import Metric
from safe_eval.scoring.score import Scores

Whence = tuple[str | None, int | None]  # a dataset and a seed; no seed where it is about all of them

_STATED = {
    **dict.fromkeys(CONSULTATION_METRICS, "no row says whether the sound was 'consulted'"),
    **dict.fromkeys(CALIBRATION_METRICS, "no row of an answer that is right or wrong has a 'confidence'"),
    **dict.fromkeys(DRIFT_METRICS, f"they need rows of {BASE}/full and of this model on the same examples"),
    **{name: f"no answer of it is judged by {metric}" for name, metric in OWN_MEASURES.items()},
}


def expected(criterion: Criterion, scores: Scores) -> set[Whence]:
    """The datasets and seeds whose answers on the slice were judged: what one of them lacks was not shown."""
    model, metric = (criterion.condition or "").rpartition("/")[0], criterion.metric.removesuffix(SEED_STD)
    judging: set[str] = {*SCORERS, *MAXIMA}
    if metric in MEANS and metric not in CONSULTATION_METRICS:
        judging = {metric}
    elif metric in OWN_MEASURES:
        judging = {OWN_MEASURES[metric]}
    elif metric in (*CALIBRATION_METRICS, *DRIFT_METRICS):
        judging = set(SCORERS)
    return {
        (row.dataset, None if criterion.metric.endswith(SEED_STD) else row.seed)
        for row in scores.metrics
        if row.metric in judging and (row.model, row.slice) == (model, criterion.slice)
    }


def silent(row: Metric, scores: Scores) -> int:
    """The judged answers of a row's cell and slice that do not say what its metric is about."""
    if row.metric not in (*CONSULTATION_METRICS, *CALIBRATION_METRICS):
        return 0
    about = (row.dataset, row.seed, row.model, row.condition, row.slice)
    judged = {
        other.metric: other.n
        for other in scores.metrics
        if (other.dataset, other.seed, other.model, other.condition, other.slice) == about
    }
    right_or_wrong = sum(n for metric, n in judged.items() if metric in SCORERS)
    captions = max((n for metric, n in judged.items() if metric in MAXIMA), default=0)
    return max(0, right_or_wrong + (captions if row.metric in CONSULTATION_METRICS else 0) - row.n)


def lacking(criterion: Criterion, whence: Whence) -> str:
    """One dataset and seed in which the model was judged, and this was not."""
    return f"not measured{of(whence)}: {_asked(criterion)}"


def nothing(criterion: Criterion, scores: Scores) -> str:
    """Why the scores say nothing at all about a criterion, and what they do hold."""
    metric, names = (
        criterion.metric.removesuffix(SEED_STD),
        [f"{c.model}/{c.condition}" for c in scores.cells],
    )
    text = f"the scores hold no {_asked(criterion)}"
    for side in (criterion.condition, criterion.against):
        if side is not None and side not in names:
            return f"{text}: they are of {_listed(names)}"
    if criterion.metric == COVERAGE:
        return text
    slices = [m.slice for m in scores.metrics if m.metric == metric] or [m.slice for m in scores.metrics]
    if metric in _STATED and not any(m.metric == metric for m in scores.metrics):
        return f"{text}: {_STATED[metric]}"
    if metric in MEANS and not any(m.metric == metric for m in scores.metrics):
        return f"{text}: they hold {_listed(m.metric for m in scores.metrics)}"
    if criterion.slice not in slices:
        return f"{text}: slices are {_listed(slices)}"
    if criterion.metric.endswith(SEED_STD):
        return f"{text}: score the predictions of several seeds, of the same examples, together"
    return text


def of(whence: Whence) -> str:
    """A dataset and a seed, as they end a line of evidence."""
    dataset, seed = whence
    names = [*([dataset] if dataset else []), *([] if seed is None else [f"seed {seed}"])]
    return f" ({', '.join(names)})" if names else ""


def _asked(criterion: Criterion) -> str:
    against = f" beside {criterion.against}" if criterion.against else ""
    what = "" if criterion.metric in SCORERS else f"{criterion.metric} of "
    where = "" if criterion.metric == COVERAGE else f" on slice {criterion.slice}"
    return f"{what}{criterion.condition}{against}{where}"


def _listed(names: Iterable[str], most: int = 8) -> str:
    found = list(dict.fromkeys(names))
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest
