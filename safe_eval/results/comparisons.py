"""Comparison: the difference of two arms on the examples that both answered."""

from collections.abc import Iterator, Sequence

import msgspec

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, ArmKey, Places, shared_examples
from safe_eval.arms.pairs import Pairing, baseline_of, equal_pairs, same_seeds
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.families import SameTest, same_test, with_holm
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.corpus_sums import RANDOMISATION, sums_difference
from safe_eval.statistics.intervals import clustered_stderr
from safe_eval.statistics.paired import mcnemar_p_values, paired_test
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective

Shared = tuple[Places, Places]  # the places of the same examples in a and in b


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """a − b, where a and b are "model/condition"; None is not measured."""

    metric: str
    dataset: str | None
    seed: int
    slice: str
    a: str
    b: str
    difference: float | None = None
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    equivalence_low: float | None = None  # of two one-sided tests: a 90 % interval if confidence is 95 %
    equivalence_high: float | None = None
    p_value: float | None = None
    holm_p: float | None = None  # adjusted over its family
    family: int = 0  # how many tests that are: see `results.families`
    test: str | None = None  # the test behind p_value; it respects the clusters
    mcnemar_p: float | None = None  # exact, treats items as independent; None for graded scores
    mcnemar_mid_p: float | None = None
    gained: int = 0  # examples on which a scores higher than b
    lost: int = 0
    changed: int = 0  # examples with two different answers, or a failure on either side
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0
    only_a: int  # examples that only a answered; in no other number
    only_b: int


def comparison_rows(arms: Arms, sampling: Sampling) -> Iterator[Comparison]:
    """What each condition changes within a model, and what each model changes against others.

    For every model m and condition c: m/full − m/c. For every m except the baseline: m/c − baseline/full.
    Between equals, for each pair of models once: a/c − b/c.
    """
    for scored in arms.scored.values():
        yield from with_holm(_tested(scored, arms.pairing, sampling))


def _tested(
    scored: Sequence[ScoredArm], pairing: Pairing, sampling: Sampling
) -> Iterator[tuple[Comparison, SameTest]]:
    """The comparisons by one metric, each with what makes it one test with another."""
    for a, b in _arms_to_compare(scored, pairing):
        yield from _by_slice(a, b, sampling)
    for seed, (a, b) in matched_equals(scored, pairing):
        for row, test in _by_slice(a, b, sampling):
            yield msgspec.structs.replace(row, seed=seed), test


def matched_equals(
    scored: Sequence[ScoredArm], pairing: Pairing
) -> Iterator[tuple[int, tuple[ScoredArm, ScoredArm]]]:
    """The arms of each pair of equals, once per seed."""
    by_seed: dict[ArmKey, dict[int, ScoredArm]] = {}
    for arm in scored:
        by_seed.setdefault(arm.key._replace(seed=0), {})[arm.key.seed] = arm
    for one, other in equal_pairs(by_seed, pairing):
        yield from same_seeds(by_seed[one], by_seed[other]).items()


def _by_slice(a: ScoredArm, b: ScoredArm, sampling: Sampling) -> Iterator[tuple[Comparison, SameTest]]:
    shared = shared_examples(a.examples, b.examples)
    whole = compare(a, b, "all", shared, sampling)
    test = test_of(a, b, "all", shared)
    for name in COMPARED_SLICES:
        if a.is_whole(name) and b.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name), test
        elif name in a.slices or name in b.slices:
            yield compare(a, b, name, shared, sampling), test_of(a, b, name, shared)


def test_of(a: ScoredArm, b: ScoredArm, slice_name: str, shared: Shared) -> SameTest:
    """What a comparison of two arms on a slice shares with another one that is the same test."""
    both = a.inside(slice_name)[shared[0]] & b.inside(slice_name)[shared[1]]
    at_a, at_b = shared[0][both], shared[1][both]
    return same_test(a.examples[at_a], a.scores[at_a] - b.scores[at_b])


def compare(a: ScoredArm, b: ScoredArm, slice_name: str, shared: Shared, sampling: Sampling) -> Comparison:
    """Compare two arms on one slice; `shared` has the examples that both answered.

    The better arm is compared with the worse one, whichever is a: resamples of −d are not those of d, and so
    the ends of b − a would not be exactly those of a − b.
    """
    if _is_better(b, a, slice_name, shared[::-1]):
        found = turned(_compare(b, a, slice_name, shared[::-1], sampling))
        return msgspec.structs.replace(found, seed=a.key.seed)
    return _compare(a, b, slice_name, shared, sampling)


