"""Verdicts: go only where every number is measured and meets its bound."""

import json
from pathlib import Path

import msgspec
import pytest
from made_rows import answers, good_run, scored

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.judging import criterion
from safe_eval.judging.criteria_file import SHIPPED, criteria_path, read_criteria
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge, overall
from safe_eval.judging.verdict import decide
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores, write_scores
from safe_eval.text.verdict_text import verdict_table

QUICK = Sampling(resamples=200)
DEMO = SHIPPED / "demo.yaml"
MARGIN = ("margin=0.06",)  # 50 clips rule out a loss of 5.2 points and no smaller one

HEARS = {"metric": "vqa_accuracy", "slice": "audio", "condition": "safe/full", "against": "safe/mute_audio"}


def judged(rows: list[Prediction], **fields: str) -> Judged:
    return judge(Criterion(**{"name": "it"} | HEARS | fields), scores(rows))


def scores(rows: list[Prediction]) -> Scores:
    return scored(rows, QUICK)


def make_run(folder: Path, rows: list[Prediction]) -> Path:
    write_predictions(folder / "predictions.jsonl", rows)
    write_scores(score_files([folder / "predictions.jsonl"], QUICK), folder)
    return folder


def criteria(folder: Path, text: str) -> Path:
    path = folder / "criteria.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_good_run_is_go_and_says_why(tmp_path: Path) -> None:
    run = make_run(tmp_path, good_run())
    verdict = decide(run, DEMO, settings=MARGIN)
    assert verdict.decision == "go"
    assert [row.decision for row in verdict.criteria] == ["go"] * 7
    content = json.loads((run / "verdict.json").read_text("utf-8"))
    assert content["decision"] == "go"
    assert {"name", "value", "ci_low", "ci_high", "bound", "decision", "evidence"} <= set(
        content["criteria"][0]
    )
    assert content["criteria"][0]["value"] == pytest.approx(0.7)
    assert content["criteria"][0]["bound"] == ">= 0.05"
    assert "35 gained, 0 lost" in content["criteria"][0]["evidence"]
    assert content["parameters"] == {
        "metric": "accuracy",
        "model": "safe",
        "baseline": "base",
        "dataset": None,
        "margin": "0.06",
    }
    assert content["scores_sha256"] == file_sha256(run / "scores.json")
    assert content["criteria_file"] == {"name": "demo.yaml", "sha256": file_sha256(DEMO)}


def worse(rows: list[Prediction], condition: str, slice_is_audio: bool, count: int) -> list[Prediction]:
    """The same rows with some answers of the model turned wrong."""
    left = count
    changed = []
    for row in rows:
        hit = (
            left and row.model == "safe" and row.condition == condition and row.needs_audio is slice_is_audio
        )
        if hit and row.answer == "yes":
            left -= 1
            row = msgspec.structs.replace(row, answer="no")
        changed.append(row)
    assert left == 0
    return changed


@pytest.mark.parametrize(
    ("condition", "audio", "count", "fails"),
    [
        ("full", True, 34, {"sound_helps", "sound_helps_beyond_chance", "hearing_beats_the_base"}),
        ("full", True, 32, {"sound_helps_beyond_chance"}),
        ("swap_audio", False, 1, {"seeing_is_kept"}),
        ("full", False, 1, {"seeing_is_kept_with_its_sound"}),
        ("gate_off", False, 1, {"gate_off_is_the_base"}),
    ],
)
def test_the_demo_criteria_can_each_fail(
    tmp_path: Path, condition: str, audio: bool, count: int, fails: set[str]
) -> None:
    verdict = decide(make_run(tmp_path, worse(good_run(), condition, audio, count)), DEMO, settings=MARGIN)
    assert {row.name for row in verdict.criteria if row.decision == "no-go"} == fails
    assert verdict.decision == "no-go"


def test_the_demo_asks_for_what_its_groups_can_show(tmp_path: Path) -> None:
    """Nothing is lost in either run; 149 groups rule out a loss of two points, 148 do not."""
    for clips, decision in ((149, "go"), (148, "no-go")):
        verdict = decide(make_run(tmp_path / decision, good_run(clips)), "demo")
        kept = {row.name: row for row in verdict.criteria}["seeing_is_kept"]
        assert (kept.decision, kept.value) == (decision, 0.0)
        assert kept.ends == (kept.equivalence_low, kept.equivalence_high)
        assert verdict.decision == decision


