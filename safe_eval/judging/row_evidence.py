"""One row of scores.json as evidence: its number, its interval, and what exactly was judged."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from safe_data.core import numerals
from safe_eval.judging.criterion import ONE_SIDED, Criterion, Use
from safe_eval.judging.metric_names import CHANGED
from safe_eval.results.aggregates import AggregateRow
from safe_eval.results.comparisons import Comparison
from safe_eval.results.contradiction import ContradictionRow
from safe_eval.results.deferral import DeferralRow
from safe_eval.results.gate_row import GateRow
from safe_eval.results.irrelevance import IrrelevanceRow
from safe_eval.results.latency import LATENCY_MS, LatencyRow
from safe_eval.results.lomo import LomoRow
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import RetentionRow
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.results.separation import SeparationRow
from safe_eval.statistics.power import smallest_margin_shown

Ends = tuple[float | None, float | None]
_Bounded = (
    Metric
    | Comparison
    | SeedRow
    | SeedComparison
    | LomoRow
    | SeparationRow
    | DeferralRow
    | AggregateRow
    | GateRow
    | IrrelevanceRow
    | ContradictionRow
)


class _Counted(Protocol):
    @property
    def clusters(self) -> int | None: ...
    @property
    def effective_clusters(self) -> float | None: ...


class Place(NamedTuple):
    """A dataset and a seed; no seed where the number is over all seeds."""

    dataset: str | None
    seed: int | None

    def __str__(self) -> str:
        names = [self.dataset or "", "" if self.seed is None else f"seed {self.seed}"]
        return f" ({', '.join(filter(None, names))})" if any(names) else ""


_NOWHERE = Place(None, None)


@dataclass(frozen=True)
class Spread:
    """What makes a mean over seeds uncertain: its standard error over items, and the seeds' deviation."""

    over_items: float
    std: float
    noise_std: float | None = None  # the part of `std` explained by item noise alone


@dataclass(frozen=True)
class Evidence:
    """What the scores say about a criterion in one place; a number that is None is not measured."""

    text: str  # what was judged, or why nothing was
    place: Place = _NOWHERE
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    equivalence: Ends = (None, None)  # of two one-sided tests
    limit: float | None = None  # one-sided
    confidence: float | None = None
    stderr: float | None = None
    n: int | None = None
    clusters: int | None = None
    seeds: int | None = None  # that the number is from, or that were judged beside it
    datasets: tuple[str | None, ...] = ()  # that were pooled; of one dataset, none
    by_seed: tuple[tuple[int, float], ...] = ()  # the value of each seed that the number is from
    method: str | None = None  # of the interval
    effective_clusters: float | None = None  # equal clusters that would weigh as much
    spread: Spread | None = None  # of a number over seeds

    def numbers(self, use: Use, operator: str) -> tuple[float | None, ...]:
        """The numbers that must all meet the bound; a number that is not finite is not measured."""
        asked = {"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high, "limit": self.limit}
        if use == "equivalence":
            numbers: tuple[float | None, ...] = self.equivalence
        elif use == "non_inferiority":
            numbers = (self.equivalence[operator in ("<", "<=")],)
        else:
            numbers = (asked[use],)
        return tuple(n if n is not None and math.isfinite(n) else None for n in numbers)

    def smallest_effect(self, use: Use) -> float | None:
        """The smallest distance from a bound that so many items show; None where nothing says so.

        Where no item differs, it is the half width of the interval: what clusters not yet seen could do.
        """
        low, high = self.equivalence if use in ONE_SIDED else (self.ci_low, self.ci_high)
        if low is None or high is None or self.confidence is None:
            return None
        half = (high - low) / 2
        if self.stderr is None:
            return half
        return max(half, smallest_margin_shown(self.stderr, self.confidence, one_sided=use in ONE_SIDED))


def of_metric(row: Metric, unsaid: str | None) -> Evidence:
    """A mean; nothing where `unsaid` says that judged answers lack the field it is computed from."""
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n} in {in_clusters(row)}"
    place = Place(row.dataset, row.seed)
    if unsaid:
        return Evidence(f"{text}; {unsaid}", place)
    return replace(with_interval(text, place, row.value, row), stderr=row.stderr)


