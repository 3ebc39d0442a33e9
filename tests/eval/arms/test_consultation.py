"""Consultation: shares of answers that used the sound, of those that say so."""

import msgspec
import pytest
from made_rows import answers, row

from safe_eval.arms.arm import make_arms
from safe_eval.arms.consultation import consultation_arms, consultation_notes
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=200)


def gated(condition: str, wrongly: int, **fields: object) -> list[Prediction]:
    """Always consulted for sounds, and for the pictures of the first clips."""
    return [
        msgspec.structs.replace(r, consulted=bool(r.needs_audio) or int(r.record_id[1:]) < wrongly)
        for r in answers("safe", condition, lambda clip, needs_audio: True, clips=20, **fields)
    ]


def test_shares_by_slice_and_condition() -> None:
    rows = gated("full", 1) + gated("swap_audio", 4)
    scores = score_predictions(rows, QUICK)
    found = {(m.metric, m.condition, m.slice): m for m in scores.metrics}
    assert found["consulted", "full", "audio"].value == 1.0
    assert found["consulted", "full", "vl"].value == pytest.approx(0.05)  # the false consultation rate
    assert found["skipped", "full", "vl"].value == pytest.approx(0.95)
    assert found["consulted", "swap_audio", "vl"].value == pytest.approx(0.2)  # irrelevance stress
    assert found["consulted", "full", "type:colour"].value == pytest.approx(0.05)
    vl = found["consulted", "swap_audio", "vl"]
    assert (vl.n, vl.clusters, vl.interval) == (20, 20, "clustered score")
    assert 0 <= vl.ci_low < 0.2 < vl.ci_high
    changed = [
        c for c in scores.comparisons if (c.metric, c.slice, c.b) == ("consulted", "vl", "safe/swap_audio")
    ]
    assert [(c.a, c.difference, c.gained, c.lost) for c in changed] == [
        ("safe/full", pytest.approx(-0.15), 0, 3)
    ]


def test_consultation_takes_no_part_in_coverage() -> None:
    scores = score_predictions(gated("full", 1), QUICK)
    assert (scores.coverage["full"].expected, scores.coverage["full"].answered) == (40, 40)


def test_rows_that_do_not_say_or_failed_are_left_out_and_counted() -> None:
    rows = gated("full", 1)
    rows[0] = msgspec.structs.replace(rows[0], consulted=None)
    rows[2] = msgspec.structs.replace(rows[2], answer=None, error="RuntimeError: out of memory")
    scored = consultation_arms(make_arms(rows))
    assert [len(arm.scores) for arm in scored["consulted"]] == [38]
    assert list(consultation_notes(make_arms(rows))) == [
        "2 of 40 rows of safe/full, seed 0, failed or do not say whether the sound was consulted: they are "
        "not in consulted and skipped"
    ]
    assert set(consultation_notes(make_arms(rows))) <= set(score_predictions(rows, QUICK).notes)


def test_models_that_never_say_have_no_rate() -> None:
    assert consultation_arms(make_arms([row()])) == {}
    assert list(consultation_notes(make_arms([row()]))) == []
    assert {m.metric for m in score_predictions([row()], QUICK).metrics} == {"vqa_accuracy"}
