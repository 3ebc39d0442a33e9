"""The verdict on retention: what decides, on losses made by hand, and its words."""

import numpy as np
import pytest
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import t

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_train.experiments.retention_result import Contrasted, Judged, Kept, RetentionResult
from safe_train.experiments.retention_text import retention_markdown, verdict_lines
from safe_train.experiments.retention_verdict import drift_of, judge_retention

SAMPLING = Sampling(resamples=500)


def seed_of(seed: int, **lost: int) -> Contrasted:
    """100 questions, each a cluster, of which so many were lost; below 0: gained."""
    losses = {}
    for name, count in lost.items():
        values = np.zeros(100)
        values[: abs(count)] = np.sign(count)
        losses[name] = np.random.default_rng(seed).permutation(values)
    return Contrasted(seed, seed, losses, np.arange(100))


def judged(*found: Contrasted) -> list[Judged]:
    return list(judge_retention(found, SAMPLING))


def test_half_of_the_drift_by_hand() -> None:
    first = judged(seed_of(0, no_retention=80, kl=4), seed_of(1, no_retention=70, kl=2))[0]
    assert first.value == pytest.approx(0.03 - 0.75 / 2)
    assert first.decision == "go"
    assert first.ci_high is not None
    assert first.ci_high < 0
    assert first.evidence == (
        "drift 75.0 without, 3.0 with it: 96 % less; seed by seed 80.0 → 4.0, 70.0 → 2.0; 200 questions "
        "in 200 groups of 2 seeds"
    )


@pytest.mark.parametrize(
    ("kl", "decision"),
    [((5, 4), "go"), ((80, 79), "no-go"), ((40, 35), "not measured"), ((0, 75), "not measured")],
)
def test_it_goes_only_where_the_interval_carries_it(kl: tuple[int, int], decision: str) -> None:
    found = [
        seed_of(n, no_retention=drift, kl=lost)
        for n, (drift, lost) in enumerate(zip((80, 70), kl, strict=True))
    ]
    assert judged(*found)[0].decision == decision


def test_where_nothing_drifted_nothing_is_halved() -> None:
    first = judged(seed_of(0, no_retention=1, kl=0), seed_of(1, no_retention=0, kl=0))[0]
    assert first.decision == "not measured"
    assert first.evidence.endswith(
        "but without it the drift is not shown to be above 0, so there is nothing to halve"
    )
    assert (
        judged(seed_of(0, no_retention=0, kl=0), seed_of(1, no_retention=0, kl=0))[0].decision
        == "not measured"
    )


@pytest.mark.parametrize(
    ("alone", "decision"), [((10, 9), "go"), ((78, 68), "not measured"), ((99, 97), "no-go")]
)
def test_the_null_space_keeps_or_improves(alone: tuple[int, int], decision: str) -> None:
    found = [
        seed_of(n, no_retention=drift, nullspace=lost)
        for n, (drift, lost) in enumerate(zip((70, 68), alone, strict=True))
    ]
    first, second, third = judged(*found)
    assert (second.name, second.decision, second.severity) == (
        "nullspace_keeps_or_improves",
        decision,
        "warning",
    )
    assert first.evidence == "it needs the mechanisms kl and no_retention; add kl"
    assert third.evidence == "it needs the mechanisms all_retention and kl; add all_retention and kl"
    assert {first.decision, third.decision} == {"not measured"}


def test_one_seed_decides_nothing() -> None:
    (first, *_) = judged(seed_of(0, no_retention=80, kl=0))
    assert first.decision == "not measured"
    assert first.evidence == "one seed shows nothing of how much another would differ; add a seed"


def test_a_warning_decides_nothing() -> None:
    found = [seed_of(n, no_retention=60 + n, kl=n, nullspace=98 - n, all_retention=50 + n) for n in range(2)]
    rows = judge_retention(found, SAMPLING)
    assert [row.decision for row in rows] == ["go", "no-go", "no-go"]
    result = RetentionResult(rows=(), judged=rows, confidence=0.95, resamples=500)
    assert result.decision == "go"
    first, second, third, fourth = verdict_lines(result)
    assert first == "verdict: go"
    assert second.startswith(
        "- go: distillation cuts VL drift by at least half: drift 60.5 without, 0.5 with it"
    )
    assert second.endswith("must be at most 0")
    assert third.startswith(
        "- no-go (decides nothing): the null space alone drifts no more than no retention: "
    )
    assert "drift 97.5 of nullspace, 60.5 of no_retention" in third
    assert fourth.endswith("must be at most 0.005")


def test_the_table_has_each_seed_and_the_mean_and_deviation() -> None:
    result = RetentionResult(rows=(kept(0, 0.10), kept(1, 0.14)), judged=(), confidence=0.95, resamples=500)
    text = retention_markdown(result)
    assert "**Mean ± standard deviation over seeds 0, 1**" in text
    assert "**Seed 0**" in text
    assert "12.0 ± 2.8" in text  # the deviation of 10 and 14 is √8
    assert "10.0 [9.0, 11.0]" in text
    assert "0.5 ± 0" in text
    assert text.endswith("verdict: not measured\n")