def of_comparison(row: Comparison, criterion: Criterion, unsaid: str | None) -> Evidence:
    """A difference, or how many answers changed; nothing where one side alone answered an example."""
    place = Place(row.dataset, row.seed)
    if row.only_a or row.only_b or not row.n:  # what the other side would have answered could go either way
        alone = f"{row.only_a} only by {row.a}, {row.only_b} only by {row.b}"
        return Evidence(f"not every example was answered by both: {alone}", place)
    if criterion.metric == CHANGED:
        text = f"{row.changed} of {row.n} answers of {row.a} differ from {row.b}"
        return Evidence(text, place, float(row.changed), n=row.n, clusters=row.clusters)
    text = f"{row.a} − {row.b} on {row.slice}: {row.gained} gained, {row.lost} lost"
    text += f", n {row.n} in {in_clusters(row)}"
    if unsaid:
        return Evidence(f"{text}; {unsaid}", place)
    if row.test is not None:
        text += f", {row.test} p {numerals.p_value(row.p_value)}"
    found = with_interval(text, place, row.difference, row, signed=True)
    ends = (row.equivalence_low, row.equivalence_high)
    return _with_one_sided(replace(found, equivalence=ends, stderr=row.stderr), criterion)


def of_seeds(row: SeedRow | SeedComparison, criterion: Criterion, unsaid: str | None) -> Evidence:
    """A mean over seeds, or a mean difference, with its interval over clusters and seeds."""
    sides = f"{row.a} − {row.b}" if isinstance(row, SeedComparison) else f"{row.model}/{row.condition}"
    signed = isinstance(row, SeedComparison)
    means = ", ".join(map(numerals.difference if signed else numerals.fraction, row.means))
    text = f"{sides} on {row.slice}, n {row.n} in {in_clusters(row)}, seeds {list(row.seeds)}: {means}"
    place = Place(row.dataset, None)
    if unsaid:
        return Evidence(f"{text}; {unsaid}", place)
    ends = (row.equivalence_low, row.equivalence_high) if isinstance(row, SeedComparison) else (None, None)
    if isinstance(row, SeedComparison) and row.test is not None:
        text += f", {row.test} p {numerals.p_value(row.p_value)}"
    found = with_interval(text, place, row.mean, row, signed=signed)
    by_seed = tuple(zip(row.seeds, row.means, strict=True))
    if row.sampling_stderr is not None and row.std is not None:
        found = replace(found, spread=Spread(row.sampling_stderr, row.std))
    found = replace(found, equivalence=ends, seeds=len(row.seeds), by_seed=by_seed)
    return _with_one_sided(found, criterion)


def of_spread(row: SeedRow, criterion: Criterion) -> Evidence:
    """The standard deviation of a metric between seeds, without the noise of items, and its upper limit.

    Where the noise is not known, it is the whole standard deviation.
    """
    means = ", ".join(numerals.fraction(mean) for mean in row.means)
    text = f"{row.model}/{row.condition} on {row.slice}, n {row.n}, seeds {list(row.seeds)}: {means}"
    found = Evidence(text, Place(row.dataset, None), row.std, n=row.n, clusters=row.clusters)
    found = replace(found, seeds=len(row.seeds), by_seed=tuple(zip(row.seeds, row.means, strict=True)))
    if row.std is None:
        return found
    if row.sampling_stderr is not None:
        found = replace(found, spread=Spread(row.sampling_stderr, row.std, row.noise_std))
    text += f", std {numerals.effect(row.std)}"
    if row.seed_std is None or row.noise_std is None:
        return replace(found, text=f"{text}, from which no item noise is taken")
    text += f", of which item noise explains {numerals.effect(row.noise_std)}"
    if row.seed_std_high is not None:
        limit = f"{numerals.percent(row.confidence)} upper limit {numerals.effect(row.seed_std_high)}"
        text += f"; without it {numerals.effect(row.seed_std)}, {limit}"
    if criterion.use == "value" and not criterion.parsed_bound().holds(row.noise_std):
        text += "; item noise alone is beyond the bound, so this estimate shows little: ask for its ci_high"
    return replace(found, text=text, value=row.seed_std, ci_high=row.seed_std_high, confidence=row.confidence)


def of_drift(row: RetentionRow, metric: str) -> Evidence:
    """How far the distributions over choices moved from another model's."""
    text = f"{row.model}/{row.condition} from {row.against} on {row.slice}"
    place = Place(row.dataset, row.seed)
    without = row.n + row.only_base + row.only_safe - row.drift_n
    if row.kl_nats is None or without:
        return Evidence(f"{text}: {row.why_not or f'{without} examples lack choice_probabilities'}", place)
    text += f", n {row.drift_n}, same likeliest choice {numerals.fraction(row.same_choice)}"
    value: float | None = row.kl_nats
    ends = (row.kl_low, row.kl_high)
    if metric != "kl_nats":
        value, ends = row.total_variation, (row.total_variation_low, row.total_variation_high)
    text += _interval(*ends, row.drift_interval, row.confidence)
    found = Evidence(text, place, value, *ends, n=row.drift_n, clusters=row.clusters)
    return replace(found, confidence=row.confidence)


