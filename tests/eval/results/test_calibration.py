"""Confidences: each arm's calibration equals that of `calibration`, in a fraction of its time."""

import time

import msgspec
import numpy as np
import pytest
from made_rows import row, shuffled

from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.calibration import calibration_notes, calibration_rows, confident_answers
from safe_eval.results.metrics import Metric
from safe_eval.statistics.bootstrap import cluster_totals, resampled_totals
from safe_eval.statistics.calibration.calibration import calibration
from safe_eval.statistics.calibration.ece_interval import draw_totals

QUICK = Sampling(resamples=2_000)


def made(n: int = 400, *, humans: int = 1, seed: int = 0, **fields: object) -> list[Prediction]:
    """Overconfident answers, two of a clip; of ten humans, some say yes, so that yes is right to a share."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        sure = float(rng.random())
        answer = "yes" if rng.random() < sure**2 else "no"
        said = int(rng.integers(1, humans + 1))
        references = ("yes",) * said + ("maybe",) * (humans - said)
        rows.append(
            row(f"q{i}", answer, references=references, group=f"g{i // 2}", confidence=sure, **fields)
        )
    return rows


def arms(rows: list[Prediction]) -> Arms:
    return all_arms(rows, metrics=("exact_match",))


def found(rows: list[Prediction]) -> dict[str, Metric]:
    return {m.metric: m for m in calibration_rows(arms(rows), QUICK)}


@pytest.mark.parametrize("humans", [1, 10])
def test_values_and_intervals_are_those_of_calibration(humans: int) -> None:
    rows = made(humans=humans)
    quick, slow = found(rows), calibration(next(iter(confident_answers(arms(rows).judged).values())), QUICK)
    for name in ("ece", "brier", "nll", "confidence"):
        reference = getattr(slow, name)
        assert quick[name].value == pytest.approx(reference.value, abs=1e-12)
        ends = [reference.interval.low, reference.interval.high]
        assert [quick[name].ci_low, quick[name].ci_high] == pytest.approx(ends, abs=0.006)
        assert quick[name].interval == reference.interval.method
        assert (quick[name].slice, quick[name].n, quick[name].clusters) == ("all", 400, 200)
    assert quick["ece"].stderr is None
    assert quick["brier"].stderr > 0


def test_a_share_of_right_is_what_honest_confidence_expects() -> None:
    """Of ten humans two say yes: worth 0.6. Who says so with 60 % is honest, who says 100 % is off by 40."""
    two_of_ten = ("yes", "yes", *("maybe",) * 8)
    rows = [row(f"q{i}", references=two_of_ten, confidence=sure) for sure in (0.6,) for i in range(30)]
    assert found(rows)["ece"].value == pytest.approx(0.0, abs=1e-9)
    certain = [msgspec.structs.replace(r, confidence=1.0) for r in rows]
    assert found(certain)["ece"].value == pytest.approx(0.4)


def test_only_what_is_right_or_wrong_counts_and_only_once() -> None:
    """`exact_match` judges the same answers again, and captions are no shares of right."""
    caption = row("c", "a dog", task="caption", group="g0", confidence=0.5)
    measured = found([*made(), caption])
    assert measured["ece"].n == 400
    assert list(measured) == ["ece", "brier", "nll", "confidence"]


def test_questions_and_classes_of_one_dataset_are_one_arm() -> None:
    rows = made(40) + [row(f"c{i}", "yes", task="classify", group=f"g{i}", confidence=0.9) for i in range(10)]
    assert found(rows)["ece"].n == 50


def test_answers_that_failed_or_say_nothing_are_counted_out() -> None:
    rows = made(20)
    rows[0] = msgspec.structs.replace(rows[0], confidence=None)
    rows[1] = msgspec.structs.replace(rows[1], answer=None, error="RuntimeError: out of memory")
    calibrated = calibration_rows(arms(rows), QUICK)
    assert {m.n for m in calibrated} == {18}
    assert list(calibration_notes(arms(rows))) == [
        "18 of 20 answers of model/full, seed 0, state a confidence: calibration is of these alone"
    ]
    assert calibration_rows(arms([row()]), QUICK) == []


def test_always_right_and_always_sure_is_not_beyond_doubt() -> None:
    sure = [row(f"q{i}", confidence=1.0) for i in range(100)]
    ece = found(sure)["ece"]
    assert (ece.value, ece.ci_low, ece.interval) == (0.0, 0.0, "wilson")
    assert ece.ci_high == pytest.approx(0.037, abs=0.001)
    single = found([row(confidence=1.0)])["ece"]
    assert (single.value, single.ci_low, single.ci_high, single.interval) == (0.0, None, None, None)


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert found(shuffled(made(60))) == found(made(60))


def test_duplicated_items_do_not_shrink_intervals() -> None:
    rows = made(100)
    twice = rows + [msgspec.structs.replace(r, example_id=f"{r.example_id}b") for r in rows]
    once, again = found(rows)["ece"], found(twice)["ece"]
    assert (again.value, again.clusters) == (pytest.approx(once.value), once.clusters)
    assert again.ci_high - again.ci_low == pytest.approx(once.ci_high - once.ci_low, rel=1e-6)


def test_resamples_of_very_many_clusters_are_normal() -> None:
    columns = np.random.default_rng(0).exponential(size=(5000, 3))
    totals = cluster_totals(columns, np.arange(5000))
    quick, slow = draw_totals(totals, QUICK), resampled_totals(totals, QUICK)
    assert quick.mean(axis=0) == pytest.approx(slow.mean(axis=0), rel=0.002)
    assert quick.std(axis=0) == pytest.approx(slow.std(axis=0), rel=0.06)
    for level in (0.025, 0.975):
        ends = np.quantile(quick, level, axis=0), np.quantile(slow, level, axis=0)
        assert ends[0] == pytest.approx(ends[1], rel=0.003)


def test_very_many_answers_cost_little() -> None:
    rows = made(20_000)
    scored = arms(rows)
    start = time.process_time()
    measured = calibration_rows(scored, Sampling())
    assert time.process_time() - start < 1.0
    assert measured[0].interval == "mirrored cluster bootstrap, normal limit"
