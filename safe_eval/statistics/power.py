"""Power: the smallest difference that a dataset can show, and what clusters make of it."""

import math
from statistics import NormalDist

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.intervals import clustered_stderr, mean_totals


def minimum_detectable_effect(
    std: float, items: float, *, design_effect: float = 1, confidence: float = 0.95, power: float = 0.8
) -> float:
    """The smallest mean difference that a two-sided test finds with the given power.

    `std` is the standard deviation of the paired differences. The normal approximation is used.

    Raises:
        InputError: an argument is out of range.

    Source: Miller 2024, "Adding Error Bars to Evals", with the design effect of clusters.

    >>> round(minimum_detectable_effect(0.4, 1000), 4)
    0.0354
    """
    _check(std, items, design_effect, confidence, power)
    return _reach(confidence, power) * std * math.sqrt(design_effect / items)


def smallest_margin_shown(
    stderr: float, confidence: float, *, one_sided: bool = False, power: float = 0.8
) -> float:
    """How far a true mean must lie from a bound for data of this standard error to show it.

    `one_sided` is for the tests of equivalence and non-inferiority, which each reject at 1 − confidence.

    Raises:
        InputError: the confidence or the power is out of range.

    >>> round(smallest_margin_shown(0.01, 0.95), 4)
    0.028
    """
    _check(1, 1, 1, confidence, power)
    return stderr * _reach(2 * confidence - 1 if one_sided else confidence, power)


def paired_std(changed: float, difference: float = 0.0) -> float:
    """The standard deviation of differences of right-or-wrong scores.

    `changed` is the share of items whose score differs, and `difference` the mean difference.

    Raises:
        InputError: so few changed items cannot make that difference.

    >>> round(paired_std(0.16), 2)
    0.4
    """
    if not abs(difference) <= changed <= 1:
        raise InputError(f"a difference of {difference} cannot come from a share {changed} of changed items")
    return math.sqrt(changed - difference**2)


def design_effect(mean_size: float, correlation: float, size_variation: float = 0.0) -> float:
    """The factor by which clusters multiply the variance of a mean.

    `mean_size` is in items per cluster, `correlation` is the intracluster correlation, and `size_variation`
    is the standard deviation of the cluster sizes over their mean.

    Raises:
        InputError: an argument is out of range.

    Source: Eldridge, Ashby & Kerry 2006, "Sample size for cluster randomized trials: effect of coefficient
    of variation of cluster size and analysis method".

    >>> round(design_effect(4, 0.3), 2)
    1.9
    """
    if not (mean_size >= 1 and -1 <= correlation <= 1 and size_variation >= 0):
        raise InputError(
            f"clusters of {mean_size} items, correlation {correlation} and size variation {size_variation} "
            "have no design effect; sizes are 1 or more, correlations in [-1, 1]"
        )
    return 1 + ((1 + size_variation**2) * mean_size - 1) * correlation


def observed_design_effect(values: Values, clusters: Labels) -> float | None:
    """How many times clusters multiply the variance of the mean; None if it cannot be estimated.

    >>> import numpy as np
    >>> round(observed_design_effect(np.tile([0.0, 1.0], 50).repeat(2), np.arange(200) // 2), 2)
    2.01
    """
    stderr, variance = clustered_stderr(values, clusters), float(values.var(ddof=1)) if len(values) > 1 else 0
    return stderr**2 * len(values) / variance if stderr is not None and variance else None


def intracluster_correlation(values: Values, clusters: Labels) -> float | None:
    """How similar the items of one cluster are, from −1/(size − 1) to 1; None if it cannot be estimated.

    Source: Donner 1986, "A review of inference procedures for the intraclass correlation coefficient":
    the analysis of variance estimator for clusters of unequal size.

    >>> import numpy as np
    >>> intracluster_correlation(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    sums, sizes = mean_totals(values, clusters).T
    n, groups = sizes.sum(), len(sizes)
    if groups < 2 or n == groups:
        return None
    between = float((sizes * (sums / sizes - values.mean()) ** 2).sum()) / (groups - 1)
    within = (float((values**2).sum()) - float((sums**2 / sizes).sum())) / (n - groups)
    typical = (n - (sizes**2).sum() / n) / (groups - 1)
    whole = between + (typical - 1) * within
    return float((between - within) / whole) if whole > 1e-15 else None


def _reach(confidence: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)


def _check(std: float, amount: float, design_effect: float, confidence: float, power: float) -> None:
    if not (std > 0 and amount > 0 and design_effect > 0):
        raise InputError(
            f"standard deviation {std}, {amount} and design effect {design_effect} must all be above 0"
        )
    if not (0 < confidence < 1 and 0.5 <= power < 1):
        raise InputError(
            f"confidence {confidence} or power {power} is out of range; 95 % is 0.95, 80 % is 0.8"
        )
