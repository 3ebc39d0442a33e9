"""Criteria: they can name every metric of the scores; what no scores could answer is refused."""

import csv
import json
from pathlib import Path

import pytest
from made_rows import good_run

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.judging.criteria_file import read_criteria
from safe_eval.judging.metric_names import CHANGED, FOLLOWED, METRICS, WITHOUT_SIDES
from safe_eval.predictions import write_predictions
from safe_eval.results.irrelevance import ANSWERS_CHANGED, FALSE_CONSULTATION
from safe_eval.results.latency import LATENCY_RATIO
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.separation import SEPARATION

HEAD = "criteria:\n  - "


def criteria(folder: Path, *lines: str) -> Path:
    path = folder / "criteria.yaml"
    path.write_text(HEAD + "\n    ".join(["name: it", *lines]), "utf-8")
    return path


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_accepted(tmp_path: Path, metric: str) -> None:
    lines = [f"metric: {metric}", "bound: '<= 0.5'"]
    if metric not in WITHOUT_SIDES:
        lines.append("condition: safe/full")
    if metric in (CHANGED, LATENCY_RATIO, *DRIFT_METRICS):
        lines.append("against: base/full")
    if metric in (*SHARES_LOST, SEPARATION):
        lines[-1:] = ["condition: safe/mute_audio", "against: safe/full"]
    if metric in FOLLOWED:
        lines[-1:] = ["condition: safe/contradict"]
    if metric == ANSWERS_CHANGED:
        lines.append("against: safe/mute_audio")
    if metric in (FALSE_CONSULTATION, ANSWERS_CHANGED):
        lines.append("slice: vl")
    assert read_criteria(criteria(tmp_path, *lines))[0].metric == metric


