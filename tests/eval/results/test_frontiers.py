"""Frontiers: models that cost least for what they score, the curve of a gate, and what keeps a model out."""

import msgspec
import numpy as np
import pytest
from made_rows import answers, row

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.frontiers import COSTS, FrontierRow
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import Scores
from safe_eval.text.scores_tables import scores_tables
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=1000)
CLIPS = 120


def costing(model: str, right: float, tokens: int, ms: float, **fields: object) -> list[Prediction]:
    """A model that is right about a share of the sounds, and its costs."""
    rng = np.random.default_rng(len(model) + tokens)
    heard = rng.permutation(CLIPS) < right * CLIPS
    rows = answers(
        model, "full", lambda clip, audio: bool(heard[clip]) if audio else clip % 10 != 0, clips=CLIPS
    )
    spent = ms * rng.uniform(0.8, 1.2, len(rows))
    stated = {"audio_tokens": tokens, "consulted": tokens > 0, "metadata": {"batch": 1}} | fields
    return [
        msgspec.structs.replace(r, **{"latency_ms": float(t)} | stated)
        for r, t in zip(rows, spent, strict=True)
    ]


THREE = [
    *costing("none", 0.3, 0, 100),
    *costing("four", 0.8, 4, 105),
    *costing("eight", 0.82, 8, 110),
    *costing("waste", 0.4, 8, 140),
]


@pytest.fixture(scope="module")
def three() -> Scores:
    return score_predictions(THREE, QUICK)


def points(scores: Scores, cost: str, slice_name: str = "audio") -> dict[str, FrontierRow]:
    return {r.model: r for r in scores.frontiers if (r.cost, r.slice) == (cost, slice_name)}


def notes(rows: list[Prediction]) -> list[str]:
    return [note for note in score_predictions(rows, QUICK).notes if "frontier" in note or "curve" in note]


def test_a_point_that_wastes_is_dominated_and_the_others_are_not(three: Scores) -> None:
    for cost in ("latency_ms", "audio_tokens"):
        found = points(three, cost)
        assert {model: r.status for model, r in found.items()} == {
            "none": "on the frontier",
            "four": "on the frontier",
            "eight": "on the frontier",
            "waste": "dominated",
        }
        assert found["waste"].dominated_by in ("four", "eight")
        assert found["none"].share_on_frontier > 0.95
        assert found["waste"].share_on_frontier < 0.01
    assert {r.confidence for r in three.frontiers} == {0.95}


def test_points_are_the_means_with_wider_intervals_than_alone(three: Scores) -> None:
    alone = {m.model: m for m in three.metrics if (m.metric, m.slice) == ("vqa_accuracy", "audio")}
    timed = {r.model: r for r in three.latency}
    for model, r in points(three, "latency_ms").items():
        own = [p.latency_ms for p in THREE if p.model == model and p.needs_audio]
        assert (r.value, r.n, r.clusters) == (alone[model].value, CLIPS, CLIPS)
        assert r.ci_low < alone[model].ci_low < alone[model].ci_high < r.ci_high
        assert r.mean_cost == pytest.approx(np.mean(own))
        assert r.cost_low < r.mean_cost < r.cost_high
        assert (r.one_by_one, r.left_out, r.effective_clusters) == (True, 0, CLIPS)
        whole = points(three, "latency_ms", "all")[model]
        assert whole.mean_cost == pytest.approx(timed[model].latency_ms)


def test_identical_costs_leave_the_accuracy_to_decide(three: Scores) -> None:
    found = points(three, "consulted")
    assert (found["four"].mean_cost, found["eight"].mean_cost) == (1.0, 1.0)
    assert (found["four"].status, found["four"].dominated_by) == ("dominated in this sample", "eight")
    assert (found["waste"].status, found["eight"].status) == ("dominated", "on the frontier")


def test_two_points_alike_are_both_on_the_frontier() -> None:
    one = costing("one", 0.7, 4, 100)
    other = [msgspec.structs.replace(r, model="other") for r in one]
    found = points(score_predictions(one + other, QUICK), "latency_ms")
    assert {(r.status, r.share_on_frontier) for r in found.values()} == {("on the frontier", 1.0)}


def test_one_model_or_no_costs_make_no_frontier() -> None:
    assert score_predictions(costing("safe", 0.7, 4, 100), QUICK).frontiers == ()
    two = [*answers("a", "full", lambda c, a: True), *answers("b", "full", lambda c, a: c > 3)]
    assert score_predictions(two, QUICK).frontiers == ()
    assert notes(two) == []