def test_an_unanswered_example_breaks_coverage(tmp_path: Path) -> None:
    rows = [row for row in good_run() if not (row.condition == "mute_audio" and row.record_id == "c7")]
    verdict = decide(make_run(tmp_path, rows), DEMO)
    assert {row.name: row.decision for row in verdict.criteria}["coverage_is_complete"] == "no-go"
    assert "fewest by safe/mute_audio: 98 of 100" in verdict.criteria[-1].evidence


def test_a_missing_condition_is_not_measured(tmp_path: Path) -> None:
    rows = [row for row in good_run() if row.condition not in ("mute_audio", "gate_off")]
    verdict = decide(make_run(tmp_path, rows), DEMO, settings=MARGIN)
    decisions = {row.name: row.decision for row in verdict.criteria}
    assert decisions["sound_helps"] == decisions["gate_off_is_the_base"] == "not measured"
    assert verdict.decision == "not measured"
    assert verdict.criteria[0].value is None
    assert "hold no safe/full against safe/mute_audio on slice audio" in verdict.criteria[0].evidence


def test_identity_on_some_examples_is_not_identity() -> None:
    rows = [row for row in good_run() if not (row.condition == "gate_off" and row.record_id == "c7")]
    same = judged(
        rows,
        metric="answers_changed",
        slice="all",
        condition="safe/gate_off",
        against="base/full",
        bound="== 0",
    )
    assert same.decision == "not measured"
    assert "0 only by safe/gate_off, 2 only by base/full" in same.evidence


def test_the_text_of_an_answer_counts_and_not_its_score() -> None:
    rows = [
        msgspec.structs.replace(row, answer="Yes")
        if row.condition == "gate_off" and row.answer == "yes"
        else row
        for row in good_run()
    ]
    fields = {"slice": "all", "condition": "safe/gate_off", "against": "base/full", "bound": "== 0"}
    assert judged(rows, metric="answers_changed", **fields).decision == "no-go"
    assert judged(rows, **fields).decision == "go"


def test_one_cluster_has_no_interval_to_judge_by() -> None:
    rows = [msgspec.structs.replace(row, group="g") for row in good_run(4)]
    assert judged(rows, bound="> 0").decision == "go"
    assert judged(rows, bound="> 0", use="ci_low").decision == "not measured"
    assert judged(rows, bound="within 0.5", use="equivalence").decision == "not measured"


def test_equivalence_needs_enough_clusters_even_without_a_difference() -> None:
    swapped = {"slice": "vl", "condition": "safe/swap_audio", "against": "base/full"}
    few, many = good_run(20), good_run(200)
    assert judged(few, **swapped, bound="within 0.05", use="value").decision == "go"
    assert judged(few, **swapped, bound="within 0.05", use="equivalence").decision == "no-go"
    assert judged(many, **swapped, bound="within 0.05", use="equivalence").decision == "go"


def test_a_metric_alone_and_both_ends_of_its_interval() -> None:
    rows = answers("safe", "full", lambda clip, needs_audio: clip % 2 == 0, clips=100)
    alone = {"against": None, "slice": "all"}
    assert judged(rows, **alone, bound=">= 0.5").decision == "go"
    assert judged(rows, **alone, bound="< 0.5", use="ci_low").decision == "go"
    assert judged(rows, **alone, bound="< 0.5", use="ci_high").decision == "no-go"
    assert (
        "safe/full on all, n 200 in 100 clusters, 95 % interval [0.402, 0.598] by clustered score"
        in judged(rows, **alone, bound="> 0").evidence
    )


def test_every_seed_must_hold_and_the_worst_is_shown() -> None:
    right = answers("safe", "full", lambda clip, needs_audio: True)
    wrong = answers("safe", "full", lambda clip, needs_audio: False, seed=1)
    found = judged(right + wrong, against=None, bound="> 0.5")
    assert (found.decision, found.value) == ("no-go", 0.0)
    assert "seed 1" in found.evidence


@pytest.mark.parametrize(
    ("decisions", "verdict"),
    [
        (["go", "go"], "go"),
        (["go", "not measured"], "not measured"),
        (["not measured", "no-go"], "no-go"),
    ],
)
def test_a_failure_outweighs_a_missing_number(decisions: list[str], verdict: str) -> None:
    def row(decision: str, severity: str) -> Judged:
        return Judged(name="n", bound="> 0", decision=decision, evidence="", use="value", severity=severity)

    rows = [row(decision, "critical") for decision in decisions]
    assert overall(rows) == verdict
    assert overall([*rows, row("no-go", "warning")]) == verdict