@pytest.mark.parametrize("name", ["class:speech", "class:speech, snr < 0 dB", "type:Audio", "type:open"])
def test_the_slices_of_every_scorer_are_accepted(tmp_path: Path, name: str) -> None:
    lines = ["metric: accuracy", "condition: safe/full", "bound: '>= 0.5'", f"slice: '{name}'"]
    assert read_criteria(criteria(tmp_path, *lines))[0].slice == name


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["metric: consultd", "condition: safe/full"], "'consultd', did you mean 'consulted'?"),
        (["metric: vqa_accuracy_sed_std", "condition: safe/full"], "did you mean 'vqa_accuracy_seed_std'?"),
        (["metric: consulted"], "consulted needs a 'condition'"),
        (["metric: ece", "condition: safe/full", "against: base/full"], "leave out 'against'"),
        (
            ["metric: ece", "condition: safe/full", "slice: vl"],
            "computed on the slices all, not on 'vl'",
        ),
        (["metric: kl_nats", "condition: safe/full"], "give 'against', for example 'against: base/full'"),
        (
            ["metric: kl_nats", "condition: safe/full", "against: safe/full"],
            "give 'against', for example 'against: base/full'",
        ),
        (
            ["metric: kl_nats", "condition: safe/full", "against: base/full", "slice: audio"],
            "computed on the slices all, vl, not on 'audio'",
        ),
        (
            ["metric: vqa_accuracy_seed_std", "condition: safe/full", "use: ci_low"],
            "vqa_accuracy_seed_std has an upper limit and no other end; use value or ci_high",
        ),
        (
            ["metric: distribution_seed_std", "condition: safe/full", "use: ci_high"],
            "distribution_seed_std has no interval",
        ),
        (
            ["metric: vqa_accuracy_seed_std", "condition: safe/full", "slice: type:x"],
            "computed on the slices all, audio, vl, not on 'type:x'",
        ),
        (
            ["metric: kl_nats", "condition: safe/full", "against: base/full", "use: equivalence"],
            "kl_nats is no difference of scores",
        ),
        (["metric: consistency"], "consistency needs a 'condition'"),
        (
            ["metric: validity", "condition: safe/full", "slice: vl"],
            "validity is computed on the slices all, not",
        ),
        (["metric: validity", "condition: safe/full", "against: base/full"], "leave out 'against'"),
        (
            ["metric: distribution", "condition: safe/full", "use: ci_high"],
            "distribution has no interval; leave out 'use', so that its value is judged",
        ),
        (
            ["metric: balanced_accuracy", "condition: safe/full", "use: equivalence"],
            "balanced_accuracy is no difference of scores",
        ),
        (["metric: balanced_acuracy", "condition: safe/full"], "did you mean 'balanced_accuracy'?"),
        (
            ["metric: vqa_accuracy", "condition: safe/full", "use: non_inferiority"],
            "non_inferiority needs an 'against' and a bound such as '>= -0.005'",
        ),
        (
            ["metric: kl_nats", "condition: s/full", "against: base/full", "over: seeds"],
            "kl_nats has no mean over seeds; leave out 'over'",
        ),
        (
            ["metric: vqa_accuracy", "condition: safe/full", "over: seeds", "slice: type:x"],
            "means over seeds are computed on the slices all, audio, vl, not on 'type:x'",
        ),
        (
            ["metric: vqa_accuracy", "condition: safe/full", "min_confidence: 95"],
            "min_confidence 95 is not between 0.5 and 1; 95 % is 0.95",
        ),
        (["metric: vqa_accuracy", "condition: safe/full", "min_seeds: 0"], "Expected `int` >= 1"),
        (
            ["metric: vqa_accuracy", "condition: safe/full", "over: seeds", "min_seeds: 1"],
            "a number over seeds needs 2",
        ),
        (["metric: coverage", "min_clusters: 5"], "coverage counts no clusters; leave out 'min_clusters'"),
        (["metric: agreement", "slice: vl"], "agreement takes no 'against' and no 'slice'"),
        (
            ["metric: share_lost", "condition: safe/full", "against: safe/mute_audio"],
            "share_lost is what a condition loses of full",
        ),
        (
            ["metric: separation", "condition: safe/mute_audio", "against: base/full"],
            "separation is what a condition loses of full",
        ),
        (
            ["metric: separation", "condition: safe/mute_audio", "against: safe/full", "slice: audio"],
            "separation sets slice audio apart from slice vl; leave out 'slice'",
        ),
        (
            [
                "metric: separation",
                "condition: safe/mute_audio",
                "against: safe/full",
                "use: non_inferiority",
            ],
            "separation is no difference of scores, so it has no equivalence interval",
        ),
        (
            ["metric: latency_ratio", "condition: safe/full"],
            "latency_ratio is in proportion to the baseline; give 'against'",
        ),
        (["metric: accuracy", "condition: full"], "'full' is no 'model/condition' such as 'safe/full'"),
        (
            ["metric: accuracy", "condition: safe/full", "against: safe/full"],
            "compares safe/full with itself; give another 'against'",
        ),
        (["metric: accuracy", "condition: safe/full", "slice: 'class:'"], "is none of all, audio, vl, type:"),
    ],
)
def test_what_no_scores_could_answer_is_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_criteria(criteria(tmp_path, *lines, "bound: '<= 0.5'"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_condition_without_a_model_is_no_near_miss(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_criteria(criteria(tmp_path, "metric: accuracy", "condition: full", "bound: '> 0'"))
    assert "did you mean" not in str(caught.value)


def test_a_bound_is_a_number_however_it_is_written(tmp_path: Path) -> None:
    (one,) = read_criteria(criteria(tmp_path, "metric: accuracy", "condition: a/full", "bound: '<= 5e-3'"))
    assert one.parsed_bound() == ("<=", 0.005)
    with pytest.raises(InputError, match=r"no number lies within -0\.1; a margin is 0 or more"):
        read_criteria(criteria(tmp_path, "metric: accuracy", "condition: a/full", "bound: within -0.1"))


def test_a_verdict_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run(20))
    typed = ["score", str(tmp_path / "predictions.jsonl"), "--out", str(tmp_path), "--resamples", "200"]
    assert main(typed) == 0
    capsys.readouterr()
    shown, verdict = {}, ["verdict", str(tmp_path), "--criteria", "demo"]
    for name in ("text", "json", "markdown", "latex", "csv"):
        assert main([*verdict, "--set", "margin=0.15", "--format", name]) == 0
        shown[name] = capsys.readouterr().out
    document = json.loads(shown["json"])
    assert document == json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    rows = list(csv.DictReader(shown["csv"].splitlines()))
    assert [row["decision"] for row in rows] == ["go"] * 7
    assert float(rows[0]["value"]) == document["criteria"][0]["value"]
    assert shown["markdown"].startswith("**verdict: go**")
    assert "verdict: go (7 of 7 criteria hold)" in shown["text"]


def test_success_on_a_run_that_lacks_most_of_it_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in good_run(20) if row.condition == "full" and row.needs_audio]
    write_predictions(tmp_path / "predictions.jsonl", rows)
    typed = ["score", str(tmp_path / "predictions.jsonl"), "--out", str(tmp_path), "--resamples", "200"]
    assert main(typed) == 0
    assert main(["verdict", str(tmp_path), "--criteria", "success"]) == 2
    said = capsys.readouterr().out
    assert "verdict: not measured" in said
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("wrote "))
