"""Gates: planted skips, drops and times are found; nothing depends on the order of rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_gated_rows import CLIPS, TOKENS, WRONG, gated
from made_rows import good_run, shuffled

from safe_data.core.table import COLUMNS
from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.gate_row import GateRow
from safe_eval.results.gates import gate_rows
from safe_eval.results.irrelevance import irrelevance_rows
from safe_eval.scoring.score import score_predictions
from safe_eval.text.scores_text import scores_table

QUICK = Sampling(resamples=200)
replace = msgspec.structs.replace


def gates(rows: Sequence[Prediction], **where: Any) -> dict[tuple[str, str], GateRow]:
    """The rows of one model and seed under full, by measure and slice."""
    where = {"model": "safe", "condition": "full", "seed": 0} | where
    arms = all_arms(rows)
    return {
        (row.measure, row.slice): row
        for row in gate_rows(arms, QUICK, tuple(irrelevance_rows(arms, QUICK)))
        if all(getattr(row, name) == value for name, value in where.items())
    }


def safe_rows(rows: Sequence[Prediction], **fields: Any) -> list[Prediction]:
    """The rows with other fields of the gated model under full."""
    return [replace(r, **fields) if (r.model, r.condition) == ("safe", "full") else r for r in rows]


def test_planted_numbers_are_found() -> None:
    found = gates(gated(skipped=60, lost=2, false_vl=6, harmed=1))
    values = {key: row.value for key, row in found.items()}
    n = CLIPS
    assert values["skipped", "audio"] == pytest.approx(60 / n)
    assert values["skipped", "vl"] == pytest.approx(1 - 6 / n)
    assert values["false_consultation", "vl"] == pytest.approx(6 / n)
    assert values["drop", "audio"] == pytest.approx(2 / n)
    assert values["drop", "vl"] == pytest.approx(1 / n)
    assert values["drop", "all"] == pytest.approx(3 / (2 * n))
    assert values["helped", "audio"] == pytest.approx((n - WRONG - 60) / n)
    assert (values["harmed", "audio"], values["harmed", "vl"]) == (0.0, pytest.approx(1 / n))
    assert values["influenced", "audio"] == pytest.approx((n - 60) / n)
    assert values["influenced", "vl"] == pytest.approx(1 / n)  # five more were consulted, and moved little
    assert values["mean_audio_tokens", "audio"] == pytest.approx(TOKENS * (n - 60) / n)
    assert (values["gate_ms_p50", "all"], values["latency_p50", "all"]) == (0.02, 10.5)
    assert (values["latency_p95", "all"], values["latency_p95_ratio", "all"]) == (13.0, pytest.approx(1.3))
    assert values["break_even_skips", "all"] == pytest.approx(1 / 2.5)  # 1 ms more, or 1.5 ms saved
    assert found["drop", "audio"].against == "safe_always_on/full"
    assert found["helped", "audio"].against == "safe/gate_off"
    assert found["influenced", "all"].by == "influence_kl"


def test_limits_are_one_sided_and_on_the_side_that_matters() -> None:
    found = gates(gated())
    for measure, sliced, side in (
        ("skipped", "audio", "low"),
        ("helped", "audio", "low"),
        ("false_consultation", "vl", "high"),
        ("drop", "audio", "high"),
        ("harmed", "vl", "high"),
    ):
        row = found[measure, sliced]
        assert row.limit is not None
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.value is not None
        if side == "low":
            assert row.ci_low < row.limit < row.value
        else:
            assert row.value < row.limit < row.ci_high


def test_false_consultation_is_that_of_irrelevance_and_skipped_that_of_the_metrics() -> None:
    rows = gated()
    noise = [replace(r, condition="noise_audio") for r in rows if (r.model, r.condition) == ("safe", "full")]
    scores = score_predictions([*rows, *noise], QUICK)
    for condition in ("full", "noise_audio"):
        (ours,) = [
            r
            for r in scores.gates
            if (r.measure, r.model, r.condition) == ("false_consultation", "safe", condition)
        ]
        (theirs,) = [
            r
            for r in scores.irrelevance
            if (r.measure, r.model, r.condition, r.sound) == ("false_consultation", "safe", condition, "all")
        ]
        numbers = ("value", "ci_low", "ci_high", "limit", "n", "clusters")
        assert [getattr(ours, name) for name in numbers] == [getattr(theirs, name) for name in numbers]
    skipped = {
        r.slice: r for r in scores.metrics if (r.metric, r.model, r.condition) == ("skipped", "safe", "full")
    }
    for row in scores.gates:
        if (row.measure, row.model) == ("skipped", "safe"):
            assert (row.value, row.ci_low, row.ci_high) == (
                skipped[row.slice].value,
                skipped[row.slice].ci_low,
                skipped[row.slice].ci_high,
            )


@settings(max_examples=8, deadline=None)
@given(skipped=st.integers(0, 40), false=st.integers(0, 40), seed=st.integers(0, 99))
def test_the_order_of_rows_changes_nothing_and_shares_fit_together(
    skipped: int, false: int, seed: int
) -> None:
    rows = gated(clips=40, skipped=skipped, lost=min(2, skipped), false_vl=false, harmed=min(1, false))
    found = gates(rows)
    assert gates(shuffled(rows, seed)) == found
    for name in ("audio", "vl"):
        accuracy = {
            arm.key.model: arm.scores[arm.inside(name)].mean()
            for arm in all_arms(rows).judged["vqa_accuracy"]
            if arm.key.condition == "full"
        }
        lost = found["drop", name].value
        assert lost == pytest.approx(accuracy["safe_always_on"] - accuracy["safe"])
        net = (found["helped", name].value or 0) - (found["harmed", name].value or 0)
        assert net == pytest.approx(accuracy["safe"] - accuracy["base"])


def test_a_twin_of_another_seed_is_another_checkpoint() -> None:
    of_two = [r for seed in (0, 1) for r in gated(seed=seed)]
    rows = [r for r in of_two if (r.model, r.seed) != ("safe_always_on", 1)]
    assert ("drop", "audio") in gates(rows)
    assert ("drop", "audio") not in gates(rows, seed=1)


def test_a_gate_that_always_listens_is_always_on() -> None:
    found = gates(gated(skipped=0, lost=0, false_vl=CLIPS, harmed=0))
    for name in ("all", "audio", "vl"):
        assert found["drop", name].value == 0.0
        assert found["skipped", name].value == 0.0
        assert found["mean_audio_tokens", name].value == TOKENS
    twin = gates(gated(skipped=0, lost=0, false_vl=CLIPS, harmed=0), model="safe_always_on")
    assert [twin[m, "all"].value for m in ("helped", "harmed")] == [
        found[m, "all"].value for m in ("helped", "harmed")
    ]
    assert ("drop", "all") not in twin
    assert found["break_even_skips", "all"].why_not == (
        "it needs timed answers that skipped the sound and some that consulted it"
    )


def test_without_a_divergence_the_muted_answer_tells() -> None:
    rows = safe_rows(gated(), influence_kl=None)
    assert ("influenced", "all") not in gates(rows)
    muted = [
        replace(r, condition="mute_audio", answer="no")
        for r in rows
        if (r.model, r.condition) == ("safe", "full")
    ]
    row = gates([*rows, *muted])["influenced", "audio"]
    assert row.by == "answer changed against mute_audio"
    right = sum(
        r.answer == "yes" for r in rows if (r.model, r.condition, r.needs_audio) == ("safe", "full", True)
    )
    assert row.value == pytest.approx(right / CLIPS)


def test_what_is_missing_is_counted_or_named() -> None:
    rows = [r for r in gated() if r.model != "safe_always_on"]
    lone = gates(rows)
    assert lone["drop", "all"].value is None
    assert lone["drop", "all"].why_not == (
        "no model is called safe_always_on: answer with the gate always open under this name"
    )
    first = next(
        i for i, r in enumerate(rows) if (r.model, r.consulted, r.needs_audio) == ("safe", True, True)
    )
    rows[first] = replace(rows[first], influence_kl=None)
    assert gates(rows)["influenced", "audio"].unsaid == 1
    rows[first] = replace(rows[first], answer=None, error="timeout")
    failed = gates(rows)
    assert [failed[m, "audio"].unsaid for m in ("skipped", "influenced", "mean_audio_tokens")] == [1, 1, 1]
    batched = gates([replace(r, metadata={"batch": 8}) for r in gated()])
    assert batched["latency_p50", "all"].one_by_one is False
    for measure in ("latency_p50_ratio", "break_even_skips"):
        assert "a batch mean cannot show a skip" in str(batched[measure, "all"].why_not)
    dear = gates(safe_rows(gated(), latency_ms=50.0))
    assert (
        dear["break_even_skips", "all"].why_not
        == "a skip takes as long as an answer with the gate always open"
    )


def test_seeds_are_combined_where_they_answered_the_same() -> None:
    rows = [r for seed in (0, 1, 2) for r in gated(seed=seed, lost=2 + seed)]
    over = gates(rows, seed=None)
    assert over["drop", "audio"].of_each_seed == pytest.approx((0.01, 0.015, 0.02))
    assert over["drop", "audio"].value == pytest.approx(0.015)
    one = gates(rows)["drop", "audio"]
    limits = [over["drop", "audio"].limit, one.limit]
    assert None not in limits
    assert over["false_consultation", "vl"].seeds == (0, 1, 2)
    assert over["latency_p50", "all"].of_each_seed == (10.5, 10.5, 10.5)
    apart = [r for r in rows if r.seed != 2 or r.example_id != "c5-audio"]
    assert ("drop", "audio") not in gates(apart, seed=None)


def test_models_that_say_nothing_of_a_gate_have_no_row() -> None:
    assert score_predictions(good_run(20), QUICK).gates == ()
    quiet = [replace(r, consulted=None) for r in gated()]
    assert score_predictions(quiet, QUICK).gates == ()
    assert not [row for row in score_predictions(gated(), QUICK).gates if row.model == "base"]


def test_numbers_are_finite() -> None:
    for row in score_predictions(gated(clips=3, skipped=1, lost=0, false_vl=1, harmed=0), QUICK).gates:
        numbers = [n for n in (row.value, row.ci_low, row.ci_high, row.limit) if n is not None]
        assert np.isfinite(numbers).all()
        assert (row.value is None) == (row.why_not is not None)


def test_the_text_fits_80_columns_and_says_what_the_row_says() -> None:
    rows = [r for seed in (0, 1) for r in gated(seed=seed, lost=2 + seed)]
    long = [replace(r, model=r.model.replace("safe", "organisation-Vision-13B-instruct")) for r in rows]
    for made in (rows, long):
        lines = list(scores_table(score_predictions(made, QUICK)))
        assert max(map(len, lines)) <= COLUMNS
    lines = list(scores_table(score_predictions(rows, QUICK)))
    start = lines.index("when safe listens on made, over seeds 0, 1")
    block = lines[start : lines.index("", start)]
    (skipped,) = (line for line in block if "skipped on audio" in line)
    assert skipped.split()[3] == "0.300"
    (drop,) = (line for line in block if "drop against always on on audio" in line)
    assert "+0.013" in drop or "+0.012" in drop
    assert not [line for line in lines if "when safe listens on made, seed" in line]
    (twin,) = (place for place, line in enumerate(lines) if line.startswith("when safe_always_on listens"))
    assert not [line for line in lines[twin : lines.index("", twin)] if "skipped" in line]
    lone = list(scores_table(score_predictions([r for r in gated() if r.model != "safe_always_on"], QUICK)))
    assert "not measured: no model is called safe_always_on" in " ".join(" ".join(lone).split())