def turned(row: Comparison) -> Comparison:
    """The same comparison as b − a."""
    low, high, equivalence_low, equivalence_high = (
        None if end is None else 0.0 - end  # not −end: zero has no sign
        for end in (row.ci_high, row.ci_low, row.equivalence_high, row.equivalence_low)
    )
    return msgspec.structs.replace(
        row,
        a=row.b,
        b=row.a,
        difference=None if row.difference is None else 0.0 - row.difference,
        ci_low=low,
        ci_high=high,
        equivalence_low=equivalence_low,
        equivalence_high=equivalence_high,
        gained=row.lost,
        lost=row.gained,
        only_a=row.only_b,
        only_b=row.only_a,
    )


def _is_better(a: ScoredArm, b: ScoredArm, slice_name: str, shared: Shared) -> bool:
    """Whether a scores more on the examples that both answered, or on the first one that differs."""
    both = a.inside(slice_name)[shared[0]] & b.inside(slice_name)[shared[1]]
    differences = a.scores[shared[0][both]] - b.scores[shared[1][both]]
    first = differences[differences != 0][:1]
    return bool((differences.sum() or first.sum()) > 0)


def _compare(a: ScoredArm, b: ScoredArm, slice_name: str, shared: Shared, sampling: Sampling) -> Comparison:
    in_a, in_b = a.inside(slice_name), b.inside(slice_name)
    both = in_a[shared[0]] & in_b[shared[1]]
    at_a, at_b = shared[0][both], shared[1][both]
    about = Comparison(
        metric=a.metric,
        dataset=a.key.dataset,
        seed=a.key.seed,
        slice=slice_name,
        a=a.key.name,
        b=b.key.name,
        confidence=sampling.confidence,
        only_a=int(in_a.sum()) - len(at_a),
        only_b=int(in_b.sum()) - len(at_b),
    )
    if not len(at_a):
        return about
    found = (_of_sums if a.counts is not None else _of_means)(about, a, b, (at_a, at_b), sampling)
    scores_a, scores_b = a.scores[at_a], b.scores[at_b]
    answers_a, answers_b = a.answers[at_a], b.answers[at_b]
    return msgspec.structs.replace(
        found,
        gained=int((scores_a > scores_b).sum()),
        lost=int((scores_a < scores_b).sum()),
        changed=int(((answers_a != answers_b) | (answers_a < 0)).sum()),  # two failures are no agreement
        n=len(at_a),
        clusters=count_clusters(a.clusters[at_a]),
        effective_clusters=count_effective(a.clusters[at_a]),
    )


def _of_means(about: Comparison, a: ScoredArm, b: ScoredArm, at: Shared, sampling: Sampling) -> Comparison:
    scores_a, scores_b, clusters = a.scores[at[0]], b.scores[at[1]], a.clusters[at[0]]
    differences = scores_a - scores_b
    scale = (a.lowest - a.highest, a.highest - a.lowest)
    interval = difference_interval(differences, clusters, sampling.confidence, scale=scale)
    equivalence = difference_interval(differences, clusters, sampling.equivalence_confidence, scale=scale)
    p_value, test = paired_test(scores_a, scores_b, clusters, sampling)
    mcnemar_p, mcnemar_mid_p = mcnemar_p_values(scores_a, scores_b)
    return msgspec.structs.replace(
        about,
        difference=float(differences.mean()),
        stderr=clustered_stderr(differences, clusters),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        equivalence_low=equivalence.low,
        equivalence_high=equivalence.high,
        p_value=p_value,
        test=test,
        mcnemar_p=mcnemar_p,
        mcnemar_mid_p=mcnemar_mid_p,
    )


def _of_sums(about: Comparison, a: ScoredArm, b: ScoredArm, at: Shared, sampling: Sampling) -> Comparison:
    """For a corpus-level metric such as BLEU: it has no standard error, and a different test."""
    if a.counts is None or b.counts is None or a.corpus is None:
        raise ValueError(f"{about.metric}: has counts in one arm only")
    confidences = (sampling.confidence, sampling.equivalence_confidence)
    counts_a, counts_b, clusters = a.counts[at[0]], b.counts[at[1]], a.clusters[at[0]]
    found = sums_difference(a.corpus, counts_a, counts_b, clusters, sampling, confidences)
    interval, equivalence = found.intervals
    return msgspec.structs.replace(
        about,
        difference=found.difference,
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        equivalence_low=equivalence.low,
        equivalence_high=equivalence.high,
        p_value=found.p_value,
        test=None if found.p_value is None else RANDOMISATION,
    )


def _arms_to_compare(scored: Sequence[ScoredArm], pairing: Pairing) -> Iterator[tuple[ScoredArm, ScoredArm]]:
    """The arms to compare: full with every other condition, then every arm with the baseline."""
    by_key = {arm.key: arm for arm in scored}
    for arm in scored:
        full = by_key.get(arm.key._replace(condition="full"))
        if full is not None and full is not arm:
            yield full, arm
    for arm in scored:
        base = baseline_of(arm, scored, pairing)
        if base is not None:
            yield arm, base