def of_aggregate(row: AggregateRow) -> Evidence:
    """One number about all answers of an arm."""
    text, place = f"{row.model}/{row.condition} on all", Place(row.dataset, row.seed)
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}", place)
    text += f", n {row.n}"
    if row.confidence is None:
        return Evidence(f"{text}, {row.name} has no interval", place, row.value, n=row.n)
    return with_interval(f"{text} in {in_clusters(row)}", place, row.value, row)


def of_deferral(row: DeferralRow) -> Evidence:
    """AURC or an AUROC; nothing where answers lack the field that it orders them by."""
    text = f"{row.metric} of {row.model}/{row.condition} by {row.field!r}, n {row.n} in {in_clusters(row)}"
    place = Place(row.dataset, row.seed)
    if row.unsaid:
        return Evidence(f"{text}; without {row.field!r}: {row.unsaid} more", place)
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}", place)
    text += "" if row.positive is None else f", {row.positive} of them positive"
    return with_interval(text, place, row.value, row)


def of_latency(row: LatencyRow, metric: str) -> Evidence:
    """A mean latency, or its ratio to the baseline's."""
    place, name = Place(row.dataset, row.seed), f"{row.model}/{row.condition}"
    how = "" if row.one_by_one else ", of batches (no metadata.batch of 1)"
    if metric == LATENCY_MS:
        n, clusters, ends = row.n, row.clusters, (row.ci_low, row.ci_high)
        value, without = row.latency_ms, row.unsaid
        text = f"{name}{how}, n {n} in {clusters} clusters"
    else:
        n, clusters, ends = row.ratio_n, row.ratio_clusters, (row.ratio_low, row.ratio_high)
        if row.ratio is None or row.base_ms is None:
            return Evidence(f"{name}: {row.why_not or 'the baseline states no latencies'}", place)
        value, without = row.ratio, row.only_one
        text = f"{name} takes {value:.3f} times as long as the baseline, {row.base_ms:.1f} ms{how}"
        text += f", n {n} in {clusters} clusters"
    if without:
        return Evidence(f"{text}; without 'latency_ms': {without} more", place)
    method = row.interval if ends[0] is not None else None
    text += _interval(*ends, method, row.confidence)
    return Evidence(text, place, value, *ends, confidence=row.confidence, n=n, clusters=clusters)


def with_interval(
    text: str, place: Place, value: float | None, row: _Bounded, *, signed: bool = False
) -> Evidence:
    """The value with its interval, in numbers and at the end of the text."""
    text += _interval(row.ci_low, row.ci_high, row.interval, row.confidence, signed=signed)
    return Evidence(
        text,
        place,
        value,
        row.ci_low,
        row.ci_high,
        confidence=row.confidence,
        n=row.n,
        clusters=row.clusters,
        method=row.interval,
        effective_clusters=row.effective_clusters,
    )


def _with_one_sided(found: Evidence, criterion: Criterion) -> Evidence:
    """The evidence with the interval of one-sided tests in its text, where that is what decides."""
    if criterion.use not in ONE_SIDED or found.confidence is None:
        return found
    low, high = found.equivalence
    tests = f"one-sided tests at {numerals.percent(1 - found.confidence)}"
    text = f"{found.text}, {numerals.interval(low, high, signed=True)} by {tests}"
    return replace(found, text=text)


def in_clusters(row: _Counted) -> str:
    """The number of clusters, and how many equal ones they are worth where they are unequal."""
    if row.clusters is None or row.effective_clusters is None:
        return "0 clusters"
    effective = "" if f"{row.effective_clusters:.0f}" == str(row.clusters) else "effective "
    return f"{numerals.clusters(row.clusters, row.effective_clusters)} {effective}clusters"


def _interval(
    low: float | None,
    high: float | None,
    method: str | None,
    confidence: float | None,
    *,
    signed: bool = False,
) -> str:
    if confidence is None:
        return ""
    shown = "not measured" if method is None else f"{numerals.interval(low, high, signed=signed)} by {method}"
    return f", {numerals.percent(confidence)} interval {shown}"
