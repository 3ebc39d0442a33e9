"""Units: how the page writes the numbers of a metric: shares in percent, all others on their own scale."""

from dataclasses import dataclass

from safe_data.core import numerals
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.judging.metric_names import COVERAGE, LISTENING, SEED_STD
from safe_eval.report import numbers
from safe_eval.results.aggregates import HIGHEST, OWN_AGGREGATES, WITHOUT_INTERVAL
from safe_eval.results.gate_times import BREAK_EVEN
from safe_eval.results.gates import TIMES_AND_TOKENS
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.scorer import ON_REQUEST, SCORERS

# Means of numbers in [0, 1] that say how many, or how sure. Caption scores, Brier and NLL say neither.
_SHARES = frozenset(
    {
        *(name for name, scorer in (SCORERS | ON_REQUEST).items() if scorer.highest == 1),
        *CONSULTATION_METRICS,
        *(name for name in OWN_AGGREGATES if name not in WITHOUT_INTERVAL and HIGHEST[name] == 1),
        *("confidence", "ece", COVERAGE, *SHARES_LOST, SEPARATION),
        *(name for name in LISTENING if name not in TIMES_AND_TOKENS or name == BREAK_EVEN),
    }
)


@dataclass(frozen=True)
class Unit:
    """How a number and its interval are written: as a share or as it is, a value or a difference."""

    is_share: bool
    is_difference: bool = False

    def write(self, value: float | None) -> str:
        """
        >>> Unit(is_share=True).write(0.994), Unit(is_share=True, is_difference=True).write(-0.0168)
        ('99.4 %', '−1.7 pp')
        >>> Unit(is_share=False).write(0.0123456), Unit(is_share=False, is_difference=True).write(0.5)
        ('0.012', '+0.500')
        """
        if self.is_share:
            return (numbers.share_points if self.is_difference else numbers.share)(value)
        return (numerals.difference if self.is_difference else numerals.fraction)(value)

    def interval(self, low: float | None, high: float | None) -> str:
        """The two ends in the unit of the value beside them, which is not repeated.

        >>> Unit(is_share=True).interval(0.99, 0.998), Unit(is_share=False).interval(None, 1.0)
        ('[99.0, 99.8]', '')
        """
        if not self.is_share:
            return numbers.interval(self.write(low), self.write(high))
        write = numbers.points if self.is_difference else numbers.percent
        return numbers.interval(write(low), write(high))

    @property
    def name(self) -> str:
        """The unit in the caption of a table."""
        if not self.is_share:
            return "on its own scale"
        return "in percentage points (pp)" if self.is_difference else "in percent"


PLAIN = Unit(is_share=False)


def is_share(metric: str) -> bool:
    """Whether the page writes a metric in percent.

    >>> is_share("vqa_accuracy"), is_share("consulted"), is_share("cider_d"), is_share("nll")
    (True, True, False, False)
    """
    return metric.removesuffix(SEED_STD) in _SHARES


def unit_of(metric: str, *, difference: bool = False) -> Unit:
    """The unit of a metric, or of a difference of two values of it."""
    return Unit(is_share(metric), is_difference=difference)
