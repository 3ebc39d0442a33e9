"""Evidence: no run looks better by leaving rows or fields out, and no criterion by asking for less."""

import math

import msgspec
import pytest
from made_rows import good_run, row, scored
from made_success import stated

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.judging.metric_names import METRICS
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.scoring.scores import Scores

QUICK = Sampling(resamples=200)
GAIN = {"metric": "vqa_accuracy", "slice": "audio", "condition": "safe/full", "against": "safe/mute_audio"}
FALSE = {"metric": "consulted", "slice": "vl", "condition": "safe/full", "bound": "<= 0.05"}


def run(clips: int = 40) -> list[Prediction]:
    return [stated(row) for row in good_run(clips)]


def scores(rows: list[Prediction]) -> Scores:
    return scored(rows, QUICK)


def judged(rows: list[Prediction], **fields: str) -> Judged:
    return judge(Criterion(**{"name": "it", "bound": "> 0"} | fields), scores(rows))


def test_leaving_out_the_hard_examples_is_no_gain() -> None:
    rows = [r for r in run() if not (r.model == "safe" and r.condition == "full" and r.answer == "no")]
    found = judged(rows, **GAIN)
    assert found.decision == "not measured"
    assert "not every example was answered by both" in found.evidence
    assert "only by safe/mute_audio" in found.evidence


def test_saying_consulted_only_where_it_looks_well_is_not_measured() -> None:
    rows = run()
    used = [msgspec.structs.replace(r, consulted=True) if r.record_id == "c3" else r for r in rows]
    assert judged(rows, **FALSE).decision == "go"
    assert judged(used, **FALSE).value == pytest.approx(1 / 40)
    assert judged(used, **FALSE | {"bound": "<= 0.02"}).decision == "no-go"
    hidden = [msgspec.structs.replace(r, consulted=None) if r.record_id == "c3" else r for r in rows]
    found = judged(hidden, **FALSE)
    assert (found.decision, found.value) == ("not measured", None)
    assert "without 'consulted': 1 more" in found.evidence


def test_false_consultation_is_judged_by_the_end_of_its_interval() -> None:
    few = judged(run(40), **FALSE, use="ci_high")
    assert (few.decision, few.value) == ("no-go", 0.0)  # 40 clips cannot show that it is rare
    assert judged(run(100), **FALSE, use="ci_high").decision == "go"


def test_confidence_stated_only_of_right_answers_is_not_measured() -> None:
    rows = [msgspec.structs.replace(r, confidence=None) if r.answer == "no" else r for r in run()]
    found = judged(rows, metric="ece", condition="safe/full", bound="< 0.2")
    assert found.decision == "not measured"
    assert "without 'confidence': " in found.evidence
    assert any("state a confidence: calibration is of these alone" in note for note in scores(rows).notes)


def test_drift_of_some_examples_is_not_measured() -> None:
    drift = {"metric": "kl_nats", "slice": "vl", "condition": "safe/full", "against": "base/full"}
    rows = run()
    assert judged(rows, **drift, bound="<= 0.05").decision == "go"
    some = [msgspec.structs.replace(r, choice_probabilities=None) if r.record_id == "c3" else r for r in rows]
    found = judged(some, **drift, bound="<= 0.05")
    assert found.decision == "not measured"
    assert "1 examples lack choice_probabilities" in found.evidence
    none = [msgspec.structs.replace(r, choice_probabilities=None) for r in rows]
    assert "gives no choice_probabilities" in judged(none, **drift, bound="<= 0.05").evidence