def test_a_missing_cost_is_said() -> None:
    without = costing("base", 0.3, 0, 90, audio_tokens=None, consulted=None)
    rows = [*without, *costing("safe", 0.8, 4, 105)]
    assert {r.cost for r in score_predictions(rows, QUICK).frontiers} == {"latency_ms"}
    assert notes(rows) == [f"no frontier of {cost} on made: only safe states it" for cost in COSTS[1:]]
    third = [*rows, *costing("more", 0.85, 8, 120)]
    assert notes(third)[0] == "base on made states no audio_tokens, so it is no point of that frontier"
    assert set(points(score_predictions(third, QUICK), "audio_tokens")) == {"safe", "more"}


def test_a_cost_that_some_answers_lack_is_said() -> None:
    some = [
        msgspec.structs.replace(r, latency_ms=None) if place < 3 else r
        for place, r in enumerate(costing("safe", 0.8, 4, 105))
    ]
    rows = [*costing("none", 0.3, 0, 100), *costing("four", 0.8, 4, 105), *some]
    expected = (
        "3 of 240 answers of safe on made, seed 0, state no latency_ms, so it is no point of that frontier"
    )
    assert notes(rows) == [expected]
    assert set(points(score_predictions(rows, QUICK), "latency_ms")) == {"none", "four"}


def test_a_failed_answer_is_wrong_and_costs_nothing_known() -> None:
    rows = [
        msgspec.structs.replace(r, answer=None, error="timeout", latency_ms=None) if place < 20 else r
        for place, r in enumerate(costing("safe", 0.8, 4, 105))
    ]
    found = points(score_predictions([*rows, *costing("none", 0.3, 0, 100)], QUICK), "latency_ms", "all")[
        "safe"
    ]
    assert found.n == 240
    assert found.mean_cost == pytest.approx(np.mean([r.latency_ms for r in rows[20:]]))
    assert found.value == pytest.approx(sum(r.answer == "yes" for r in rows) / 240)


def test_one_by_one_is_not_drawn_beside_batches() -> None:
    rows = [*costing("a", 0.5, 0, 100), *costing("b", 0.8, 4, 120, metadata=None)]
    assert {r.cost for r in score_predictions(rows, QUICK).frontiers} == {"audio_tokens", "consulted"}
    assert notes(rows) == [
        "no frontier of latency_ms on made: some models were answered one by one and others in batches "
        "(metadata.batch)"
    ]
    batched = [*costing("a", 0.5, 0, 100, metadata=None), *costing("b", 0.8, 4, 120, metadata=None)]
    assert {r.one_by_one for r in points(score_predictions(batched, QUICK), "latency_ms").values()} == {False}


def test_only_shared_examples_are_points() -> None:
    rows = [*costing("a", 0.5, 0, 100)[:100], *costing("b", 0.8, 4, 120)[20:]]
    found = points(score_predictions(rows, QUICK), "audio_tokens", "all")["a"]
    assert (found.n, found.left_out) == (80, 160)
    apart = [*costing("a", 0.5, 0, 100)[:100], *costing("b", 0.8, 4, 120)[100:]]
    assert "no frontier of audio_tokens on made: its models have no example in common" in notes(apart)


def test_a_model_with_one_seed_stands_beside_each_seed_of_another() -> None:
    seeds = [msgspec.structs.replace(r, seed=seed) for seed in (1, 2) for r in costing("safe", 0.8, 4, 105)]
    scores = score_predictions([*costing("none", 0.3, 0, 100), *seeds], QUICK)
    found = {(r.seed, r.model) for r in scores.frontiers}
    assert found == {(1, "none"), (1, "safe"), (2, "none"), (2, "safe")}


def test_one_cluster_is_not_measured() -> None:
    rows = [msgspec.structs.replace(r, group="one") for r in THREE]
    found = score_predictions(rows, QUICK)
    assert {(r.ci_low, r.cost_low, r.status) for r in found.frontiers} == {(None, None, None)}
    assert any("not measured" in line for line in scores_table(found))


