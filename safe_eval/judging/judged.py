"""Judged: one criterion with the number found for it, and whether that meets its bound."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import msgspec

from safe_data.core import numerals
from safe_eval.judging.criterion import ONE_SIDED, Criterion
from safe_eval.judging.evidence import find_evidence, is_sent_sound_known
from safe_eval.judging.headline import of_each_dataset
from safe_eval.judging.labelled import Labelled, agreement_evidence
from safe_eval.judging.metric_names import AGREEMENT, CHANGED, is_mean
from safe_eval.judging.not_shown import not_shown
from safe_eval.judging.row_evidence import Evidence
from safe_eval.judging.scope import EVERYTHING, Scope
from safe_eval.results.gate_row import DROP
from safe_eval.results.separation import SEPARATION
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.sample_size import WouldShow

GO, NO_GO, NOT_MEASURED = "go", "no-go", "not measured"
_WORST_FIRST = (NO_GO, NOT_MEASURED, GO)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion with the number found for it. A missing number is not measured, and never passes."""

    name: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    bound: str
    decision: str
    evidence: str
    use: str
    severity: str
    metric: str | None = None  # with `against`, the unit of the numbers
    against: str | None = None
    equivalence_low: float | None = None  # of two one-sided tests
    equivalence_high: float | None = None
    limit: float | None = None  # one-sided
    n: int | None = None
    clusters: int | None = None
    smallest_effect: float | None = None  # that so many items show, in the unit of the value
    seeds: tuple[int, ...] = ()  # behind the value, or beside it where each seed is judged; none for one
    seed_values: tuple[float, ...] = ()  # the value of each
    would_show: WouldShow | None = None  # where the interval misses the bound

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The interval that decides: of the one-sided tests where they judge, or else the ordinary one."""
        if self.use in ONE_SIDED:
            return self.equivalence_low, self.equivalence_high
        if self.use == "limit":
            return (None, self.limit) if self.bound.startswith("<") else (self.limit, None)
        return self.ci_low, self.ci_high


def overall(judged: Sequence[Judged]) -> str:
    """The verdict on all criteria: no-go if one fails; else not measured if one is not measured; else go.

    A failure outweighs a missing number, since no number could undo it. Warnings do not count.
    """
    return worst([row.decision for row in judged if row.severity == "critical"])


def worst(decisions: Collection[str]) -> str:
    """No-go if one is; else not measured if one is, or there is none; else go.

    >>> worst(["go", "not measured"]), worst(["go", "no-go", "not measured"]), worst([])
    ('not measured', 'no-go', 'not measured')
    """
    return next((decision for decision in _WORST_FIRST if decision in decisions), NOT_MEASURED)


def judge(
    criterion: Criterion, scores: Scores, labelled: Labelled | None = None, scope: Scope = EVERYTHING
) -> Judged:
    """Judge one criterion: it must hold in every dataset and seed, and the worst of them is shown.

    Coverage does not count what `scope` leaves out by its condition.
    """
    if criterion.metric == AGREEMENT:
        every = [agreement_evidence(criterion, labelled, scores.provenance.confidence)]
    else:
        asked = of_each_dataset(criterion, scores)
        every = [found for one in asked for found in find_evidence(one, scores, scope)]
    judged = [(_decision(criterion, found, scores), found) for found in every]
    (decision, why_not), worst = min(judged, key=lambda one: _how_bad(criterion, *one))
    enough, more = not_shown(criterion, worst) if decision == NO_GO else (None, None)
    remarks = [*_remarks(criterion, worst, decision, why_not, scores), *filter(None, [more])]
    by_seed = worst.by_seed or _beside(worst, every)
    if by_seed and not worst.by_seed:
        values = ", ".join(_written(value, criterion) for _, value in by_seed)
        remarks.append(f"seeds {[seed for seed, _ in by_seed]}: {values}")
    if len(judged) > 1:
        counts = Counter(decision for (decision, _), _ in judged)
        all_of_them = ", ".join(f"{counts[name]} {name}" for name in _WORST_FIRST if counts[name])
        remarks.append(f"the worst of {len(judged)}: {all_of_them}")
    is_judged = why_not is None
    return Judged(
        name=criterion.name,
        value=worst.value if is_judged else None,
        ci_low=worst.ci_low if is_judged else None,
        ci_high=worst.ci_high if is_judged else None,
        bound=bound_of(criterion),
        decision=decision,
        evidence="; ".join([f"{worst.text}{worst.place}", *remarks]),
        use=criterion.use,
        severity=criterion.severity,
        metric=criterion.metric,
        against=criterion.against,
        equivalence_low=worst.equivalence[0] if is_judged else None,
        equivalence_high=worst.equivalence[1] if is_judged else None,
        limit=worst.limit if is_judged else None,
        n=worst.n,
        clusters=worst.clusters,
        smallest_effect=worst.smallest_effect(criterion.use) if is_judged else None,
        seeds=tuple(seed for seed, _ in by_seed),
        seed_values=tuple(value for _, value in by_seed),
        would_show=enough,
    )


def _beside(worst: Evidence, every: Sequence[Evidence]) -> tuple[tuple[int, float], ...]:
    """The value of each seed where the worst stands, if each of several seeds is judged."""
    found = [
        (one.place.seed, one.value)
        for one in every
        if one.place.dataset == worst.place.dataset and one.place.seed is not None and one.value is not None
    ]
    return tuple(sorted(found)) if len(found) > 1 else ()


def _written(value: float, criterion: Criterion) -> str:
    """A value as the evidence writes it: only a difference has a sign, and a count no decimals."""
    if criterion.metric == CHANGED:
        return f"{value:.0f}"
    subtracts = is_mean(criterion.metric) or criterion.metric == SEPARATION
    is_difference = (subtracts and criterion.against is not None) or criterion.metric == DROP
    return numerals.difference(value) if is_difference else numerals.fraction(value)


def bound_of(criterion: Criterion) -> str:
    """The bound of a criterion as a verdict writes it."""
    bound = criterion.parsed_bound()
    return f"{bound.operator} {bound.limit:g}"


def _decision(criterion: Criterion, found: Evidence, scores: Scores) -> tuple[str, str | None]:
    """The decision in one dataset and seed, and what the criterion demands that is not there."""
    bound = criterion.parsed_bound()
    numbers = found.numbers(criterion.use, bound.operator)
    measured = [number for number in numbers if number is not None]
    if len(measured) < len(numbers):
        return NOT_MEASURED, None
    lacking = list(_lacking(criterion, found, scores))
    if lacking:
        return NOT_MEASURED, "; ".join(lacking)
    return (GO if all(bound.holds(number) for number in measured) else NO_GO), None


def _lacking(criterion: Criterion, found: Evidence, scores: Scores) -> Iterator[str]:
    """What the criterion demands of its evidence, where there is less of it."""
    made = scores.provenance
    confidence = made.confidence if found.confidence is None else found.confidence
    if criterion.min_confidence is not None and confidence < criterion.min_confidence:
        asked = numerals.percent(criterion.min_confidence)
        yield f"its intervals have {numerals.percent(confidence)} confidence, {asked} is asked for"
    if criterion.min_resamples is not None and made.resamples < criterion.min_resamples:
        yield f"the scores have {made.resamples} resamples, {criterion.min_resamples} are asked for"
    for what in ("clusters", "seeds"):
        asked_for, there = getattr(criterion, f"min_{what}"), getattr(found, what)
        if asked_for is not None and (there or 0) < asked_for:
            count = "not known" if there is None else there
            yield f"the {what} are {count}, {asked_for} are asked for"


def _how_bad(criterion: Criterion, decided: tuple[str, str | None], found: Evidence) -> tuple[int, float]:
    """The sort key of evidence, the worst first: by decision, then by how far inside the bound it is."""
    bound = criterion.parsed_bound()
    numbers = [n for n in found.numbers(criterion.use, bound.operator) if n is not None]
    inside = min((bound.inside(number) for number in numbers), default=float("-inf"))
    return _WORST_FIRST.index(decided[0]), inside


def _remarks(
    criterion: Criterion, found: Evidence, decision: str, why_not: str | None, scores: Scores
) -> Iterator[str]:
    """What a reader of the decision must know besides the numbers."""
    if why_not is not None:
        yield f"not judged: {why_not}"
    if criterion.vacuous:
        yield criterion.vacuous
    bound, effect = criterion.parsed_bound(), found.smallest_effect(criterion.use)
    if effect is not None and found.n is not None:
        margin = f", and the margin is {abs(bound.limit):g}" if criterion.use in ONE_SIDED else ""
        yield f"the smallest effect that so many items show is {numerals.effect(effect)}{margin}"
    is_small = found.value is not None and bound.holds(found.value)
    if criterion.use in ONE_SIDED and decision == NO_GO and is_small:
        yield "the difference is small, but too few examples show that it stays so"
    if found.value is not None and not is_sent_sound_known(criterion, found, scores):
        yield "no row says which sound was sent"
