"""Margins: the largest difference that does not matter, for each metric in its own unit."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_given
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import CAPTION_METRICS, ON_REQUEST, SCORERS

_ANSWERS = (*SCORERS, *ON_REQUEST)  # all are shares of right answers, so one margin suits them all


@dataclass(frozen=True)
class Margins:
    """One margin for every metric that is compared, or a margin for each metric that is named."""

    every: float | None = None
    named: Mapping[str, float] = field(default_factory=dict)

    def of(self, metric: str) -> float | None:
        """The margin of a metric; None where it has none, and so does not decide."""
        return self.named.get(metric, self.every)

    def check_unit(self, metrics: Sequence[str]) -> None:
        """Refuse one margin for metrics of different kinds.

        Raises:
            InputError: several metrics are compared, and not all of them are shares of right answers.
        """
        if self.every is None:
            return
        if len(metrics) > 1 and not set(metrics) <= set(_ANSWERS):
            raise InputError(
                f"--margin {self.every:g} names no metric, and the metrics compared here have different "
                f"scales: {', '.join(metrics)}; name those that decide, such as --margin "
                f"{metrics[0]}={0.01 * MAXIMA.get(metrics[0], 1.0):g}, or compare one with --metric"
            )
        for metric in metrics:
            _check_value(self.every, metric)

    def check_named(self, metrics: Iterable[str]) -> None:
        """Refuse a margin of a metric that was not compared.

        Raises:
            InputError: there is one; the message lists the metrics that were compared.
        """
        compared = list(dict.fromkeys(metrics))
        for metric in self.named:
            if metric not in compared:
                raise InputError(
                    f"--margin {metric}={self.named[metric]:g}: {metric} is not compared here; "
                    f"compared are {', '.join(compared)}"
                )


def read_margins(given: Sequence[str]) -> Margins:
    """Read margins as they are typed: one number, or METRIC=NUMBER for each metric.

    >>> read_margins(["vqa_accuracy=0.005", "cider_d=0.03"]).of("cider_d"), read_margins(["0.005"]).every
    (0.03, 0.005)

    Raises:
        InputError: a metric is unknown or stands twice, a margin is no number above 0 or covers every
            difference, or a number without a metric stands beside others.
    """
    named: dict[str, float] = {}
    for text in map(str, given):
        metric, equals, number = text.rpartition("=")
        if not equals and len(given) > 1:
            raise InputError(
                f"--margin {text} names no metric, but there are {len(given)} margins; write METRIC=NUMBER"
            )
        value = _number(number, text)
        if not equals:
            return Margins(every=value)
        if metric in named:
            raise InputError(f"--margin {text}: {metric} has a margin already; give it one")
        known = (*_ANSWERS, *CAPTION_METRICS, *CONSULTATION_METRICS)
        if metric not in known and not is_given(metric):
            hint = did_you_mean(metric, known, f"metrics are {', '.join(known)}")
            raise InputError(f"--margin {text}: no metric is named {metric!r}; {hint}")
        _check_value(value, metric)
        named[metric] = value
    return Margins(named=named)


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(
            f"--margin {whole}: {text!r} is no number; half a point of accuracy is 0.005, or "
            "vqa_accuracy=0.005"
        ) from None
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"margin {text} is not above 0; half a point of accuracy is 0.005")
    return value


def _check_value(margin: float, metric: str) -> None:
    """Refuse a margin that no difference could exceed: it would show nothing."""
    highest = math.inf if is_given(metric) else MAXIMA.get(metric, 1.0)
    if margin >= highest:
        raise InputError(
            f"margin {margin:g} of {metric} covers every difference, since the metric ends at {highest:g}; "
            "half a point of accuracy is 0.005"
        )
