"""Linear values: an aggregate or a calibration error as the mean of one value per item.

Such values move as the aggregate does when an item weighs a little more. So what holds for means over seeds
and clusters holds for them: the noise of items, standard errors, and the interval over both.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.scorers.aggregate import Aggregate
from safe_eval.statistics.calibration.ece_interval import residuals_by_bin
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.calibration.proper_scores import brier, nll

Items = Float[ndarray, " items"]


def of_aggregate(aggregate: Aggregate, items: int) -> Items | None:
    """The values of an aggregate that is a mean, or a mean of the means of classes; None for any other.

    An item that the aggregate does not count has the aggregate's own value: without it nothing would change.
    One that is counted twice, as in F1, pulls twice.

    Source: Demnati & Rao 2004, "Linearization variance estimators for survey data", for sums of ratios.

    >>> recalls = Aggregate("balanced_accuracy", 0.75, 3, None, np.arange(3), np.array([1.0, 0, 1]),
    ...     np.array([0, 0, 1]))
    >>> values = of_aggregate(recalls, 3)
    >>> values.tolist(), float(values.mean())
    ([1.125, 0.375, 0.75], 0.75)
    """
    if aggregate.value is None or aggregate.at is None or aggregate.scores is None:
        return None
    classes = np.zeros(len(aggregate.at), int) if aggregate.classes is None else aggregate.classes
    sizes = np.bincount(classes)
    means = np.bincount(classes, weights=aggregate.scores) / sizes
    pulls = (aggregate.scores - means[classes]) / sizes[classes] / len(sizes)
    moved = np.bincount(aggregate.at, weights=pulls, minlength=items)
    return np.asarray(aggregate.value + aggregate.highest * items * moved)


def of_calibration(forecasts: Forecasts) -> dict[str, Items]:
    """The values of ECE, Brier score, NLL and mean confidence of some answers, by metric.

    ECE adds up the residuals of each bin, each with the sign of their sum.

    >>> one = np.array([0.8, 0.8]), np.array([1.0, 0.0])
    >>> values = of_calibration(Forecasts(np.arange(2), np.arange(2), *one))
    >>> round(float(values["ece"].mean()), 2), round(float(values["brier"].mean()), 2)
    (0.3, 0.34)
    """
    confidence, correct = forecasts.confidence, forecasts.correct
    residuals = residuals_by_bin(confidence, correct)
    signed = residuals * np.sign(residuals.sum(axis=0))
    return {
        "ece": np.asarray(signed.sum(axis=1)),
        "brier": brier(confidence, correct),
        "nll": nll(confidence, correct),
        "confidence": confidence,
    }
