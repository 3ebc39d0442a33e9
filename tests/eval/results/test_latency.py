"""Latency: the mean, and its ratio to the base model's."""

import msgspec
import numpy as np
import pytest
from made_rows import answers

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.latency import LatencyRow
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=300)


def timed(model: str, condition: str, ms: list[float], **fields: object) -> list[Prediction]:
    rows = answers(model, condition, lambda clip, hears: True, clips=len(ms) // 2)
    return [msgspec.structs.replace(r, latency_ms=t, **fields) for r, t in zip(rows, ms, strict=True)]


def noise(mean: float, seed: int, items: int = 200) -> list[float]:
    return (mean * np.random.default_rng(seed).uniform(0.5, 1.5, items)).tolist()


def latency(rows: list[Prediction]) -> dict[str, LatencyRow]:
    return {f"{r.model}/{r.condition}": r for r in score_predictions(rows, QUICK).latency}


def judged(rows: list[Prediction], **fields: object) -> Judged:
    asked = {"name": "it", "metric": "latency_ratio", "condition": "safe/full", "against": "base/full"}
    return judge(Criterion(**asked | {"bound": "<= 1.1"} | fields), score_predictions(rows, QUICK))


def test_the_ratio_of_the_means_with_its_interval() -> None:
    base, safe = noise(100, 0), noise(120, 1)
    found = latency(timed("base", "full", base) + timed("safe", "full", safe))
    assert found["base/full"].ratio is None
    row = found["safe/full"]
    assert row.latency_ms == pytest.approx(np.mean(safe))
    assert row.ratio == pytest.approx(np.mean(safe) / np.mean(base))
    assert row.ratio_low < row.ratio < row.ratio_high
    assert (row.n, row.clusters, row.ratio_n, row.unsaid, row.only_one) == (200, 100, 200, 0, 0)


def test_the_ratio_is_paired() -> None:
    """Answers that take long for both say nothing about the ratio."""
    base = noise(100, 0)
    row = latency(timed("base", "full", base) + timed("safe", "full", [1.05 * t for t in base]))["safe/full"]
    assert row.ratio == pytest.approx(1.05)
    assert (row.ratio_low, row.ratio_high) == (None, None)  # no spread at all claims no certainty
    assert row.ci_low < row.latency_ms < row.ci_high


def test_criteria_on_latency() -> None:
    base = timed("base", "full", noise(100, 0))
    quick, slow = base + timed("safe", "full", noise(103, 0)), base + timed("safe", "full", noise(115, 0))
    assert (judged(quick).decision, judged(slow).decision) == ("go", "no-go")
    assert "times as long as the baseline, " in judged(quick).evidence
    assert "of batches (no metadata.batch of 1)" in judged(quick).evidence
    mean = {"metric": "latency_ms", "against": None}
    just_below = f"< {np.mean(noise(115, 0)) - 1:.1f}"
    assert judged(quick, **mean, bound=just_below).decision == "go"
    assert judged(slow, **mean, bound=just_below).decision == "no-go"
    assert judged(slow, **mean, bound=just_below, use="ci_low").decision == "go"


def test_answers_without_a_latency_are_not_measured() -> None:
    base, safe = timed("base", "full", noise(100, 0)), timed("safe", "full", noise(100, 1))
    some = [msgspec.structs.replace(r, latency_ms=None) if n < 3 else r for n, r in enumerate(safe)]
    for fields in ({}, {"metric": "latency_ms", "against": None}):
        found = judged(base + some, **fields)
        assert (found.decision, "without 'latency_ms': 3 more" in found.evidence) == ("not measured", True)
    failed = [msgspec.structs.replace(r, error="e", answer=None) if n < 3 else r for n, r in enumerate(safe)]
    assert judged(base + failed, metric="latency_ms", against=None, bound="> 0").decision == "go"


def test_one_by_one_is_not_compared_with_batches() -> None:
    base, safe = noise(100, 0), noise(100, 1)
    alone = timed("base", "full", base, metadata={"batch": 1})
    found = judged(alone + timed("safe", "full", safe))
    assert found.decision == "not measured"
    assert "one of both was answered in batches and the other one by one" in found.evidence
    both = judged(alone + timed("safe", "full", safe, metadata={"batch": 1}))
    assert (both.decision, "of batches" in both.evidence) == ("go", False)


def test_no_latencies_no_rows() -> None:
    assert latency(answers("safe", "full", lambda clip, hears: True, clips=3)) == {}