def test_one_item_has_a_value_and_no_interval() -> None:
    one = [stated(row("q1", dataset="made", needs_audio=False, group="g", model="safe"))]
    for use in ("ci_low", "ci_high"):
        assert judged(one, metric="vqa_accuracy", condition="safe/full", use=use).decision == "not measured"
        assert judged(one, metric="ece", condition="safe/full", use=use).decision == "not measured"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "vqa_accuracy", "slice": "type:colours"}, "slices are all, audio, vl, type:colour"),
        ({"metric": "vqa_accuracy", "slice": "class:speech"}, "no safe/full on slice class:speech"),
        ({"metric": "gqa_accuracy"}, "no safe/full on slice all: they hold vqa_accuracy, consulted"),
        ({"metric": "exact_match"}, "no exact_match of safe/full on slice all: they hold vqa_accuracy"),
        ({"metric": "vqa_accuracy", "condition": "safe/noise_audio"}, "they are of base/full, safe/full"),
        (GAIN | {"against": "base/noise_audio"}, "they are of base/full, safe/full"),
        (GAIN | {"against": "safe/full"}, "no safe/full against safe/full on slice audio"),
        ({"metric": "consistency"}, "gqa_accuracy judges none of the answers"),
        ({"metric": "balanced_accuracy", "condition": "other/full"}, "they are of base/full, safe/full"),
        ({"metric": "coverage", "condition": "other/full"}, "hold no coverage of other/full"),
    ],
)
def test_what_the_scores_do_not_hold_is_said(fields: dict[str, str], words: str) -> None:
    found = judged(run(12), **{"condition": "safe/full"} | fields)
    assert found.decision == "not measured"
    assert words in found.evidence


def test_rows_that_do_not_say_are_named() -> None:
    rows = good_run(12)
    assert "no row says whether the sound was 'consulted'" in judged(rows, **FALSE).evidence
    ece = judged(rows, metric="ece", condition="safe/full", bound="< 0.2")
    assert "no row that is judged right or wrong has a 'confidence'" in ece.evidence


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_meets_no_bound(number: float) -> None:
    found = scores(run(12))
    forged = msgspec.structs.replace(
        found,
        metrics=tuple(msgspec.structs.replace(m, value=number, ci_low=number) for m in found.metrics),
        comparisons=tuple(msgspec.structs.replace(c, difference=number) for c in found.comparisons),
    )
    for bound in ("> 0", "< 0.5", "within 1", "== 0"):
        for use in ("value", "ci_low"):
            if bound != "within 1" or use == "value":
                alone = Criterion(
                    name="it", metric="vqa_accuracy", condition="safe/full", bound=bound, use=use
                )
                assert judge(alone, forged).decision == "not measured"
        assert judge(Criterion(name="it", bound=bound, **GAIN), forged).decision == "not measured"


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (">= -1", "no number could miss this bound"),
        ("within 1", "no number could miss this bound"),
        ("> 5", "no number could meet this bound: accuracies are fractions, 5 points are 0.05"),
    ],
)
def test_a_bound_that_decides_nothing_is_said(bound: str, words: str) -> None:
    assert words in judged(run(12), **GAIN, bound=bound).evidence
    assert "no number could" not in judged(run(12), **GAIN, bound=">= 0.05").evidence


def gqa_run(clips: int = 100, **fields: object) -> list[Prediction]:
    """A question that entails a second one about each picture; of three pictures in four both are right."""
    return [
        row(
            f"q{clip}-{nth}",
            "no" if nth and clip % 4 == 0 else "yes",
            **{"dataset": "gqa", "group": f"p{clip}", "model": "safe"} | fields,
            metadata={"entailed": [f"q{clip}-1"], "groups": {"global": "g"}},
        )
        for clip in range(clips)
        for nth in (0, 1)
    ]


