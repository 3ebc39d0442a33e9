"""Metric names: every metric that scores.json can hold, and the range of each."""

from safe_data.core.errors import did_you_mean
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_given
from safe_eval.results.aggregates import HIGHEST, OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.contradiction import ABSTAINED, NEITHER, PICTURE, SOUND
from safe_eval.results.deferral import DEFERRAL_METRICS
from safe_eval.results.gate_row import DROP, HARMED, HELPED
from safe_eval.results.gate_times import BREAK_EVEN
from safe_eval.results.gates import GATE_MEASURES, TIMES_AND_TOKENS
from safe_eval.results.irrelevance import ANSWERS_CHANGED
from safe_eval.results.latency import LATENCIES, LATENCY_RATIO
from safe_eval.results.lomo import SHARE_LOST, SHARES_LOST
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.captions.learned_metrics.learned_scores import LOWEST
from safe_eval.scorers.scorer import ON_REQUEST, SCORERS
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL

CHANGED, COVERAGE = "answers_changed", "coverage"  # a number of examples, and a share of them
AGREEMENT = "agreement"  # of the scorer with a labelled table
WITHOUT_SIDES = (COVERAGE, AGREEMENT)  # metrics of a whole run: they need no condition
SEED_STD = "_seed_std"  # suffix of a metric: the standard deviation between seeds, without item noise

# Means of the scores of examples, with their highest value; these have slices and comparisons.
MEANS: dict[str, float] = {
    **{name: scorer.highest for name, scorer in (SCORERS | ON_REQUEST).items()},
    **MAXIMA,
    **CONSULTATION_METRICS,
}
GATE_METRICS = tuple(name for name in GATE_MEASURES if name not in MEANS)  # of the table `gates`
# Shares of the answers under `contradict`, by what the answers follow.
FOLLOWED = {
    "follows_picture": PICTURE,
    "follows_sound": SOUND,
    "follows_neither": NEITHER,
    "abstained": ABSTAINED,
}
LISTENING = (*GATE_METRICS, ANSWERS_CHANGED, *FOLLOWED)
# Of captions there are none of these.
NOT_OF_CAPTIONS = (
    *(*CALIBRATION_METRICS, *DEFERRAL_METRICS, *DRIFT_METRICS, *SHARES_LOST, SEPARATION),
    *(DROP, HELPED, HARMED, ANSWERS_CHANGED, *FOLLOWED),
)
# They may take an `against`, and subtract nothing.
PROPORTIONS = (*SHARES_LOST, LATENCY_RATIO, *(name for name in GATE_METRICS if name != DROP), ANSWERS_CHANGED)
OVER_SEEDS = (*MEANS, *OWN_AGGREGATES, *CALIBRATION_METRICS)  # what the table of seeds can hold
COMBINED = (*OVER_SEEDS, *SHARES_LOST, SEPARATION, *GATE_METRICS)  # what has a mean over seeds
METRICS = (
    *MEANS,
    *CALIBRATION_METRICS,
    *DEFERRAL_METRICS,
    *DRIFT_METRICS,
    *OWN_AGGREGATES,
    *LATENCIES,
    *SHARES_LOST,
    SEPARATION,
    *LISTENING,
    AGREEMENT,
    CHANGED,
    COVERAGE,
    *(f"{name}{SEED_STD}" for name in OVER_SEEDS),
)


def is_mean(metric: str) -> bool:
    """Whether a metric is a mean of scores of examples: one of `MEANS`, or what another harness gave.

    >>> is_mean("vqa_accuracy"), is_mean("given:gpt_eval"), is_mean("ece")
    (True, True, False)
    """
    return metric in MEANS or (is_given(metric) and not metric.endswith(SEED_STD))


def is_known(metric: str) -> bool:
    """Whether scores.json can hold a metric; which scores harnesses give is known from rows alone."""
    return metric in METRICS or is_given(metric)


def has_mean_over_seeds(metric: str) -> bool:
    """Whether a metric is combined over seeds where there are several."""
    return metric in COMBINED or is_mean(metric)


def extremes(metric: str, *, difference: bool) -> tuple[float, float]:
    """The lowest and the highest value of a metric, or of a difference of two such values.

    >>> extremes("cider_d", difference=True), extremes("answers_changed", difference=False)
    ((-10.0, 10.0), (0.0, inf))
    >>> extremes("given:gpt_eval", difference=False)
    (-inf, inf)
    """
    if is_given(metric):
        return 0.0 if metric.endswith(SEED_STD) else -float("inf"), float("inf")
    highest = {
        **MEANS,
        **CALIBRATION_METRICS,
        **DEFERRAL_METRICS,
        **dict(zip(DRIFT_METRICS, (LARGEST_NLL, 1.0), strict=True)),
        **HIGHEST,
        "distribution": float("inf"),  # chi-squared
        CHANGED: float("inf"),
        **dict.fromkeys((*LATENCIES, *SHARES_LOST), float("inf")),
        SEPARATION: 2.0,
        **dict.fromkeys(LISTENING, 1.0),
        **dict.fromkeys((name for name in TIMES_AND_TOKENS if name != BREAK_EVEN), float("inf")),
        SHARE_LOST: 1.0,
        **dict.fromkeys((COVERAGE, AGREEMENT), 1.0),
    }[metric.removesuffix(SEED_STD)]
    lowest = {SEPARATION: -2.0, DROP: -1.0}.get(metric, LOWEST.get(metric, 0.0))
    if difference and metric in MEANS:
        return lowest - highest, highest - lowest
    return lowest, highest


def unknown_metric(metric: str) -> str:
    """The message for a metric that does not exist, with the nearest name and all names.

    >>> unknown_metric("vqa_acuracy")[:59]
    "unknown metric 'vqa_acuracy', did you mean 'vqa_accuracy'?;"
    """
    named = ", ".join(name for name in METRICS if not name.endswith(SEED_STD))
    hint = did_you_mean(metric, METRICS)
    told = f"metrics are {named}, METRIC{SEED_STD}, and given:NAME"
    return f"unknown metric {metric!r}{hint and ', '}{hint}; {told}"
