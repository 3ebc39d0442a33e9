"""Drift: the metrics of a case counted by hand, what is shown of a limit, and the words for it."""

from pathlib import Path

import numpy as np
import pytest

from safe_eval.statistics.paired_score import items_that_show, score_bounds
from safe_train.retention.drift import (
    drift_line,
    drift_metrics,
    drift_table,
    drifts,
    largest_drift,
    shown_above,
    stop_message,
)


def metrics(irrelevant: tuple[int, int], silent: tuple[int, int] = (0, 0), n: int = 200) -> dict[str, float]:
    """An evaluation of n unrelated questions, half of them right, of which so many were lost and gained."""
    base = np.arange(n) < n // 2
    found = {"audio_accuracy": 0.75, "vl_questions": float(n)}
    for case, (lost, gained) in (("vl", irrelevant), ("vl_silent", silent)):
        right = base.copy()
        right[:lost], right[n - gained :] = False, True
        found |= drift_metrics(case, base, right, np.arange(n), kl=0.01)
    return found


def test_a_case_is_counted_by_hand() -> None:
    found = metrics((8, 2))
    assert (found["vl_accuracy"], found["vl_drift"], found["vl_flips"]) == (0.47, 0.03, 0.05)
    assert found["vl_kl"] == 0.01
    low, high = score_bounds(8, 2, 200)
    assert (found["vl_drift_low"], found["vl_drift_high"]) == pytest.approx((low, high), abs=1e-3)
    back, silent = drifts(found)
    assert (back.heard, back.loss.lost, back.loss.gained, back.loss.n) == ("an irrelevant sound", 8, 2, 200)
    assert (silent.heard, silent.loss.loss) == ("silence", 0.0)
    assert largest_drift(found) == 0.03
    assert drifts({"audio_accuracy": 0.5}) == []
    assert largest_drift({}) == 0.0


@pytest.mark.parametrize(
    ("irrelevant", "silent", "above"),
    [
        ((4, 0), (0, 0), []),  # 2 points, by the estimate: four unlucky questions
        ((5, 0), (0, 0), ["an irrelevant sound"]),
        ((0, 5), (5, 0), ["silence"]),
        ((60, 50), (0, 0), []),  # many flips show nothing
    ],
)
def test_only_what_is_shown_counts(
    irrelevant: tuple[int, int], silent: tuple[int, int], above: list[str]
) -> None:
    assert [one.heard for one in shown_above(metrics(irrelevant, silent), 0.01)] == above
    assert shown_above(metrics((100, 0)), None) == []


def test_the_line_of_an_evaluation() -> None:
    line = "VL drift in points 2.5 [1.1, 5.1] with an irrelevant sound, -1.0 [-3.0, 0.4] with silence"
    assert drift_line(metrics((5, 0), (0, 2))) == line
    assert drift_line({"audio_accuracy": 0.5}) == ""


def test_the_table_says_what_is_shown() -> None:
    assert drift_table(metrics((1, 1)), None) == [
        "VL, an irrelevant sound  accuracy 0.500, drift 0.0 points [-1.8, 1.8], KL 0.01",
        "VL, silence              accuracy 0.500, drift 0.0 points [-1.3, 1.3], KL 0.01",
    ]
    needed = items_that_show(drifts(metrics((1, 1)))[0].loss, 0.01)
    assert needed is not None
    assert score_bounds(needed / 200, needed / 200, needed)[1] < 0.01
    assert drift_table(metrics((1, 1)), 0.01)[-1] == (
        f"200 questions cannot show that VL drift is within 1 point; about {needed} would"
    )
    assert drift_table(metrics((2, 0)), 0.01)[-1] == (
        "200 questions cannot show that VL drift is within 1 point; as much as that was lost in them"
    )
    assert drift_table(metrics((0, 0)), 0.02)[-1] == (
        "VL drift is shown to be within 2 points (one-sided 95 % bound, 200 questions)"
    )
    assert (
        drift_table(metrics((20, 0)), 0.01)[-1] == "VL drift is not within 1 point with an irrelevant sound"
    )
    assert drift_table({"audio_accuracy": 0.5}, 0.01) == []


def test_why_a_run_was_stopped() -> None:
    evaluations = [{"step": 100.0} | metrics((1, 0)), {"step": 200.0} | metrics((4, 0), (20, 0))]
    low = 100 * evaluations[1]["vl_silent_drift_low"]
    what_to_do = (
        "  raise --kl-weight, give vl a larger weight, or lower the learning rates; to train on all\n"
        "  the same, raise --drift-stop (null: never stop); both need another folder, or --force"
    )
    why = (
        "out: stopped after step 200, because VL questions lose 10.0 points with silence\n"
        f"  (one-sided 95 % bound: at least {low:.1f}; --drift-stop is 1 point)\n"
    )
    assert stop_message(Path("out"), evaluations, 0.01, 100) == (
        f"{why}  the adapter is the best state before, of step 100: audio accuracy 0.750, drift 0.5 points\n"
        f"{what_to_do}"
    )
    none = "  no adapter is written: each evaluation showed as much\n"
    assert stop_message(Path("out"), evaluations, 0.01, None) == f"{why}{none}{what_to_do}"
