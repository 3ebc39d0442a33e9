"""Measurable: every metric that scores.json can hold, and between what each can lie."""

import difflib
from collections.abc import Iterable

from safe_eval.calibration.proper_scores import LARGEST_NLL
from safe_eval.scorers import ON_REQUEST, SCORERS
from safe_eval.scorers.captions import MAXIMA
from safe_eval.scoring.confidences import CALIBRATION_METRICS
from safe_eval.scoring.consultation import CONSULTATION_METRICS
from safe_eval.scoring.kept import DRIFT_METRICS
from safe_eval.scoring.measures import OWN_MEASURES, WITHOUT_INTERVAL

CHANGED, COVERAGE = "answers_changed", "coverage"  # counts of examples, and their share
SEED_STD = "_seed_std"  # after a metric's name: the standard deviation of its mean over seeds

# Scores of single examples, by their highest: they have slices and comparisons.
MEANS: dict[str, float] = {
    **{name: scorer.highest for name, scorer in (SCORERS | ON_REQUEST).items()},
    **MAXIMA,
    **CONSULTATION_METRICS,
}
METRICS = (
    *MEANS,
    *CALIBRATION_METRICS,
    *DRIFT_METRICS,
    *OWN_MEASURES,
    CHANGED,
    COVERAGE,
    *(f"{name}{SEED_STD}" for name in MEANS),
)


def extremes(metric: str, *, difference: bool) -> tuple[float, float]:
    """The lowest and the highest number a metric, or a difference of two, can be.

    >>> extremes("cider_d", difference=True), extremes("answers_changed", difference=False)
    ((-10.0, 10.0), (0.0, inf))
    """
    highest = {
        **MEANS,
        **CALIBRATION_METRICS,
        **dict(zip(DRIFT_METRICS, (LARGEST_NLL, 1.0), strict=True)),
        **dict.fromkeys(OWN_MEASURES, 1.0),
        WITHOUT_INTERVAL: float("inf"),  # chi-squared
        CHANGED: float("inf"),
        COVERAGE: 1.0,
    }[metric.removesuffix(SEED_STD)]
    return (-highest if difference and metric in MEANS else 0.0), highest


def unknown_metric(metric: str) -> str:
    """What to say of a metric that no scores hold.

    >>> unknown_metric("vqa_acuracy")[:59]
    "unknown metric 'vqa_acuracy', did you mean 'vqa_accuracy'?;"
    """
    named = ", ".join(name for name in METRICS if not name.endswith(SEED_STD))
    return f"unknown metric {metric!r}{meant(metric, METRICS)}; metrics are {named}, and METRIC{SEED_STD}"


def meant(word: str, words: Iterable[str]) -> str:
    """
    >>> meant("consultd", ["consulted", "skipped"])
    ", did you mean 'consulted'?"
    """
    near = difflib.get_close_matches(word, list(words), 1)
    return f", did you mean {near[0]!r}?" if near else ""
