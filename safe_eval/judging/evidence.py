"""Evidence: the numbers in the scores that a criterion asks for, or the reason why there are none."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.condition import changes_sound
from safe_eval.judging.absent_evidence import in_words, why_nothing
from safe_eval.judging.coverage_evidence import coverage_evidence
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged_places import judged_places
from safe_eval.judging.listening_evidence import listening_evidence
from safe_eval.judging.lomo_evidence import LOMO_METRICS, lomo_evidence, pooled_places
from safe_eval.judging.metric_names import (
    CHANGED,
    COVERAGE,
    GATE_METRICS,
    LISTENING,
    SEED_STD,
)
from safe_eval.judging.row_evidence import (
    Evidence,
    Place,
    of_aggregate,
    of_comparison,
    of_deferral,
    of_drift,
    of_latency,
    of_metric,
    of_seeds,
    of_spread,
)
from safe_eval.judging.scope import EVERYTHING, Scope
from safe_eval.results.aggregates import OWN_AGGREGATES
from safe_eval.results.calibration import CALIBRATION_METRICS
from safe_eval.results.comparisons import Comparison, turned
from safe_eval.results.deferral import DEFERRAL_METRICS
from safe_eval.results.latency import LATENCIES, LATENCY_MS
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.seeds import turned_over_seeds
from safe_eval.scorers.captions.caption_scores import MAXIMA
from safe_eval.scorers.scorer import judging_metrics
from safe_eval.scoring.scores import Scores

# The field of a row that these metrics are computed from.
_FIELD = {
    **dict.fromkeys(CONSULTATION_METRICS, "consulted"),
    **dict.fromkeys(CALIBRATION_METRICS, "confidence"),
}


def find_evidence(criterion: Criterion, scores: Scores, scope: Scope = EVERYTHING) -> list[Evidence]:
    """Find what the scores say about a criterion, once per dataset and seed; never empty.

    A dataset or seed in which the model was judged, but not on this criterion, yields evidence without a
    number. If it were left out, a seed that fails could pass by having no answers under a condition. A
    condition that did not reach the model yields none either: see `arms.delivery`.
    """
    if criterion.metric == COVERAGE:
        return [coverage_evidence(criterion, scores, scope)]
    asked = (row for row in _rows(criterion, scores) if _is_asked(row.place.dataset, criterion))
    found = list(dict.fromkeys(asked))  # metrics that judge the same answers see the same ones change
    if not found:
        return [Evidence(why_nothing(criterion, scores))]
    combined = {row.place.dataset for row in found if row.place.seed is None}
    is_spread = criterion.metric.endswith(SEED_STD)
    places = {
        Place(place.dataset, None) if is_spread or place.dataset in combined else place
        for place in judged_places(criterion, scores)
        if _is_asked(place.dataset, criterion)
    }
    missing = places - {row.place for row in found} - pooled_places(criterion, scores)
    every = [
        *found,
        *(Evidence(f"not measured: {in_words(criterion)}", place) for place in sorted(missing, key=str)),
    ]
    seeds = Counter(row.place.dataset for row in found)
    counted = [row if row.seeds else replace(row, seeds=seeds[row.place.dataset]) for row in every]
    return [_if_delivered(row, criterion, scores) for row in counted]


def _is_asked(dataset: str | None, criterion: Criterion) -> bool:
    return criterion.dataset in (None, dataset)


def _if_delivered(found: Evidence, criterion: Criterion, scores: Scores) -> Evidence:
    """The evidence, or the reason why a condition behind it is not what its name says."""
    for row in scores.delivery:
        datasets = found.datasets or (found.place.dataset,)
        same_place = row.dataset in datasets and found.place.seed in (None, row.seed)
        name = f"{row.model}/{row.condition}"
        if same_place and name in (criterion.condition, criterion.against) and row.faults:
            return Evidence(f"{name}: {'; '.join(row.faults)}", found.place, seeds=found.seeds)
    return found


def is_sent_sound_known(criterion: Criterion, found: Evidence, scores: Scores) -> bool:
    """Whether the rows behind some evidence say which sound was sent, for every condition that changes it."""
    told = (row for row in scores.delivery if row.part == "sound")
    said = {(row.dataset, row.seed, f"{row.model}/{row.condition}") for row in told}
    for side in filter(None, (criterion.condition, criterion.against)):
        if changes_sound(side.rpartition("/")[2]):
            for asked in found.datasets or (found.place.dataset,):
                if not any(
                    (dataset, name) == (asked, side) and found.place.seed in (None, seed)
                    for dataset, seed, name in said
                ):
                    return False
    return True


def _rows(criterion: Criterion, scores: Scores) -> Iterator[Evidence]:
    """The rows of scores.json: where seeds are combined, those over seeds, and others where there are none.

    A dataset whose several seeds have no row together yields none, if `over: seeds` asks for it by name.
    """
    if not criterion.combines_seeds or criterion.metric.endswith(SEED_STD):
        yield from _found(criterion, scores)
        return
    over_seeds = [_if_every_seed(row, criterion, scores) for row in _over_seeds(criterion, scores)]
    yield from over_seeds
    combined = {row.place.dataset for row in over_seeds}
    if criterion.over == "seeds":
        combined |= _with_several_seeds(criterion, scores)
    yield from (row for row in _found(criterion, scores) if row.place.dataset not in combined)


def _if_every_seed(found: Evidence, criterion: Criterion, scores: Scores) -> Evidence:
    """The evidence over seeds, or nothing if another seed of the model was judged: it could have failed."""
    datasets = found.datasets or (found.place.dataset,)
    judged = {place.seed for place in judged_places(criterion, scores) if place.dataset in datasets}
    lacking = sorted(seed for seed in judged - {seed for seed, _ in found.by_seed} if seed is not None)
    if not lacking or len(judged) == 1 or not found.by_seed:
        return found
    named = ", ".join(map(str, lacking))
    return Evidence(f"not measured: {in_words(criterion)} with seed {named}", found.place)


def _with_several_seeds(criterion: Criterion, scores: Scores) -> set[str | None]:
    """The datasets on which a side of the criterion answered with more than one seed."""
    seeds: dict[tuple[str | None, str], set[int]] = {}
    for cell in scores.cells:
        if (side := f"{cell.model}/{cell.condition}") in (criterion.condition, criterion.against):
            seeds.setdefault((cell.dataset, side), set()).add(cell.seed)
    return {dataset for (dataset, _), own in seeds.items() if len(own) > 1}


def _found(criterion: Criterion, scores: Scores) -> Iterator[Evidence]:
    """The rows of scores.json that the criterion asks for; its metric says in which table they stand."""
    metric, name = criterion.metric, criterion.condition
    if metric in DRIFT_METRICS:
        for retained in scores.retention:
            pair = (f"{retained.model}/{retained.condition}", retained.against)
            if (retained.slice, *pair) == (criterion.slice, name, criterion.against):
                yield of_drift(retained, metric)
    elif metric in OWN_AGGREGATES:
        for aggregate in scores.aggregates:
            if (aggregate.name, f"{aggregate.model}/{aggregate.condition}") == (metric, name):
                yield of_aggregate(aggregate)
    elif metric in LATENCIES:
        for timed in scores.latency:
            is_pair = metric == LATENCY_MS or criterion.against == timed.against
            if is_pair and f"{timed.model}/{timed.condition}" == name:
                yield of_latency(timed, metric)
    elif metric in LOMO_METRICS:
        yield from lomo_evidence(criterion, scores, over_seeds=False)
    elif metric in LISTENING:
        yield from listening_evidence(criterion, scores, over_seeds=False)
    elif metric in DEFERRAL_METRICS:
        for deferral in scores.deferral:
            if (deferral.metric, f"{deferral.model}/{deferral.condition}") == (metric, name):
                yield of_deferral(deferral)
    elif metric.endswith(SEED_STD):
        yield from _spreads(criterion, scores)
    elif criterion.against is None:
        for row in scores.metrics:
            if (row.metric, row.slice, f"{row.model}/{row.condition}") == (metric, criterion.slice, name):
                yield of_metric(row, _unsaid(metric, _without_field(row, scores)))
    else:
        for comparison in _comparisons(criterion, scores):
            unsaid = _without_field_on_a_side(comparison, scores)
            yield of_comparison(comparison, criterion, _unsaid(comparison.metric, unsaid))


def _comparisons(criterion: Criterion, scores: Scores) -> Iterator[Comparison]:
    """The comparisons of the two sides, in the order of the criterion: scores.json holds one order only."""
    asked = (criterion.slice, criterion.condition, criterion.against)
    for row in scores.comparisons:
        if criterion.metric not in (CHANGED, row.metric):
            continue
        if (row.slice, row.a, row.b) == asked:
            yield row
        elif (row.slice, row.b, row.a) == asked:
            yield turned(row)


def _over_seeds(criterion: Criterion, scores: Scores) -> Iterator[Evidence]:
    """Means over seeds; none where in any seed an example or a field is missing."""
    metric, name = criterion.metric, criterion.condition
    if metric in LOMO_METRICS:
        yield from lomo_evidence(criterion, scores, over_seeds=True)
        return
    if metric in GATE_METRICS:
        yield from listening_evidence(criterion, scores, over_seeds=True)
        return
    if criterion.against is None:
        for row in scores.seeds:
            if (row.metric, row.slice, f"{row.model}/{row.condition}") == (metric, criterion.slice, name):
                alike = [m for m in scores.metrics if m.metric == metric and m.dataset == row.dataset]
                mine = [m for m in alike if (m.slice, f"{m.model}/{m.condition}") == (row.slice, name)]
                unsaid = sum(_without_field(m, scores) for m in mine)
                yield of_seeds(row, criterion, _unsaid(metric, unsaid))
        return
    for held in scores.seed_comparisons:
        spread = held if (held.a, held.b) == (name, criterion.against) else turned_over_seeds(held)
        sides = (metric, criterion.slice, name, criterion.against)
        if (spread.metric, spread.slice, spread.a, spread.b) != sides:
            continue
        of_each = [row for row in _comparisons(criterion, scores) if row.dataset == spread.dataset]
        gap = next((row for row in of_each if row.only_a or row.only_b or not row.n), None)
        if gap is not None:
            yield replace(of_comparison(gap, criterion, None), place=Place(spread.dataset, None))
            continue
        unsaid = sum(_without_field_on_a_side(row, scores) for row in of_each)
        yield of_seeds(spread, criterion, _unsaid(metric, unsaid))


def _spreads(criterion: Criterion, scores: Scores) -> Iterator[Evidence]:
    """The standard deviations over seeds."""
    metric, name = criterion.metric.removesuffix(SEED_STD), criterion.condition
    for spread in scores.seeds:
        if (spread.metric, spread.slice, f"{spread.model}/{spread.condition}") == (
            metric,
            criterion.slice,
            name,
        ):
            yield _if_every_seed(of_spread(spread, criterion), criterion, scores)


def _unsaid(metric: str, count: int) -> str | None:
    return f"without {_FIELD[metric]!r}: {count} more" if count else None


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
    judging = judging_metrics(row.dataset, scores.provenance.protocol)
    right_or_wrong = sum(n for metric, n in judged.items() if metric in judging)
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