def test_a_number_at_its_bound_meets_it() -> None:
    assert criterion.Bound(">=", 0.05).holds(0.70 - 0.65)
    assert not criterion.Bound(">", 0.05).holds(0.05)
    assert not criterion.Bound("==", 0.0).holds(1e-6)


def test_the_table_fits_80_columns(tmp_path: Path) -> None:
    lines = list(verdict_table(decide(make_run(tmp_path, good_run()), DEMO, settings=MARGIN)))
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "verdict: go (7 of 7 criteria hold)"
    assert "asked for the low end > 0" in "\n".join(lines)


FIRST = "criteria:\n  - name: one\n    metric: vqa_accuracy\n    condition: safe/full\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("criteria: [", "is not YAML"),
        ("- 1", "expected a list named 'criteria'"),
        ("criterions: []", "expected a list named 'criteria'"),
        ("criteria: []", "holds no criteria; a verdict on nothing would always be go"),
        ("criteria: [5]", "criterion 1 None: is not a mapping"),
        (FIRST, "criterion 1 'one': Object missing required field `bound`"),
        (FIRST + "    bound: '> 0'\n    slise: vl", "unknown field 'slise', did you mean 'slice'?"),
        (FIRST + "    bound: 0.05", "Expected `str`, got `float` - at `$.bound`"),
        (FIRST + "    bound: about 5", "bound 'about 5' is none of '>= 0.05'"),
        (FIRST + "    bound: '> 0'\n    use: mean", "Invalid enum value 'mean'"),
        (FIRST + "    bound: '> 0'\n    slice: sound", "slice 'sound' is none of all, audio, vl, type:NAME"),
        (FIRST + "    bound: '> 0'\n    against: safe/mute_audo", "did you mean 'mute_audio'?"),
        (
            FIRST + "    bound: '> 0'\n    use: equivalence",
            "equivalence needs an 'against' and a bound 'within",
        ),
        (FIRST + "    bound: '> 0'\n    against: a/b/full\n    slice: type:x", "not on 'type:x'"),
        (FIRST + "    bound: within 1\n    use: ci_low", "one end of an interval cannot be 'within'"),
        (FIRST + "    bound: '> 0'\n    severity: warning", "every criterion is a warning"),
        ("criteria:\n  - {name: a, metric: vqa_acuracy, bound: '> 0'}", "did you mean 'vqa_accuracy'?"),
        ("criteria:\n  - {name: a, metric: vqa_accuracy, bound: '> 0'}", "needs a 'condition', for example"),
        (
            "criteria:\n  - {name: a, metric: coverage, bound: '> 0', slice: vl}",
            "coverage takes no 'against'",
        ),
        (
            "criteria:\n  - {name: a, metric: answers_changed, condition: safe/full, bound: '== 0'}",
            "give 'against', for example 'base/full'",
        ),
        (
            "criteria:\n  - {name: a, metric: coverage, bound: '> 0', use: ci_low}",
            "coverage has no interval; leave out 'use', so that its value is judged",
        ),
    ],
)
def test_criteria_that_cannot_be_judged_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_criteria(criteria(tmp_path, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_of_a_criteria_file_at_once(tmp_path: Path) -> None:
    lines = "\n".join("  - {name: a, metric: nothing, bound: '> 0'}" for _ in range(2))
    with pytest.raises(InputError) as caught:
        read_criteria(criteria(tmp_path, "criteria:\n" + lines))
    assert str(caught.value).count("unknown metric 'nothing'") == 2
    assert "the name 'a' is given twice" in str(caught.value)


def test_shipped_criteria_are_found_by_name_and_sound(tmp_path: Path) -> None:
    assert criteria_path(Path("demo")) == DEMO
    assert [len(read_criteria(path)) > 0 for path in SHIPPED.glob("*.yaml")]
    with pytest.raises(InputError, match="no such criteria file; shipped with safe-eval: captions, demo"):
        criteria_path(tmp_path / "dmo.yaml")


def test_stale_scores_are_refused_and_no_verdict_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path, good_run(12))
    write_predictions(run / "predictions.jsonl", good_run(13))
    with pytest.raises(InputError, match=r"was computed from another predictions\.jsonl"):
        decide(run, DEMO)
    assert not (run / "verdict.json").exists()
