"""What a criteria file leaves out by its condition may be asked on a sample, and is judged by nothing."""

from pathlib import Path

import msgspec
import pytest
from made_rows import answers, good_run
from made_verdict import judged_rows

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.judging.criteria_file import criteria_path, fill_criteria
from safe_eval.judging.verdict import Verdict, decide
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.labels import Models
from safe_eval.report.run_folder import read_results
from safe_eval.report.verdict_words import coverage_words, verdict_words
from safe_eval.scoring.score import score_files

JUDGED = """
criteria:
  - {name: hears, metric: accuracy, slice: audio, condition: safe/full, bound: ">= 0.5"}
  - {name: sees, metric: accuracy, slice: vl, condition: safe/full, bound: ">= 0.5"}
  - {name: covered, metric: coverage, bound: "== 1"}
"""
SAMPLE = "safe/snr_0db, safe/snr_10db on 10 of 24 examples"


def noisy(clips: int = 5, **fields: object) -> list[Prediction]:
    return [
        one
        for condition in ("snr_10db", "snr_0db")
        for one in answers("safe", condition, lambda clip, hears: clip % 2 == 0, clips=clips, **fields)
    ]


def criteria(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text, "utf-8")
    return folder / "mine.yaml"


def verdict_of(folder: Path, rows: list[Prediction], text: str) -> Verdict:
    """The verdict on rows, which should answer what the model answers under full."""
    write_predictions(folder / "p.jsonl", rows)
    wanted = {one.example_id: one for one in rows if one.condition == "full"}.values()
    write_predictions(folder / "wanted.jsonl", list(wanted))
    run = folder / "run"
    score_files([folder / "p.jsonl"], Sampling(resamples=100), out=run, force=True)
    return decide(run, criteria(folder, text), expect=[folder / "wanted.jsonl"], force=True)


def decisions(verdict: Verdict) -> dict[str, str]:
    return {row.name: row.decision for row in verdict.criteria}


@pytest.mark.parametrize("name", ["snr", "dataset: made, condition: snr"])
def test_a_sample_under_a_condition_that_is_left_out_is_no_gap(tmp_path: Path, name: str) -> None:
    rows = good_run(12) + noisy()
    assert decisions(verdict_of(tmp_path, rows, JUDGED)) == {
        "hears": "go",
        "sees": "go",
        "covered": "no-go",
        "expected_answers": "not measured",
    }
    part = name if "," in name else f"condition: {name}"
    verdict = verdict_of(tmp_path, rows, f"leaves_out: {{{part}}}{JUDGED}")
    assert verdict.decision == "go"
    evidence = {row.name: row.evidence for row in verdict.criteria}
    assert evidence["covered"] == f"140 of 140 examples answered; left out on purpose: {SAMPLE}"
    assert evidence["expected_answers"].endswith(f"expects are there; left out on purpose: {SAMPLE}")
    assert "140 of 140 answers" in evidence["expected_answers"]