def kept(seed: int, drift: float) -> Kept:
    return Kept(
        seed=seed,
        mechanism="kl",
        audio_accuracy=1.0,
        audio_low=None,
        audio_high=None,
        audio_muted=0.2,
        vl_base=0.9,
        vl_accuracy=0.9 - drift,
        vl_low=0.7,
        vl_high=0.9,
        vl_muted=0.9,
        drift=drift,
        drift_low=drift - 0.01,
        drift_high=drift + 0.01,
        flips=drift,
        kl_nats=0.5,
        kl_low=0.4,
        kl_high=0.6,
        kl_of="choices of the test split",
        vl_questions=100,
        clusters=100,
    )


CLUSTERS = 20


def alike(seed: int, world: int, whole: range) -> Contrasted:
    """Five questions in each of 20 clusters, of which some were lost whole by the null space alone."""
    clusters = np.repeat(np.arange(CLUSTERS), 5)
    lost = np.isin(clusters, whole).astype(float)
    return Contrasted(seed, world, {"no_retention": np.zeros(100), "nullspace": lost}, clusters)


def by_hand(groups: Float[ndarray, " groups"], seeds: Float[ndarray, " seeds"]) -> float:
    """Half of the interval, from the means of groups and of seeds: see `two_way`."""
    ways = [(values.var(ddof=1) / len(values), len(values) - 1) for values in (groups, seeds)]
    variance = sum(of_way for of_way, _ in ways)
    freedom = variance**2 / sum(of_way**2 / number for of_way, number in ways)
    return float(t.ppf(0.975, freedom)) * variance**0.5


def test_the_groups_of_one_world_are_the_same_in_all_seeds() -> None:
    lost = (range(8), range(9), range(7))
    means = np.array([[number in whole for number in range(CLUSTERS)] for whole in lost], dtype=float)
    for worlds, groups in (((0, 0, 0), means.mean(axis=0)), ((0, 1, 2), means.ravel())):
        found = [alike(*one) for one in zip(range(3), worlds, lost, strict=True)]
        one = judged(*found)[1]
        assert one.value == pytest.approx(0.4)
        assert (one.ci_low, one.ci_high) == pytest.approx(
            (0.4 - by_hand(groups, means.mean(axis=1)), 0.4 + by_hand(groups, means.mean(axis=1)))
        )
        told = "100 questions in 20 groups, with 3 seeds" if len(groups) == CLUSTERS else None
        assert one.evidence.endswith(told or "300 questions in 60 groups of 3 seeds")


def test_an_interval_covers_what_groups_and_seeds_were_drawn_from() -> None:
    """Groups of one world that were taken for others in each seed would promise too much."""
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), 4)
    trials = 150
    covered = {"crossed": 0, "nested": 0, "crossed, but taken as nested": 0}
    for _ in range(trials):
        for kind, missed in covered.items():
            one_world = generator.normal(0, 0.3, 30)
            found = []
            for seed in range(3):
                groups = generator.normal(0, 0.3, 30) if kind == "nested" else one_world
                lost = groups[clusters] + generator.normal(0, 0.02) + generator.normal(0, 0.1, len(clusters))
                losses = {"no_retention": np.zeros(len(clusters)), "nullspace": lost}
                found.append(Contrasted(seed, 0 if kind == "crossed" else seed, losses, clusters))
            one = judged(*found)[1]
            assert one.ci_low is not None
            assert one.ci_high is not None
            covered[kind] = missed + (one.ci_low <= 0 <= one.ci_high)
    assert covered["crossed"] >= 0.9 * trials
    assert covered["nested"] >= 0.9 * trials
    assert covered["crossed, but taken as nested"] < 0.85 * trials


def test_seeds_of_one_world_that_answered_otherwise_are_refused() -> None:
    first, second = alike(0, 0, range(8)), alike(1, 0, range(8))
    other = Contrasted(1, 0, second.losses, second.clusters[::-1])
    with pytest.raises(InputError, match="seeds 0 and 1 did not answer the same questions of one world"):
        judged(first, other)


def test_a_drift_has_an_interval_only_over_seeds() -> None:
    one = drift_of([seed_of(0, kl=2)], "kl", SAMPLING)
    assert (one.value, one.interval.low, one.within(0.01)) == (0.02, None, "not measured")
    assert drift_of([seed_of(n, kl=60 + n) for n in range(3)], "kl", SAMPLING).within(0.01) == "no-go"
    assert drift_of([seed_of(0, kl=2)], "fisher", SAMPLING).evidence.endswith("add fisher")
    none = Contrasted(0, 0, {"kl": np.zeros(0)}, np.zeros(0, dtype=int))
    asked_nothing = drift_of([none], "kl", SAMPLING)
    assert (asked_nothing.value, asked_nothing.within(0.01)) == (None, "not measured")
    assert asked_nothing.evidence == "no question about a picture was asked that can be right or wrong"