def gated(shut_below: float | None = None, **fields: object) -> list[Prediction]:
    """A gate that opens more where the sound is needed; without the sound, answers to it are wrong."""
    rows = []
    for place in range(200):
        score, needs = (place + 1) / 200, place >= 100
        for condition in ("full", "gate_off"):
            shut = condition == "gate_off" or (shut_below is not None and score < shut_below)
            rows.append(
                row(
                    f"q{place:03}",
                    "no" if needs and shut else "yes",
                    group=f"g{place // 2}",
                    needs_audio=needs,
                    condition=condition,
                    gate_score=score if condition == "full" else None,
                    consulted=not shut,
                    **fields,
                )
            )
    return rows


def curve(rows: list[Prediction], slice_name: str = "all") -> list[FrontierRow]:
    return [r for r in score_predictions(rows, QUICK).frontiers if r.slice == slice_name and r.threshold]


def test_the_curve_of_a_gate_is_what_its_thresholds_would_have_scored() -> None:
    found = curve(gated())
    assert 15 <= len(found) <= 41
    for r in found:
        opened = [(place + 1) / 200 >= r.threshold for place in range(200)]
        right = [is_open or place < 100 for place, is_open in enumerate(opened)]
        assert (r.value, r.mean_cost) == (pytest.approx(np.mean(right)), pytest.approx(np.mean(opened)))
        assert r.ci_low <= r.value <= r.ci_high
        assert (r.status, r.cost, r.n) == (None, "consulted", 200)
    assert (found[0].mean_cost, found[-1].mean_cost) == (1.0, 0.0)
    assert {r.value for r in curve(gated(), "vl")} == {1.0}


def test_a_gate_that_was_shut_shows_the_rest_of_its_curve_only() -> None:
    found = curve(gated(shut_below=0.5))
    assert min(r.threshold for r in found) >= 0.5
    assert notes(gated(shut_below=0.5)) == [
        "the gate of model, seed 0 was shut up to a gate_score of 0.495, so its curve begins above; "
        "answer with the gate always open to see the rest"
    ]


def test_with_the_gate_always_open_the_curve_is_whole() -> None:
    rows = gated(shut_below=0.5)
    full = [r for r in gated() if r.condition == "full"]
    opened = [
        msgspec.structs.replace(r, model="model_always_on", consulted=True, gate_score=None) for r in full
    ]
    found = [r for r in curve([*rows, *opened]) if r.model == "model"]
    assert [(r.threshold, r.value, r.mean_cost) for r in found] == [
        (r.threshold, r.value, r.mean_cost) for r in curve(gated())
    ]
    assert not [note for note in notes([*rows, *opened]) if "begins above" in note]
    few = [*rows, *opened[:150]]  # only what all three answered
    assert {r.n for r in curve(few) if r.model == "model"} == {150}


def test_what_keeps_a_gate_from_a_curve_is_said() -> None:
    some = gated()
    some[0] = msgspec.structs.replace(some[0], gate_score=None)
    assert notes(some) == ["no curve over the gate of model, seed 0: 1 of 200 answers state no gate_score"]
    shut = [msgspec.structs.replace(r, consulted=False) for r in gated()]
    assert notes(shut) == [
        "no curve over the gate of model, seed 0: too few gate_scores lie above those at which it was shut"
    ]
    hard = [
        msgspec.structs.replace(r, gate_score=r.gate_score and float(r.gate_score > 0.5)) for r in gated()
    ]
    assert (notes(hard), curve(hard)) == ([], [])  # open or shut: nothing to choose between
    apart = [r for place, r in enumerate(gated()) if place % 4 in (0, 3)]
    assert notes(apart) == [
        "no curve over the gate of model, seed 0: full and gate_off have no example in common"
    ]
    assert curve([r for r in gated() if r.condition == "full"]) == []


def test_the_text_says_who_is_dominated(three: Scores) -> None:
    lines = list(scores_table(three))
    start = lines.index("vqa_accuracy on made against audio_tokens, seed 0: frontier of models")
    block = lines[start : start + 14]
    audio = block.index("  audio: 120 examples in 120 clusters")
    assert [line.split()[0] for line in block[audio + 1 : audio + 5]] == ["none", "four", "eight", "waste"]
    assert block[audio + 1].endswith("0  yes (100 %)")
    assert "8  no: " in block[audio + 4]
    assert any("open: eight" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert "model by the threshold of its gate" in "\n".join(scores_table(score_predictions(gated(), QUICK)))


def test_tables_have_every_point(three: Scores) -> None:
    (table,) = (t for t in scores_tables(three) if t.name == "frontiers")
    assert len(table.rows) == len(three.frontiers) == 4 * 3 * 3
