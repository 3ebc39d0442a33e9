"""Rules on planted tables: a winner, a tie, too few seeds, one seed; and what never changes a choice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_points import planted
from pydantic import TypeAdapter

from safe_train.sweeps.candidate import BySeed, Candidate, Scored, needed, p_value
from safe_train.sweeps.rules import Ruled, decision_of, judge
from safe_train.sweeps.rules_file import Rule

TARGETS = [{"metric": "audio_gain", "at_least": 0.05}, {"metric": "vl_drift", "at_most": 0.02}]
SMALLEST = {"rule": "smallest", "targets": TARGETS}
BEST = {"rule": "best", "metric": "audio_score", "targets": [{"metric": "vl_drift", "at_most": 0.02}]}
RISE = {"rule": "rise_or_steadier", "a": "mlp", "b": "attention", "rise": 0.05}


def judged(rule: dict[str, Any], *candidates: Candidate) -> Ruled:
    found: Rule = TypeAdapter(Rule).validate_python(rule)
    return judge(found, candidates, 0.95)


def test_the_smallest_that_meets_the_targets_is_named() -> None:
    found = judged(
        SMALLEST,
        planted("large", parameters=300, audio=0.7),
        planted("small", parameters=100, audio=0.41),
        planted("middle", parameters=200, audio=0.6),
    )
    assert (found.decision, found.winner) == ("go", "middle")
    assert found.statement == "middle is the smallest that meets the targets"
    status = {(test.point, test.metric): test.found for test in found.tests}
    assert status["small", "audio_gain"] == "missed"
    assert status["middle", "audio_gain"] == "met"


def test_a_smaller_one_that_may_meet_them_stands_in_the_way() -> None:
    found = judged(SMALLEST, planted("small", audio=0.451), planted("large", parameters=300, audio=0.7))
    assert (found.decision, found.winner) == ("not measured", None)
    assert found.statement.startswith("not told apart: large, small; needs ")
    assert found.needs is not None


def test_none_that_meets_them_is_a_no_go() -> None:
    found = judged(SMALLEST, planted("a", audio=0.4), planted("b", audio=0.7, drift=0.2))
    assert (found.decision, found.winner) == ("no-go", None)
    assert found.statement == "no point meets the targets: each is shown to miss one"


def test_of_one_size_the_faster_is_named_if_that_is_shown() -> None:
    fast, slow = (5.0, 5.1, 4.9), (10.0, 10.1, 9.9)
    found = judged(SMALLEST, planted("slow", latency=slow), planted("fast", latency=fast))
    assert found.winner == "fast"
    tied = judged(SMALLEST, planted("one", latency=(10, 9, 11)), planted("other", latency=(9, 11, 10)))
    assert (tied.decision, tied.winner) == ("not measured", None)
    assert tied.statement.startswith("not told apart: one, other")


def test_the_best_is_named_only_above_every_other() -> None:
    found = judged(BEST, planted("low", audio=0.5), planted("high", audio=0.7), planted("mid", audio=0.6))
    assert (found.decision, found.winner) == ("go", "high")
    assert found.statement == "high is the highest audio_score of those that meet the targets"
    tie = judged(BEST, planted("one", audio=0.6), planted("other", audio=0.6))
    assert (tie.decision, tie.winner) == ("not measured", None)
    near = judged(
        BEST,
        planted("one", audio=0.6, seed_std=0.03),
        planted("other", audio=0.605),
        planted("bad", audio=0.3),
    )
    assert near.winner is None
    assert near.statement.startswith("not told apart: bad, one, other") or "one, other" in near.statement
    assert near.needs is not None


def test_the_best_that_drifts_is_not_the_best() -> None:
    found = judged(BEST, planted("hears", audio=0.9, drift=0.3), planted("keeps", audio=0.6))
    assert found.winner == "keeps"


def test_two_seeds_that_differ_much_are_too_few() -> None:
    few = judged(BEST, planted("one", audio=0.7, seeds=2, seed_std=0.1), planted("other", audio=0.5, seeds=2))
    assert few.winner is None
    assert few.needs is not None
    assert "seeds" in few.needs
    enough = judged(
        BEST, planted("one", audio=0.7, seeds=5, seed_std=0.01), planted("other", audio=0.5, seeds=5)
    )
    assert enough.winner == "one"


@pytest.mark.parametrize("rule", [SMALLEST, BEST, RISE])
def test_one_seed_names_nothing(rule: dict[str, Any]) -> None:
    found = judged(rule, planted("mlp", audio=0.9, seeds=1), planted("attention", audio=0.4, seeds=1))
    assert (found.decision, found.winner, found.needs) == ("not measured", None, "at least 2 seeds")
    assert "one seed shows nothing of how much another would differ" in found.statement


def test_a_rise_is_named_or_the_steadier() -> None:
    rises = judged(RISE, planted("mlp", audio=0.7), planted("attention", audio=0.5))
    assert (rises.winner, rises.statement) == (
        "mlp",
        "mlp: audio_score of mlp over attention rises at least 0.05",
    )
    steady = judged(
        RISE,
        planted("mlp", audio=0.5, seeds=5, seed_std=0.02),
        planted("attention", audio=0.5, seeds=5, seed_std=0.0005),
    )
    assert steady.winner == "attention"
    assert (
        "attention is the steadier (sd 0.0158 of mlp, 0.0004 of attention over 5 seeds)" in steady.statement
    )
    alike = judged(RISE, planted("mlp", audio=0.5), planted("attention", audio=0.5))
    assert (alike.decision, alike.winner) == ("not measured", None)
    assert "not told apart which is steadier" in alike.statement
    between = judged(RISE, planted("mlp", audio=0.551), planted("attention", audio=0.5))
    assert between.statement.startswith(
        "not told apart: whether audio_score of mlp over attention rises 0.05; needs"
    )


def test_a_point_that_was_not_measured_stops_the_rule() -> None:
    lost = Candidate("lost", {}, "seed 0 was unstable: step 3: the loss is nan")
    found = judged(SMALLEST, planted("good"), lost)
    assert found.decision == "not measured"
    assert found.statement == "not measured: lost: seed 0 was unstable: step 3: the loss is nan"
    assert judged(RISE, planted("mlp")).statement == "not measured: there is no point attention"


def test_more_candidates_make_each_finding_harder() -> None:
    bound = {"rule": "smallest", "targets": [{"metric": "audio_gain", "at_least": 0.177}]}
    alone = judged(bound, planted("one", seed_std=0.008)).tests[0]
    among = judged(bound, *[planted(f"p{n}", parameters=n + 1, seed_std=0.008) for n in range(5)]).tests[0]
    assert alone.p_value == among.p_value
    assert alone.p_value is not None
    assert among.p_adjusted == pytest.approx(5 * alone.p_value)
    assert 0.01 < alone.p_value < 0.05
    assert (alone.found, among.found) == ("met", "not told apart")


def test_what_is_needed_would_tell() -> None:
    """As many seeds as are said, as different as those seen, tell what those seen do not."""
    few = planted("one", audio=0.6, seeds=3, seed_std=0.02).metrics["audio_score"]
    assert isinstance(few, Scored)
    assert p_value(few.interval, 0.57) > 0.05  # type: ignore[operator]
    said = needed(few, 0.57, 0.025)
    assert said is not None
    count = int(said.removeprefix("about ").removesuffix(" seeds"))
    more = planted("one", audio=0.6, seeds=count, seed_std=0.02).metrics["audio_score"]
    assert isinstance(more, Scored)
    assert p_value(more.interval, 0.57) < 0.05  # type: ignore[operator]
    assert needed(BySeed((1.0, 1.2, 0.8)), 1.1, 0.025) == "about 18 seeds"


def test_the_decision_of_several_rules() -> None:
    def ruled(decision: str) -> Ruled:
        return Ruled(name="r", rule="best", decision=decision, winner=None, statement="")

    assert decision_of([ruled("go"), ruled("not measured"), ruled("no-go")]) == "no-go"
    assert decision_of([ruled("go"), ruled("not measured")]) == "not measured"
    assert decision_of([ruled("go")]) == "go"
    assert decision_of([]) == "not measured"


SHARES = st.integers(80, 160).map(lambda n: n / 200)
POINTS = st.lists(
    st.tuples(
        st.integers(1, 3), SHARES, st.integers(0, 20).map(lambda n: n / 200), st.sampled_from([0.0, 0.02])
    ),
    min_size=2,
    max_size=3,
)


def of_shares(points: Sequence[tuple[int, float, float, float]], names: Sequence[str]) -> list[Candidate]:
    return [
        planted(name, parameters=size, audio=audio, drift=drift, seed_std=spread, questions=200)
        for name, (size, audio, drift, spread) in zip(names, points, strict=True)
    ]


@pytest.mark.parametrize("rule", [SMALLEST, BEST])
@settings(max_examples=3, deadline=None)
@given(points=POINTS, seed=st.integers(0, 5))
def test_neither_order_nor_names_change_a_choice(
    rule: dict[str, Any], points: list[tuple[int, float, float, float]], seed: int
) -> None:
    names = [f"p{n}" for n in range(len(points))]
    found = judged(rule, *of_shares(points, names))
    order = np.random.default_rng(seed).permutation(len(points))
    renamed = [f"q{9 - place}" for place in order]
    again = judged(rule, *of_shares([points[place] for place in order], renamed))
    expected = None if found.winner is None else renamed[list(order).index(names.index(found.winner))]
    assert (again.winner, again.decision) == (expected, found.decision)


@pytest.mark.parametrize("rule", [SMALLEST, BEST])
@settings(max_examples=3, deadline=None)
@given(points=POINTS, worse=st.sampled_from([0.005, 0.05]))
def test_a_dominated_point_is_never_named(
    rule: dict[str, Any], points: list[tuple[int, float, float, float]], worse: float
) -> None:
    size, audio, drift, spread = points[0]
    dominated = (size + 1, audio - worse, drift + worse, spread)
    names = [*(f"p{n}" for n in range(len(points))), "dominated"]
    assert judged(rule, *of_shares([*points, dominated], names)).winner != "dominated"
