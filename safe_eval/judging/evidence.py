"""Evidence: the numbers in the scores that a criterion asks for, and where they come from in words."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from safe_data.core import numerals
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.criterion import Criterion, Use
from safe_eval.judging.metric_names import CHANGED, COVERAGE, MEANS, SEED_STD
from safe_eval.prediction import BASE
from safe_eval.results.aggregates import OWN_AGGREGATES, AggregateRow
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import DRIFT_METRICS, RetentionRow
from safe_eval.results.seeds import SeedRow
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import SCORERS
from safe_eval.scoring.scores import Scores


@dataclass(frozen=True)
class Evidence:
    """What one dataset and seed say; None for what was not measured."""

    text: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    equivalence: tuple[float | None, float | None] = (None, None)

    def numbers(self, use: Use) -> tuple[float | None, ...]:
        """The numbers that all have to keep the bound; one that is not finite was not measured."""
        asked = {"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high}
        numbers = self.equivalence if use == "equivalence" else (asked[use],)
        return tuple(n if n is not None and math.isfinite(n) else None for n in numbers)


def evidence(criterion: Criterion, scores: Scores) -> list[Evidence]:
    """What the scores say about a criterion, once for each dataset and seed; never empty.

    A dataset or a seed in which the same model was judged, but not on this, is evidence of nothing: were it
    left out, a seed that fails could pass by lacking a condition.
    """
    if criterion.metric == COVERAGE:
        cells = [c for c in scores.cells if criterion.condition in (None, f"{c.model}/{c.condition}")]
        return [_of_coverage(cells)] if cells else [Evidence(_why_none(criterion, scores))]
    found = list(_found(criterion, scores))
    if not found:
        return [Evidence(_why_none(criterion, scores))]
    missing = _expected(criterion, scores) - {source for source, _ in found}
    return [said for _, said in found] + [
        Evidence(_lacking(criterion, source)) for source in sorted(missing, key=str)
    ]


Source = tuple[str | None, int | None]  # a dataset and a seed; no seed where it is about all of them


def _found(criterion: Criterion, scores: Scores) -> Iterator[tuple[Source, Evidence]]:
    metric, name = criterion.metric, criterion.condition
    if metric in DRIFT_METRICS:
        for kept in scores.retention:
            if (kept.slice, f"{kept.model}/{kept.condition}") == (criterion.slice, name):
                yield (kept.dataset, kept.seed), _of_drift(kept, metric)
    elif metric in OWN_AGGREGATES:
        for aggregate in scores.aggregates:
            if (aggregate.name, f"{aggregate.model}/{aggregate.condition}") == (metric, name):
                yield (aggregate.dataset, aggregate.seed), _of_aggregate(aggregate)
    elif metric.endswith(SEED_STD):
        asked = (metric.removesuffix(SEED_STD), criterion.slice, name)
        for over in scores.seeds:
            if (over.metric, over.slice, f"{over.model}/{over.condition}") == asked:
                yield (over.dataset, None), _of_seeds(over)
    elif criterion.against is None:
        for row in scores.metrics:
            if (row.metric, row.slice, f"{row.model}/{row.condition}") == (metric, criterion.slice, name):
                yield (row.dataset, row.seed), _of_mean(row, _unstated(row, scores))
    else:
        for pair in scores.comparisons:
            if (pair.slice, pair.a, pair.b) != (criterion.slice, name, criterion.against):
                continue
            if metric == CHANGED:
                yield (pair.dataset, pair.seed), _of_changes(pair)
            elif metric == pair.metric:
                yield (pair.dataset, pair.seed), _of_difference(pair, _silent_in(pair, scores))


def _of_coverage(cells: Sequence[ArmCoverage]) -> Evidence:
    answered, expected = sum(cell.answered for cell in cells), sum(cell.expected for cell in cells)
    text = f"{answered} of {expected} examples answered"
    worst = min(cells, key=lambda cell: cell.answered / cell.expected)
    if worst.answered < worst.expected:
        text += f"; fewest by {worst.model}/{worst.condition}: {worst.answered} of {worst.expected}"
    return Evidence(text, value=answered / expected)


def _of_mean(row: Metric, silent: int) -> Evidence:
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n} in {row.clusters} clusters"
    if silent:
        return Evidence(f"{text}: {silent} more answers do not say{_ending((row.dataset, row.seed))}")
    return Evidence(
        text + _made(row.interval, row.confidence) + _ending((row.dataset, row.seed)),
        value=row.value,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
    )


def _of_changes(pair: Comparison) -> Evidence:
    if (unpaired := _unpaired(pair)) is not None:
        return Evidence(unpaired)
    text = f"{pair.changed} of {pair.n} answers of {pair.a} differ from {pair.b}"
    return Evidence(text + _ending((pair.dataset, pair.seed)), value=float(pair.changed))


def _of_difference(pair: Comparison, silent: int) -> Evidence:
    if (unpaired := _unpaired(pair)) is not None:
        return Evidence(unpaired)
    text = f"{pair.a} − {pair.b} on {pair.slice}: {pair.gained} gained, {pair.lost} lost"
    text += f", n {pair.n} in {pair.clusters} clusters"
    if silent:
        return Evidence(f"{text}: {silent} more answers do not say{_ending((pair.dataset, pair.seed))}")
    if pair.test is not None:
        text += f", {pair.test} p {numerals.p_value(pair.p_value)}"
    equivalence = (pair.equivalence_low, pair.equivalence_high)
    text += f", equivalence {numerals.interval(*equivalence, signed=True)}"
    return Evidence(
        text + _made(pair.interval, pair.confidence) + _ending((pair.dataset, pair.seed)),
        value=pair.difference,
        ci_low=pair.ci_low,
        ci_high=pair.ci_high,
        equivalence=equivalence,
    )


def _of_drift(kept: RetentionRow, metric: str) -> Evidence:
    text = f"{kept.model}/{kept.condition} from the base model on {kept.slice}"
    source = _ending((kept.dataset, kept.seed))
    without = kept.n + kept.only_base + kept.only_safe - kept.drift_n
    if kept.kl_nats is None or without:
        return Evidence(f"{text}: {kept.why_not or f'{without} examples lack choice_probabilities'}{source}")
    text += f", n {kept.drift_n}, same likeliest choice {numerals.fraction(kept.same_choice)}"
    text += _made(kept.drift_interval, kept.confidence) + source
    if metric == "kl_nats":
        return Evidence(text, kept.kl_nats, kept.kl_low, kept.kl_high)
    return Evidence(text, kept.total_variation, kept.total_variation_low, kept.total_variation_high)


def _of_aggregate(row: AggregateRow) -> Evidence:
    text, source = f"{row.model}/{row.condition} on all", _ending((row.dataset, row.seed))
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}{source}")
    text += f", n {row.n}"
    if row.confidence is None:
        return Evidence(f"{text}, {row.name} has no interval{source}", row.value)
    text += f" in {row.clusters} clusters{_made(row.interval, row.confidence)}"
    return Evidence(text + source, row.value, row.ci_low, row.ci_high)


def _of_seeds(over: SeedRow) -> Evidence:
    means = ", ".join(numerals.fraction(mean) for mean in over.means)
    text = f"{over.model}/{over.condition} on {over.slice}, n {over.n}, seeds {list(over.seeds)}: {means}"
    return Evidence(text + _ending((over.dataset, None)), value=over.std)


def _unpaired(pair: Comparison) -> str | None:
    """Why a pair is none: what only one side answered could have gone either way."""
    if not (pair.only_a or pair.only_b or not pair.n):
        return None
    sides = f"{pair.only_a} only {pair.a}, {pair.only_b} only {pair.b}"
    return f"not every example has both answers: {sides}{_ending((pair.dataset, pair.seed))}"


def _silent_in(pair: Comparison, scores: Scores) -> int:
    """The answers of either side that do not say what the metric is about."""
    return sum(
        _unstated(row, scores)
        for row in scores.metrics
        if (row.metric, row.dataset, row.slice) == (pair.metric, pair.dataset, pair.slice)
        and f"{row.model}/{row.condition}" in (pair.a, pair.b)
    )


def _made(interval: str | None, confidence: float) -> str:
    return f", {100 * confidence:g} % interval: {interval or 'not measured'}"


_STATED = {
    **dict.fromkeys(CONSULTATION_METRICS, "no row says whether the sound was 'consulted'"),
    **dict.fromkeys(CALIBRATION_METRICS, "no row of an answer that is right or wrong has a 'confidence'"),
    **dict.fromkeys(DRIFT_METRICS, f"they need rows of {BASE}/full and of this model on the same examples"),
    **{name: f"no answer of it is judged by {metric}" for name, metric in OWN_AGGREGATES.items()},
}


def _expected(criterion: Criterion, scores: Scores) -> set[Source]:
    """The datasets and seeds whose answers on the slice were judged: what one of them lacks was not shown."""
    model, metric = (criterion.condition or "").rpartition("/")[0], criterion.metric.removesuffix(SEED_STD)
    judging: set[str] = {*SCORERS, *MAXIMA}
    if metric in MEANS and metric not in CONSULTATION_METRICS:
        judging = {metric}
    elif metric in OWN_AGGREGATES:
        judging = {OWN_AGGREGATES[metric]}
    elif metric in (*CALIBRATION_METRICS, *DRIFT_METRICS):
        judging = set(SCORERS)
    return {
        (row.dataset, None if criterion.metric.endswith(SEED_STD) else row.seed)
        for row in scores.metrics
        if row.metric in judging and (row.model, row.slice) == (model, criterion.slice)
    }


def _unstated(row: Metric, scores: Scores) -> int:
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


def _lacking(criterion: Criterion, source: Source) -> str:
    """One dataset and seed in which the model was judged, and this was not."""
    return f"not measured{_ending(source)}: {_asked(criterion)}"


def _why_none(criterion: Criterion, scores: Scores) -> str:
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


def _ending(source: Source) -> str:
    """A dataset and a seed, as they end a line of evidence."""
    dataset, seed = source
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
