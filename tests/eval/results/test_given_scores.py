"""Given scores beside the scores here: counts add up, and each disagreement is listed with its reason."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row

from safe_eval.arms.all_arms import all_arms
from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.given_scores import GivenRow, disagreements, disagreements_csv, given_rows
from safe_eval.results.readings import reply_of, their_reading, why_scored_differently
from safe_eval.scoring.recheck import check_scores

QUICK = Sampling(resamples=200)
CHOICES = ("dog", "cat")


def asked(example: str, answer: str | None, score: float, **fields: object) -> Prediction:
    about = {"references": ("cat",), "choices": CHOICES, "task": "vqa", "group": example}
    return row(example, answer, **{**about, "scores": {"hit": score}, **fields})


def rows() -> list[Prediction]:
    return [
        asked("agree", "B", 1.0),
        asked("wrong", "A", 0.0),
        asked("unread", "hard to say", 1.0),
        asked("read", "B", 0.0, metadata={"extracted": "A"}),
        asked("rule", "B", 0.0, metadata={"extracted": "Cat"}),
        asked("failed", None, 1.0, error="timeout"),
    ]


def table() -> GivenRow:
    (found,) = given_rows(all_arms(rows()), QUICK)
    return found


def test_agreement_and_the_four_counts():
    found = table()
    assert (found.metric, found.beside, found.compared, found.scored) == ("given:hit", "accuracy", 6, 6)
    counts = (found.both_right, found.only_given, found.only_own, found.both_wrong)
    assert counts == (1, 2, 2, 1)
    assert found.agreement == pytest.approx(2 / 6)
    assert found.ci_low is not None
    assert found.ci_low < 2 / 6


def test_every_disagreement_is_listed_with_its_reason():
    found = {row.example_id: row for row in disagreements(all_arms(rows()))}
    assert {example: row.why for example, row in found.items()} == {
        "failed": "failed",
        "read": "different parse",
        "rule": "other rule",
        "unread": "unparsed",
    }
    assert (found["read"].ours, found["read"].theirs, found["read"].read) == (1.0, 0.0, "A")
    assert table().why == {"different parse": 1, "failed": 1, "other rule": 1, "unparsed": 1}


def test_scores_on_another_scale_have_a_correlation_and_no_agreement():
    free = [row(f"q{i}", "yes" if i % 2 else "no", scores={"gpt": 10.0 * (i % 2)}) for i in range(10)]
    (found,) = given_rows(all_arms(free), QUICK)
    assert (found.agreement, found.both_right) == (None, None)
    assert found.correlation == pytest.approx(1.0)
    assert list(disagreements(all_arms(free))) == []


def test_rounded_scores_are_the_same():
    annotated = ("cat", "cat", "dog", "bird", "fish", "cow", "pig", "hen", "fox", "owl")
    graded = row("q", "cat", references=annotated, scores={"vqa": 0.6})
    (found,) = given_rows(all_arms([graded]), QUICK)
    assert found.own_value == pytest.approx(0.6)
    assert found.agreement == 1.0


def test_errors_that_a_harness_leaves_out_are_shown_in_both_ways():
    some = [asked("a", "B", 1.0), asked("b", "A", 0.0), asked("c", None, 0.0, scores=None, error="timeout")]
    (found,) = given_rows(all_arms(some), QUICK)
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)
    assert (found.scored_value, found.scored, found.failed, found.compared) == (0.5, 2, 1, 2)


def test_a_reply_that_a_harness_cut_is_known_beside_what_it_read():
    cut = asked("q", "B", 1.0, metadata={"raw": "I think that it is B."})
    assert (reply_of(cut), their_reading(cut)) == ("I think that it is B.", "B")
    assert their_reading(asked("q", "B", 1.0)) is None
    assert why_scored_differently(cut, "accuracy", unparsed=False) == "other rule"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["A", "B", "eh"]), st.booleans()), min_size=1, max_size=25))
def test_counts_add_up_and_the_list_is_complete(said: list[tuple[str, bool]]):
    arms = all_arms([asked(f"q{i}", text, float(right)) for i, (text, right) in enumerate(said)])
    (found,) = given_rows(arms, QUICK)
    parts = (found.both_right, found.only_given, found.only_own, found.both_wrong)
    assert sum(part or 0 for part in parts) == found.compared == len(said)
    listed = list(disagreements(arms))
    assert len(listed) == sum(found.why.values()) == (found.only_given or 0) + (found.only_own or 0)
    assert found.agreement == pytest.approx(1 - len(listed) / len(said))
    assert len([*csv.DictReader(io.StringIO(disagreements_csv(listed).decode()))]) == len(listed)


def test_the_command_writes_the_list_and_its_scores_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_predictions(tmp_path / "p.jsonl", rows())
    out = tmp_path / "run"
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", str(out), "--resamples", "200"]) == 0
    text = capsys.readouterr().out
    assert "given:hit beside accuracy" in text
    assert "disagrees on 4: 1 different parse, 1 failed, 1 other rule, 1 unparsed" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines() if not line.startswith("wrote")) <= 80
    listed = [*csv.DictReader(io.StringIO((out / "disagreements.csv").read_text("utf-8")))]
    assert [row["example_id"] for row in listed] == ["failed", "read", "rule", "unread"]
    check_scores(out)
    criteria = tmp_path / "mine.yaml"
    ours = "- {name: ours, metric: accuracy, condition: model/full, bound: '>= 0.4'}\n"
    theirs = "- {name: judge, metric: 'given:hit', condition: model/full, bound: '>= 0.4'}\n"
    criteria.write_text(f"criteria:\n{ours}{theirs}")
    assert main(["verdict", str(out), "--criteria", str(criteria)]) == 0
    assert main(["report", str(out)]) == 0


def test_without_given_scores_there_is_no_list_and_none_of_older_scores_is_left(tmp_path: Path):
    write_predictions(tmp_path / "p.jsonl", [row("q")])
    command = ["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path), "--resamples", "200"]
    assert main(command) == 0
    assert not (tmp_path / "disagreements.csv").exists()
    (tmp_path / "disagreements.csv").write_text("older\n")
    assert main([*command, "--force"]) == 0
    assert "older" not in (tmp_path / "disagreements.csv").read_text()


def test_a_run_that_only_a_judge_scored_has_a_verdict_and_a_report(tmp_path: Path):
    judged = [
        row(f"j{i}", "a text", references=(), scores={"gpt": i % 5}, group=f"j{i}", dataset="mmvet")
        for i in range(30)
    ]
    write_predictions(tmp_path / "p.jsonl", judged)
    criteria = tmp_path / "mine.yaml"
    judge = "{name: judge, metric: 'given:gpt', condition: model/full, bound: '>= 1.2', use: ci_low}"
    criteria.write_text(f"criteria:\n- {judge}\n")
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path), "--resamples", "200"]) == 0
    assert main(["verdict", str(tmp_path), "--criteria", str(criteria)]) in (0, 2)
    assert main(["report", str(tmp_path)]) == 0
    assert main(["compare", str(tmp_path), str(tmp_path / "p.jsonl"), "--resamples", "200"]) == 0