def test_the_verdict_and_the_report_say_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict_of(tmp_path, good_run(12) + noisy(), f"leaves_out: {{condition: snr}}{JUDGED}")
    run = tmp_path / "run"
    results = read_results(run)
    assert [msgspec.structs.astuple(one)[2:] for one in results.verdict.sampled] == [("made", 0, 10, 24)] * 2
    said = f"They judge nothing of {SAMPLE}, on purpose."
    assert verdict_words(results.verdict)["sentence"] == f"All 4 criteria hold. {said}"
    covered = coverage_words(results.scores, Models(results.scores, "base"), [results.verdict])
    assert covered["complete"]
    assert covered["sentence"].endswith(
        "every expected item was answered, but for what is left out on purpose."
    )
    assert [row["text"] for row in covered["rows"]][-1].endswith(
        "10 of 24 answered, 14 missing, left out on purpose"
    )
    assert not coverage_words(results.scores, Models(results.scores, "base"))["complete"]
    assert main(["verdict", str(run), "--criteria", str(tmp_path / "mine.yaml"), "--force"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"left out on purpose, by their condition: {SAMPLE}" in printed
    assert "116 of 140 items are looked at by no criterion" in printed


def test_what_failed_in_the_sample_is_a_gap(tmp_path: Path) -> None:
    rows = good_run(12) + noisy()
    rows[-1] = msgspec.structs.replace(rows[-1], answer=None, error="timeout")
    verdict = verdict_of(tmp_path, rows, f"leaves_out: {{condition: snr}}{JUDGED}")
    assert decisions(verdict)["covered"] == "no-go"
    covered = coverage_words(read_results(tmp_path / "run").scores, Models(None, "base"), [verdict])
    assert not covered["complete"]


def test_another_condition_must_still_be_complete(tmp_path: Path) -> None:
    rows = [one for one in good_run(12) if (one.condition, one.record_id) != ("mute_audio", "c3")] + noisy()
    verdict = verdict_of(tmp_path, rows, f"leaves_out: {{condition: snr}}{JUDGED}")
    assert decisions(verdict)["covered"] == "no-go"
    assert verdict.expected is not None
    assert verdict.expected.missing == 2
    for other in ("snr_10db", "dataset: elsewhere, condition: snr", "lowpass"):
        part = other if "," in other else f"condition: {other}"
        mine = criteria(tmp_path, f"leaves_out: {{{part}}}{JUDGED}")
        found = {row.name: row.decision for row in judged_rows(good_run(12) + noisy(), mine)}
        assert found["covered"] == "no-go"


def test_a_dataset_answered_under_such_a_condition_alone_is_missing(tmp_path: Path) -> None:
    """Who answers the hard dataset in noise only has answered nothing of it that is judged."""
    mine = criteria(tmp_path, f"leaves_out: {{condition: snr}}{JUDGED}")
    hard = [
        msgspec.structs.replace(one, dataset="hard", example_id=f"h-{one.example_id}", group=f"h-{one.group}")
        for one in good_run(12) + noisy()
    ]
    rows = [*good_run(12), *(one for one in hard if one.model == "base" or one.condition.startswith("snr"))]
    judged = {row.name: row for row in judged_rows(rows, mine)}
    assert judged["covered"].decision == "no-go"
    assert "fewest by safe/full: 0 of 24 in hard" in judged["covered"].evidence
    assert judged["unjudged: hard"].decision == "not measured"
    verdict = verdict_of(tmp_path, rows, f"leaves_out: {{condition: snr}}{JUDGED}")
    assert decisions(verdict)["covered"] == "no-go"
    alone = [one for one in hard if one.condition.startswith("snr")]
    rows = [one for one in good_run(12) if one.model == "safe"] + alone
    judged = {row.name: row for row in judged_rows(rows, mine)}
    assert judged["unjudged: hard"].decision == "not measured"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "leaves_out: {condition: mute_audio}",
            "criterion 'it' is on safe/mute_audio, and leaves_out says that",
        ),
        ("leaves_out: {dataset: gqa, condition: mute_audio}", "criterion 'it' is on safe/mute_audio"),
        ("leaves_out: {condition: full}", "leaves_out: full cannot be left out: under it, the answers are"),
        ("leaves_out: {condition: mute_adio}", "unknown condition 'mute_adio'; did you mean 'mute_audio'?"),
        ("leaves_out: {condition: snr_5}", "leaves_out: unknown condition 'snr_5'; "),
        (
            "leaves_out: {condition: snr, slice: vl}",
            "leaves_out: {slice: vl, condition: snr} names a condition beside a task or slice",
        ),
        ("covers: {condition: snr}", "covers: names the condition snr; a condition stands in leaves_out"),
    ],
)
def test_a_condition_that_cannot_be_left_out_is_refused(tmp_path: Path, text: str, words: str) -> None:
    asked = '{name: it, metric: accuracy, condition: safe/full, against: safe/mute_audio, bound: ">= 0"}'
    with pytest.raises(InputError) as caught:
        fill_criteria(criteria(tmp_path, f"{text}\ncriteria:\n  - {asked}"))
    assert words in str(caught.value)


def test_another_dataset_may_leave_out_the_condition_that_a_criterion_is_on(tmp_path: Path) -> None:
    asked = '{name: it, dataset: gqa, metric: accuracy, condition: safe/mute_audio, bound: ">= 0"}'
    text = f"leaves_out: {{dataset: clotho, condition: mute_audio}}\ncriteria:\n  - {asked}"
    assert fill_criteria(criteria(tmp_path, text)).scope.samples("clotho", "mute_audio")


def test_a_parameter_may_name_the_condition_and_the_demo_leaves_out_noise(tmp_path: Path) -> None:
    text = f"parameters: {{shown: null}}\nleaves_out: {{dataset: made, condition: '${{shown}}'}}{JUDGED}"
    scope = fill_criteria(criteria(tmp_path, text), ["shown=reverb"]).scope
    assert scope.samples("made", "reverb")
    assert not scope.samples("made", "snr_10db")
    assert fill_criteria(criteria_path("demo")).scope.samples("synthetic", "snr_-10db")
