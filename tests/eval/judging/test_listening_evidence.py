"""What criteria can ask of a gate, of an irrelevant sound and of one that contradicts."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from made_gated_rows import gated
from made_rows import row, scored

from safe_eval.judging.criterion import Criterion, parse_criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction

QUICK = Sampling(resamples=100)
FULL = {"condition": "safe/full"}


def asked(metric: str, bound: str, **fields: Any) -> Criterion:
    found = parse_criterion({"name": "asked", "metric": metric, "bound": bound} | FULL | fields)
    assert isinstance(found, Criterion), found
    return found


def judged(rows: Sequence[Prediction], metric: str, bound: str, **fields: Any) -> Judged:
    return judge(asked(metric, bound, **fields), scored(rows, QUICK))


@pytest.mark.parametrize(
    ("metric", "fields", "value"),
    [
        ("drop", {"slice": "audio"}, 0.01),
        ("drop", {"slice": "audio", "against": "safe_always_on/full"}, 0.01),
        ("helped", {"slice": "audio", "use": "ci_low", "against": "safe/gate_off"}, 0.65),
        ("harmed", {"slice": "vl"}, 0.005),
        ("influenced", {"slice": "vl"}, 0.005),
        ("false_consultation", {"slice": "vl"}, 0.03),
        ("mean_audio_tokens", {"slice": "audio"}, 2.8),
        ("gate_ms_p50", {}, 0.02),
        ("latency_p95_ratio", {"against": "base/full"}, 1.3),
        ("break_even_skips", {}, 0.4),
    ],
)
def test_each_measure_can_be_asked_for(metric: str, fields: dict[str, Any], value: float) -> None:
    rows = gated()
    meets = ">= 0.001" if fields.get("use") == "ci_low" else f"<= {value + 1e-6}"
    found = judged(rows, metric, meets, **fields)
    assert (found.decision, found.value) == ("go", pytest.approx(value)), found.evidence
    assert judged(rows, metric, f"<= {value - 1e-4:.5f}", **fields | {"use": "value"}).decision == "no-go"


def test_the_limit_decides_where_it_is_asked_for() -> None:
    found = judged(gated(), "false_consultation", "<= 0.05", slice="vl", use="limit")
    assert (found.decision, found.value) == ("no-go", pytest.approx(0.03))
    assert found.limit is not None
    assert 0.05 < found.limit < (found.ci_high or 0)
    assert found.ends == (None, found.limit)
    assert "one-sided at most" in found.evidence
    rare = judged(gated(false_vl=1, harmed=0), "false_consultation", "<= 0.05", slice="vl", use="limit")
    assert rare.decision == "go"
    often = judged(gated(), "helped", ">= 0.5", slice="audio", use="limit")
    assert (often.decision, often.ends) == ("go", (often.limit, None))


def test_over_seeds_where_there_are_several() -> None:
    rows = [r for seed in (0, 1, 2) for r in gated(seed=seed, lost=2 + seed)]
    found = judged(rows, "drop", "<= 0.05", slice="audio", use="limit")
    assert (found.value, found.seeds) == (pytest.approx(0.015), (0, 1, 2))
    each = judged(rows, "drop", "<= 0.016", slice="audio")
    assert (each.decision, each.value) == ("no-go", pytest.approx(0.02))  # the worst seed
    lacking = [r for r in rows if (r.model, r.seed) != ("safe_always_on", 2)]
    assert judged(lacking, "drop", "<= 0.05", slice="audio", use="limit").decision == "not measured"


def test_what_is_not_there_is_not_measured() -> None:
    alone = [r for r in gated() if r.model != "safe_always_on"]
    found = judged(alone, "drop", "<= 0.01", slice="audio", use="limit")
    assert found.decision == "not measured"
    assert "no model is called safe_always_on" in found.evidence
    rows = gated()
    place = next(i for i, r in enumerate(rows) if (r.model, r.needs_audio) == ("safe_always_on", True))
    found = judged([*rows[:place], *rows[place + 1 :]], "drop", "<= 0.5", slice="audio")
    assert (found.decision, "1 were answered by one side only" in found.evidence) == ("not measured", True)
    silent = [msgspec.structs.replace(r, consulted=None) for r in rows]
    found = judged(silent, "influenced", "<= 0.5")
    assert (found.decision, "says whether the sound was 'consulted'" in found.evidence) == (
        "not measured",
        True,
    )


def test_a_dataset_of_captions_has_no_drop_and_is_not_asked_for_one() -> None:
    captions = [
        row(
            f"k{clip}",
            "a dog barks at night",
            references=("a dog barks at night",),
            task="caption",
            dataset="heard",
            group=f"k{clip}",
            needs_audio=True,
            model=model,
        )
        for clip in range(6)
        for model in ("base", "safe")
    ]
    found = judged([*gated(), *captions], "drop", "<= 0.05", slice="audio")
    assert (found.decision, found.value) == ("go", pytest.approx(0.01)), found.evidence


def test_changed_answers_beside_another_sound_and_contradictions() -> None:
    rows = gated(false_vl=0, harmed=0)
    safe = [r for r in rows if (r.model, r.condition) == ("safe", "full")]
    swapped = [
        msgspec.structs.replace(
            r, condition="swap_audio", answer="no" if r.example_id == "c0-vl" else r.answer
        )
        for r in safe
    ]
    sides = {"condition": "safe/swap_audio", "against": "safe/full", "slice": "vl"}
    found = judged([*rows, *swapped], "answers_changed_share", "<= 0.05", **sides, use="limit")
    assert (found.decision, found.value) == ("go", pytest.approx(1 / 200)), found.evidence
    against = [
        msgspec.structs.replace(
            r, condition="contradict", metadata={"contradicts": "no"}, answer="no" if i % 4 == 0 else "yes"
        )
        for i, r in enumerate(r for r in safe if r.needs_audio is False)
    ]
    where = {"condition": "safe/contradict", "slice": "vl"}
    for metric, value in (("follows_sound", 0.25), ("follows_picture", 0.75), ("follows_neither", 0.0)):
        found = judged([*rows, *against], metric, "<= 0.9", **where)
        assert (found.decision, found.value) == ("go", pytest.approx(value)), found.evidence


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "false_consultation"}, "is computed on the slices vl, not on 'all'"),
        ({"metric": "latency_p50", "slice": "vl"}, "is computed on the slices all, not on 'vl'"),
        ({"metric": "latency_p50", "use": "ci_high"}, "latency_p50 has no interval"),
        (
            {"metric": "vqa_accuracy", "use": "limit"},
            "vqa_accuracy has no one-sided limit; false_consultation",
        ),
        (
            {"metric": "helped", "use": "limit"},
            "the limit of helped is the lower one; give a bound such as '>= 0.01'",
        ),
        ({"metric": "answers_changed_share", "slice": "vl"}, "compares two arms; give 'against'"),
        ({"metric": "follows_sound"}, "for example condition: safe/contradict"),
        (
            {"metric": "follows_sound", "condition": "safe/contradict", "over": "seeds"},
            "has no mean over seeds",
        ),
        ({"metric": "drop", "use": "non_inferiority"}, "so it has no equivalence interval"),
    ],
)
def test_what_cannot_be_asked_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in str(parse_criterion({"name": "asked", "bound": "<= 0.1"} | FULL | fields))
