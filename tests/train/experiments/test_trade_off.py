"""The trade-off and the front: planted points, of which it is known where they lie."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.frontiers import FrontierRow
from safe_eval.scoring.score import score_files
from safe_train.experiments.policy_front import front_findings
from safe_train.experiments.trade_off import curve_finding, front_finding

GROUPS = 300
# Of each model, the share of audio questions that are right, and how many tokens are heard on average.
WORLD = {"base": (0.3, 0), "always_4": (0.8, 4), "entropy": (0.6, 2), "policy": (0.79, 1)}


def answered(model: str, right: float, tokens: float, seed: int) -> list[Prediction]:
    """One audio question per group, of which this share is right, heard with 0 or 4 tokens."""
    rng = np.random.default_rng([seed, *model.encode()])
    correct, heard = rng.random(GROUPS) < right, rng.random(GROUPS) < tokens / 4
    return [
        Prediction(
            example_id=f"q-{number}",
            references=("yes",),
            answer="yes" if correct[number] else "no",
            dataset="made",
            group=f"g-{number}",
            task="vqa",
            needs_audio=True,
            condition="full",
            seed=seed,
            model=model,
            consulted=bool(heard[number]),
            audio_tokens=4 * int(heard[number]),
        )
        for number in range(GROUPS)
    ]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Sequence[FrontierRow]:
    """In seed 0 the policy is far on the front; in seed 1 `always_4` without a cost dominates it."""
    out = tmp_path_factory.mktemp("front")
    rows = [row for name, (right, tokens) in WORLD.items() for row in answered(name, right, tokens, 0)]
    other = WORLD | {"always_4": (0.95, 0), "policy": (0.5, 3)}
    rows += [row for name, (right, tokens) in other.items() for row in answered(name, right, tokens, 1)]
    write_predictions(out / "predictions.jsonl", rows)
    return score_files([out / "predictions.jsonl"], Sampling(resamples=500), out=out).frontiers


@pytest.mark.parametrize(
    ("seeds", "model", "decision"),
    [
        ((0,), "policy", "go"),
        ((1,), "policy", "no-go"),
        ((0, 1), "policy", "no-go"),
        ((0, 2), "policy", "not measured"),  # of seed 2 there is no point
        ((1, 2), "policy", "no-go"),  # which hides no no-go
        ((0,), "entropy", "no-go"),
        ((), "policy", "not measured"),
    ],
)
def test_a_place_on_the_front_is_shown_by_intervals_in_every_seed(
    points: Sequence[FrontierRow], seeds: tuple[int, ...], model: str, decision: str
) -> None:
    options: dict[str, Any] = {"model": model, "cost": "audio_tokens", "name": "front", "file": "front.csv"}
    assert front_finding(points, seeds, **options).decision == decision


def test_a_front_tells_share_place_and_intervals(points: Sequence[FrontierRow]) -> None:
    by_name = {one.name: one for one in front_findings(points, (0, 1))}
    tokens = by_name["the_policy_is_on_the_front_of_audio_tokens"]
    assert "seed 0: on the frontier (" in tokens.evidence
    assert "seed 1: dominated by always_4 (" in tokens.evidence
    assert tokens.value is not None
    assert tokens.value < 0.05
    latency = by_name["the_policy_is_on_the_front_of_latency"]
    assert (latency.decision, latency.severity) == ("not measured", "warning")
    assert latency.evidence == "no two points state latency_ms"


def curve(seed: int, points: Sequence[tuple[float, float]]) -> list[FrontierRow]:
    """Points at ever higher thresholds: the share that listens, and the accuracy."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("ci_low", "ci_high", "interval", "cost_low", "cost_high", "cost_interval")
    )
    about: dict[str, Any] = {"metric": "accuracy", "dataset": "made", "slice": "audio", "cost": "consulted"}
    sizes: dict[str, Any] = {"n": 9, "clusters": 9, "effective_clusters": 9.0, "left_out": 0}
    return [
        FrontierRow(
            **about,
            **nothing,
            **sizes,
            seed=seed,
            model="safe",
            threshold=float(at),
            value=value,
            mean_cost=cost,
            confidence=0.95,
        )
        for at, (cost, value) in enumerate(points)
    ]


def test_a_curve_says_what_may_be_skipped_at_a_loss_of_a_point() -> None:
    rows = [
        *curve(0, [(1.0, 0.9), (0.7, 0.895), (0.5, 0.85), (0.0, 0.5)]),
        *curve(1, [(1.0, 0.9), (0.9, 0.892), (0.5, 0.80), (0.0, 0.5)]),
    ]
    found = curve_finding(rows, (0, 1), kind="entropy", file="trade_off.csv")
    assert (found.name, found.decision) == ("entropy: trade_off_curve", "go")
    assert found.value == pytest.approx(0.1)
    assert "30.0, 10.0 % of audio questions" in found.evidence
    missing = curve_finding(rows, (0, 1, 2), kind="entropy", file="trade_off.csv")
    assert (missing.decision, missing.value) == ("not measured", None)
    assert missing.evidence.startswith("no curve of seeds [2]")
