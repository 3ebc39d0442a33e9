"""`metric: accuracy` judges every dataset by the rule that scores it."""

import msgspec
from made_rows import good_run, scored

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.headline import of_each_dataset
from safe_eval.judging.judged import judge
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction

HELPS = Criterion(
    name="helps",
    metric="accuracy",
    slice="audio",
    condition="safe/full",
    against="safe/mute_audio",
    bound=">= 0.05",
)
QUICK = Sampling(resamples=100)


def three_datasets() -> list[Prediction]:
    """Questions of GQA, questions with choices, and questions of a benchmark without a rule here."""
    rows = good_run(8)
    facts = ({"dataset": "GQA"}, {"dataset": "quiz", "choices": ("yes", "no")}, {"dataset": "mine"})
    return [
        msgspec.structs.replace(row, example_id=f"{about['dataset']}-{row.example_id}", task="vqa", **about)
        for about in facts
        for row in rows
    ]


def test_each_dataset_is_judged_by_its_rule() -> None:
    scores = scored(three_datasets(), QUICK, ScoreOptions(metric=("exact_match",)))
    found = [(one.metric, one.dataset) for one in of_each_dataset(HELPS, scores)]
    assert sorted(found) == [("accuracy", "quiz"), ("gqa_accuracy", "GQA"), ("vqa_accuracy", "mine")]
    judged = judge(HELPS, scores)
    assert judged.decision == "go"
    assert "the worst of 3: 3 go" in judged.evidence


def test_one_dataset_that_fails_is_no_go() -> None:
    rows = [
        msgspec.structs.replace(row, answer="no") if row.dataset == "GQA" and row.model == "safe" else row
        for row in three_datasets()
    ]
    judged = judge(HELPS, scored(rows, QUICK))
    assert judged.decision == "no-go"
    assert "GQA" in judged.evidence


def test_a_dataset_that_was_not_muted_is_not_measured() -> None:
    rows = [r for r in three_datasets() if (r.dataset, r.condition) != ("quiz", "mute_audio")]
    assert judge(HELPS, scored(rows, QUICK)).decision == "not measured"


def test_a_dataset_that_only_the_other_side_answered_is_not_measured() -> None:
    """Who leaves out a dataset could have lost there."""
    rows = [r for r in three_datasets() if (r.dataset, r.model) != ("GQA", "safe")]
    scores = scored(rows, QUICK)
    kept = Criterion(
        name="kept",
        metric="accuracy",
        slice="vl",
        condition="safe/full",
        against="base/full",
        bound="within 0.1",
    )
    judged = judge(kept, scores)
    assert judged.decision == "not measured"
    assert "safe/full against base/full on slice vl in GQA" in judged.evidence
    elsewhere = [r if r.dataset != "GQA" else msgspec.structs.replace(r, dataset="other") for r in rows]
    for metric, bound in (("vqa_accuracy", "<= 0.9"), ("answers_changed", "<= 99")):
        asked = msgspec.structs.replace(kept, metric=metric, slice="all", bound=bound)
        found = judge(asked, scored(elsewhere, QUICK))
        assert (found.decision, "(other)" in found.evidence) == ("not measured", True)


def test_what_there_is_instead_is_said_of_the_dataset() -> None:
    rows = [r for r in three_datasets() if r.dataset != "quiz" or not r.needs_audio]
    quiz = msgspec.structs.replace(HELPS, dataset="quiz")
    evidence = judge(quiz, scored(rows, QUICK)).evidence
    assert "on slice audio in quiz: slices are all, vl, type:colour" in evidence


def test_a_dataset_without_such_questions_is_left_out() -> None:
    rows = [r for r in three_datasets() if r.dataset != "quiz" or not r.needs_audio]
    judged = judge(HELPS, scored(rows, QUICK))
    assert (judged.decision, "the worst of 2" in judged.evidence) == ("go", True)


def test_a_model_that_answered_nothing_of_a_dataset_does_not_cover_it() -> None:
    covered = Criterion(name="covered", metric="coverage", bound="== 1")
    rows = [r for r in three_datasets() if (r.dataset, r.model) != ("quiz", "safe")]
    judged = judge(covered, scored(rows, QUICK))
    assert judged.decision == "no-go"
    assert "fewest by safe/full: 0 of 16 in quiz" in judged.evidence
    assert judge(covered, scored(three_datasets(), QUICK)).decision == "go"
    of_base = msgspec.structs.replace(covered, condition="base/full")
    assert judge(of_base, scored(rows, QUICK)).decision == "go"


def test_a_run_of_captions_holds_no_accuracy() -> None:
    rows = [msgspec.structs.replace(row, task="caption") for row in good_run(8)]
    judged = judge(HELPS, scored(rows, QUICK))
    assert judged.decision == "not measured"
    assert "the scores hold no" in judged.evidence
