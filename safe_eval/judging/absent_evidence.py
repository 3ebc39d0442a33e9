"""Absent evidence: why the scores say nothing about a criterion, and what they hold instead."""

from collections.abc import Iterable

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.headline import asks_for_headline
from safe_eval.judging.metric_names import COVERAGE, FOLLOWED, GATE_METRICS, SEED_STD, is_mean
from safe_eval.results.aggregates import CAPTIONS, OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.deferral import AUROC_GATE, DEFERRAL_METRICS
from safe_eval.results.gate_row import DROP
from safe_eval.results.irrelevance import ANSWERS_CHANGED
from safe_eval.results.latency import LATENCY_MS, LATENCY_RATIO
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import ANSWER_METRICS, SCORERS
from safe_eval.scoring.scores import Scores

# Why the scores may hold none of these metrics at all.
_WHY_NO_ROW = {
    **dict.fromkeys(CONSULTATION_METRICS, "no row says whether the sound was 'consulted'"),
    **dict.fromkeys(
        (*CALIBRATION_METRICS, *DEFERRAL_METRICS), "no row that is judged right or wrong has a 'confidence'"
    ),
    AUROC_GATE: "no row has a 'gate_score', or says whether the sound was 'consulted'",
    **dict.fromkeys(
        DRIFT_METRICS, "it needs rows of this model and of the baseline under full, on the same examples"
    ),
    LATENCY_MS: "none of its rows has a 'latency_ms'",
    LATENCY_RATIO: "it needs a 'latency_ms' in rows of this model and of the baseline under full",
    **dict.fromkeys(
        SHARES_LOST, "it needs rows of full and of this condition that are judged right or wrong"
    ),
    **dict.fromkeys(GATE_METRICS, "no row of this model says whether the sound was 'consulted'"),
    DROP: "it needs rows of this model with 'consulted', and of the same with its gate always open",
    ANSWERS_CHANGED: "it needs rows under both conditions, of questions that need no sound",
    **dict.fromkeys(
        FOLLOWED, "no row under contradict says in metadata 'contradicts' what its sound supports"
    ),
    SEPARATION: "it needs rows of full and of this condition, of questions that need the sound and of others",
    **{name: f"{metric} judges none of the answers" for name, metric in OWN_AGGREGATES.items()},
}


def why_nothing(criterion: Criterion, scores: Scores) -> str:
    """Why the scores say nothing about a criterion, and what they hold instead."""
    text, metric = f"the scores hold no {in_words(criterion)}", criterion.metric.removesuffix(SEED_STD)
    text += "" if criterion.dataset is None else f" in {criterion.dataset}"
    datasets = [arm.dataset for arm in scores.cells]
    if criterion.dataset not in (None, *datasets):
        return f"{text}: datasets are {_listed(name or 'unnamed' for name in datasets)}"
    arms = [f"{arm.model}/{arm.condition}" for arm in scores.cells]
    if not {criterion.condition, criterion.against} - {None} <= set(arms):
        return f"{text}: they are of {_listed(arms)}"
    if criterion.metric == COVERAGE:
        return text
    rows = [row for row in scores.metrics if criterion.dataset in (None, row.dataset)]
    judging = ANSWER_METRICS if asks_for_headline(criterion) else (metric,)
    slices = [row.slice for row in rows if row.metric in judging]
    if not slices and metric in MAXIMA and (reasons := _why_no_captions(metric, scores)):
        return f"{text}: {'; '.join(reasons)}"
    if not slices and metric in _WHY_NO_ROW:
        return f"{text}: {_WHY_NO_ROW[metric]}"
    if not slices and is_mean(metric):
        return f"{text}: they hold {_listed(row.metric for row in rows)}"
    slices = slices or [row.slice for row in rows]
    if criterion.slice not in slices:
        return f"{text}: slices are {_listed(slices)}"
    if criterion.metric.endswith(SEED_STD) or criterion.over == "seeds":
        return f"{text}: {_seeds(criterion, scores)}"
    return f"{text}{_other_baseline(criterion, scores.provenance.baseline)}"


def _seeds(criterion: Criterion, scores: Scores) -> str:
    """How many seeds there are in place of those that a number over seeds needs."""
    together = "score the predictions of several seeds, of the same examples, together"
    model = (criterion.condition or "").rpartition("/")[0]
    there = sorted({cell.seed for cell in scores.cells if cell.model == model})
    if len(there) > 1:
        return f"its {len(there)} seeds were not all measured on the same examples; {together}"
    asked = f", and {criterion.min_seeds} are asked for" if criterion.min_seeds else ""
    return f"{model} has 1 seed{asked}; {together}"


def _other_baseline(criterion: Criterion, baseline: str | None) -> str:
    """How to have two models compared that were scored beside the baseline, and not with each other."""
    arms = (criterion.condition, criterion.against)
    model, other = (arm and arm.rpartition("/")[0] for arm in arms)
    if other is None or model == other or baseline in (None, model, other):
        return ""
    return f": all models are compared with {baseline}; score again with --baseline {other}, or with --pairs"


def _why_no_captions(metric: str, scores: Scores) -> list[str]:
    """Why a metric of captions was not measured, once per reason."""
    rows = [row for row in scores.aggregates if (row.metric, row.name) == (CAPTIONS, metric)]
    return list(dict.fromkeys(row.why_not for row in rows if row.why_not is not None))


def in_words(criterion: Criterion) -> str:
    against = f" against {criterion.against}" if criterion.against else ""
    what = "" if criterion.metric in SCORERS else f"{criterion.metric} of "
    what = f"mean over seeds of {what}" if criterion.over == "seeds" else what
    where = "" if criterion.metric == COVERAGE else f" on slice {criterion.slice}"
    return f"{what}{criterion.condition}{against}{where}"


def _listed(names: Iterable[str], most: int = 8) -> str:
    found = list(dict.fromkeys(names))
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest
