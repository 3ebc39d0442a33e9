"""Evidence: the numbers in the scores that a criterion asks for, or the reason why there are none."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from safe_data.core import numerals
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.criterion import Criterion, Use
from safe_eval.judging.metric_names import CHANGED, COVERAGE, MEANS, SEED_STD
from safe_eval.results.aggregates import OWN_AGGREGATES, AggregateRow
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import DRIFT_METRICS, RetentionRow
from safe_eval.results.seeds import SeedRow
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import SCORERS
from safe_eval.scoring.scores import Scores

# The field of a row that these metrics are computed from.
_FIELD = {
    **dict.fromkeys(CONSULTATION_METRICS, "consulted"),
    **dict.fromkeys(CALIBRATION_METRICS, "confidence"),
}
# Why the scores may hold none of these metrics at all.
_WHY_NO_ROW = {
    **dict.fromkeys(CONSULTATION_METRICS, "no row says whether the sound was 'consulted'"),
    **dict.fromkeys(CALIBRATION_METRICS, "no row that is judged right or wrong has a 'confidence'"),
    **dict.fromkeys(
        DRIFT_METRICS, "it needs rows of this model and of the baseline under full, on the same examples"
    ),
    **{name: f"{metric} judges none of the answers" for name, metric in OWN_AGGREGATES.items()},
}


@dataclass(frozen=True)
class Evidence:
    """What the scores say about a criterion for one dataset and seed; None is not measured."""

    text: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    equivalence: tuple[float | None, float | None] = (None, None)

    def numbers(self, use: Use) -> tuple[float | None, ...]:
        """The numbers that must all meet the bound; a number that is not finite is not measured."""
        asked = {"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high}
        numbers = self.equivalence if use == "equivalence" else (asked[use],)
        return tuple(n if n is not None and math.isfinite(n) else None for n in numbers)


class _Place(NamedTuple):
    """A dataset and a seed; no seed where the number is over all seeds."""

    dataset: str | None
    seed: int | None

    def __str__(self) -> str:
        names = [self.dataset or "", "" if self.seed is None else f"seed {self.seed}"]
        return f" ({', '.join(filter(None, names))})" if any(names) else ""


def find_evidence(criterion: Criterion, scores: Scores) -> list[Evidence]:
    """Find what the scores say about a criterion, once per dataset and seed; never empty.

    A dataset or seed in which the model was judged, but not on this criterion, yields evidence without a
    number. If it were left out, a seed that fails could pass by having no answers under a condition.
    """
    if criterion.metric == COVERAGE:
        arms = [arm for arm in scores.cells if criterion.condition in (None, f"{arm.model}/{arm.condition}")]
        return [_coverage(arms)] if arms else [Evidence(_why_nothing(criterion, scores))]
    found = list(_found(criterion, scores))
    if not found:
        return [Evidence(_why_nothing(criterion, scores))]
    missing = _judged_places(criterion, scores) - {place for place, _ in found}
    return [
        *(evidence for _, evidence in found),
        *(Evidence(f"not measured{place}: {_in_words(criterion)}") for place in sorted(missing, key=str)),
    ]


def _found(criterion: Criterion, scores: Scores) -> Iterator[tuple[_Place, Evidence]]:
    """The rows of scores.json that the criterion asks for; its metric says in which table they stand."""
    metric, name = criterion.metric, criterion.condition
    if metric in DRIFT_METRICS:
        for retained in scores.retention:
            pair = (f"{retained.model}/{retained.condition}", retained.against)
            if (retained.slice, *pair) == (criterion.slice, name, criterion.against):
                yield _place(retained), _drift(retained, metric)
    elif metric in OWN_AGGREGATES:
        for aggregate in scores.aggregates:
            if (aggregate.name, f"{aggregate.model}/{aggregate.condition}") == (metric, name):
                yield _place(aggregate), _aggregate(aggregate)
    elif metric.endswith(SEED_STD):
        asked = (metric.removesuffix(SEED_STD), criterion.slice, name)
        for spread in scores.seeds:
            if (spread.metric, spread.slice, f"{spread.model}/{spread.condition}") == asked:
                yield _Place(spread.dataset, None), _seed_spread(spread)
    elif criterion.against is None:
        for row in scores.metrics:
            if (row.metric, row.slice, f"{row.model}/{row.condition}") == (metric, criterion.slice, name):
                yield _place(row), _mean(row, _without_field(row, scores))
    else:
        for comparison in scores.comparisons:
            sides = (comparison.slice, comparison.a, comparison.b)
            if sides == (criterion.slice, name, criterion.against) and metric in (CHANGED, comparison.metric):
                yield _place(comparison), _comparison(comparison, metric, scores)


def _coverage(arms: Sequence[ArmCoverage]) -> Evidence:
    answered, expected = sum(arm.answered for arm in arms), sum(arm.expected for arm in arms)
    text = f"{answered} of {expected} examples answered"
    worst = min(arms, key=lambda arm: arm.answered / arm.expected)
    if worst.answered < worst.expected:
        text += f"; fewest by {worst.model}/{worst.condition}: {worst.answered} of {worst.expected}"
    return Evidence(text, value=answered / expected)


def _mean(row: Metric, without_field: int) -> Evidence:
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n} in {row.clusters} clusters"
    if without_field:
        return Evidence(f"{text}; without {_FIELD[row.metric]!r}: {without_field} more{_place(row)}")
    return Evidence(
        f"{text}{_interval(row.interval, row.confidence)}{_place(row)}", row.value, row.ci_low, row.ci_high
    )


def _comparison(row: Comparison, metric: str, scores: Scores) -> Evidence:
    """A difference, or how many answers changed; nothing where one side alone answered an example."""
    if row.only_a or row.only_b or not row.n:  # what the other side would have answered could go either way
        alone = f"{row.only_a} only by {row.a}, {row.only_b} only by {row.b}"
        return Evidence(f"not every example was answered by both: {alone}{_place(row)}")
    if metric == CHANGED:
        text = f"{row.changed} of {row.n} answers of {row.a} differ from {row.b}"
        return Evidence(f"{text}{_place(row)}", value=float(row.changed))
    return _difference(row, _without_field_on_a_side(row, scores))


def _difference(row: Comparison, without_field: int) -> Evidence:
    text = f"{row.a} − {row.b} on {row.slice}: {row.gained} gained, {row.lost} lost"
    text += f", n {row.n} in {row.clusters} clusters"
    if without_field:
        return Evidence(f"{text}; without {_FIELD[row.metric]!r}: {without_field} more{_place(row)}")
    if row.test is not None:
        text += f", {row.test} p {numerals.p_value(row.p_value)}"
    equivalence = (row.equivalence_low, row.equivalence_high)
    text += f", equivalence {numerals.interval(*equivalence, signed=True)}"
    text += f"{_interval(row.interval, row.confidence)}{_place(row)}"
    return Evidence(text, row.difference, row.ci_low, row.ci_high, equivalence)


def _drift(row: RetentionRow, metric: str) -> Evidence:
    text = f"{row.model}/{row.condition} from {row.against} on {row.slice}"
    without = row.n + row.only_base + row.only_safe - row.drift_n
    if row.kl_nats is None or without:
        return Evidence(
            f"{text}: {row.why_not or f'{without} examples lack choice_probabilities'}{_place(row)}"
        )
    text += f", n {row.drift_n}, same likeliest choice {numerals.fraction(row.same_choice)}"
    text += f"{_interval(row.drift_interval, row.confidence)}{_place(row)}"
    if metric == "kl_nats":
        return Evidence(text, row.kl_nats, row.kl_low, row.kl_high)
    return Evidence(text, row.total_variation, row.total_variation_low, row.total_variation_high)


def _aggregate(row: AggregateRow) -> Evidence:
    text = f"{row.model}/{row.condition} on all"
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}{_place(row)}")
    text += f", n {row.n}"
    if row.confidence is None:
        return Evidence(f"{text}, {row.name} has no interval{_place(row)}", row.value)
    text += f" in {row.clusters} clusters{_interval(row.interval, row.confidence)}{_place(row)}"
    return Evidence(text, row.value, row.ci_low, row.ci_high)


def _seed_spread(row: SeedRow) -> Evidence:
    means = ", ".join(numerals.fraction(mean) for mean in row.means)
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n}, seeds {list(row.seeds)}: {means}"
    return Evidence(f"{text}{_Place(row.dataset, None)}", value=row.std)


def _place(row: Metric | Comparison | RetentionRow | AggregateRow) -> _Place:
    return _Place(row.dataset, row.seed)


def _interval(method: str | None, confidence: float) -> str:
    return f", {100 * confidence:g} % interval: {method or 'not measured'}"


def _without_field(row: Metric, scores: Scores) -> int:
    """How many judged answers of a row's arm and slice lack the field that its metric is computed from."""
    if row.metric not in _FIELD:
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