def test_an_aggregate_is_judged_by_its_value_and_both_ends_of_its_interval() -> None:
    fields = {"metric": "consistency", "condition": "safe/full"}
    found = judged(gqa_run(), **fields, bound=">= 0.75")
    assert (found.decision, found.value) == ("go", 0.75)
    assert found.evidence == (
        "safe/full on all, n 100 in 100 clusters, 95 % interval [0.656, 0.828] by clustered score "
        "(gqa, seed 0); the smallest effect that so many items show is 0.086"
    )
    assert judged(gqa_run(), **fields, bound=">= 0.75", use="ci_low").decision == "no-go"
    assert judged(gqa_run(), **fields, bound="<= 0.9", use="ci_high").decision == "go"
    one = [msgspec.structs.replace(r, group="p") for r in gqa_run()]
    assert judged(one, **fields, use="ci_low").decision == "not measured"
    distribution = judged(gqa_run(), metric="distribution", condition="safe/full", bound="<= 0.1")
    assert (distribution.decision, distribution.ci_low) == ("go", None)  # 25 of 200 differ: 25² / 200 / 100
    assert "n 200, distribution has no interval (gqa, seed 0)" in distribution.evidence


def test_balanced_accuracy_is_judged() -> None:
    about = {"references": ("noise",), "task": "classify", "model": "safe"}
    noise = [row(f"n{i}", "noise" if i % 2 else "speech", group=f"n{i}", **about) for i in range(20)]
    speech = [row(f"s{i}", "speech", group=f"s{i}", **about | {"references": ("speech",)}) for i in range(80)]
    fields = {"metric": "balanced_accuracy", "condition": "safe/full"}
    assert judged(noise + speech, **fields, bound=">= 0.75").value == 0.75
    assert judged(noise + speech, **fields, bound=">= 0.6", use="ci_low").decision == "go"
    assert judged(noise + speech, **fields, bound=">= 0.7", use="ci_low").decision == "no-go"


def test_an_aggregate_that_was_not_measured_says_why() -> None:
    found = judged(gqa_run(), metric="validity", condition="safe/full", bound=">= 0")
    assert (found.decision, found.value) == ("not measured", None)
    assert "safe/full on all: 200 of 200 rows have no metadata 'valid'" in found.evidence


def test_an_aggregate_must_hold_with_every_seed_that_was_judged() -> None:
    fields = {"metric": "consistency", "condition": "safe/full", "bound": ">= 0.7"}
    second = gqa_run(seed=1)
    assert judged(gqa_run() + second, **fields).decision == "go"
    wrong = [msgspec.structs.replace(r, answer="no") if r.example_id.endswith("1") else r for r in second]
    assert judged(gqa_run() + wrong, **fields).decision == "no-go"
    muted = gqa_run(seed=1, condition="mute_audio")
    found = judged(gqa_run() + muted, **fields)
    assert found.decision == "not measured"
    assert "not measured: consistency of safe/full on slice all (gqa, seed 1)" in found.evidence
    assert judged(gqa_run() + run(12), **fields).decision == "go"  # other datasets have no consistency


def test_a_comparison_of_consultation() -> None:
    fields = GAIN | {"metric": "consulted", "against": "safe/gate_off"}
    assert judged(run(), **fields, bound=">= 0.9").decision == "go"
    hidden = [
        msgspec.structs.replace(r, consulted=None) if r.record_id == "c3" and r.needs_audio else r
        for r in run()
    ]
    found = judged(hidden, **fields, bound=">= 0.9")
    assert (found.decision, "without 'consulted': 2 more" in found.evidence) == ("not measured", True)


def test_every_metric_of_the_scores_can_be_asked_for() -> None:
    found = scores([msgspec.structs.replace(r, seed=seed) for seed in (0, 1) for r in run(12)])
    assert {m.metric for m in found.metrics} | {c.metric for c in found.comparisons} <= set(METRICS)
    assert {"cider_d", "bleu_4", "exact_match", "total_variation", "vqa_accuracy_seed_std"} <= set(METRICS)


def test_a_metric_asked_for_beside_the_protocol_is_not_counted_twice() -> None:
    rows = [msgspec.structs.replace(r, dataset="TextVQA") for r in run()]
    criterion = Criterion(**{"name": "it"} | FALSE)
    for options in (ScoreOptions(metric=("vqa_accuracy",)), ScoreOptions(protocol="vqa_accuracy")):
        found = judge(criterion, scored(rows, QUICK, options))
        assert (found.decision, found.value) == ("go", 0.0), found.evidence