def _without_field_on_a_side(comparison: Comparison, scores: Scores) -> int:
    """The same of both arms of a comparison."""
    return sum(
        _without_field(row, scores)
        for row in scores.metrics
        if (row.metric, row.dataset, row.slice) == (comparison.metric, comparison.dataset, comparison.slice)
        and f"{row.model}/{row.condition}" in (comparison.a, comparison.b)
    )


def _judged_places(criterion: Criterion, scores: Scores) -> set[_Place]:
    """The datasets and seeds in which the criterion's model was judged on its slice."""
    model, metric = (criterion.condition or "").rpartition("/")[0], criterion.metric.removesuffix(SEED_STD)
    judging: set[str] = {*SCORERS, *MAXIMA}
    if metric in MEANS and metric not in CONSULTATION_METRICS:
        judging = {metric}
    elif metric in OWN_AGGREGATES:
        judging = {OWN_AGGREGATES[metric]}
    elif metric in (*CALIBRATION_METRICS, *DRIFT_METRICS):
        judging = set(SCORERS)
    return {
        _Place(row.dataset, None if criterion.metric.endswith(SEED_STD) else row.seed)
        for row in scores.metrics
        if row.metric in judging and (row.model, row.slice) == (model, criterion.slice)
    }


def _why_nothing(criterion: Criterion, scores: Scores) -> str:
    """Why the scores say nothing about a criterion, and what they hold instead."""
    text, metric = f"the scores hold no {_in_words(criterion)}", criterion.metric.removesuffix(SEED_STD)
    arms = [f"{arm.model}/{arm.condition}" for arm in scores.cells]
    if not {criterion.condition, criterion.against} - {None} <= set(arms):
        return f"{text}: they are of {_listed(arms)}"
    if criterion.metric == COVERAGE:
        return text
    slices = [row.slice for row in scores.metrics if row.metric == metric]
    if not slices and metric in _WHY_NO_ROW:
        return f"{text}: {_WHY_NO_ROW[metric]}"
    if not slices and metric in MEANS:
        return f"{text}: they hold {_listed(row.metric for row in scores.metrics)}"
    slices = slices or [row.slice for row in scores.metrics]
    if criterion.slice not in slices:
        return f"{text}: slices are {_listed(slices)}"
    if criterion.metric.endswith(SEED_STD):
        return f"{text}: score the predictions of several seeds, of the same examples, together"
    return text


def _in_words(criterion: Criterion) -> str:
    against = f" against {criterion.against}" if criterion.against else ""
    what = "" if criterion.metric in SCORERS else f"{criterion.metric} of "
    where = "" if criterion.metric == COVERAGE else f" on slice {criterion.slice}"
    return f"{what}{criterion.condition}{against}{where}"


def _listed(names: Iterable[str], most: int = 8) -> str:
    found = list(dict.fromkeys(names))
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest
