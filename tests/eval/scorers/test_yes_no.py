"""Yes or no: POPE, AVHBench, CMM and Clotho-AQA by our reading and by the rules of their scripts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row
from sklearn.metrics import precision_recall_fscore_support

from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.scorers import clotho_aqa, cmm, pope, yes_no
from safe_eval.scorers.aggregate import Aggregate
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=200)
READ = [  # reply; ours; POPE's script; VLMEvalKit; CMM's script for the answer no
    ("Yes, there is a dog in the image.", "yes", "yes", "yes", False),
    ("No.", "no", "no", "no", True),
    ("no", "no", "no", "no", True),
    ("There is not a dog.", "no", "no", None, False),
    ("Yes, there is no person in the picture.", "yes", "no", None, False),
    ("unknown", None, "yes", None, True),
    ("I cannot tell.", None, "yes", None, False),
    ("Cannot tell.", None, "yes", None, True),
    ("NO", "no", "yes", "no", True),
    ("Not sure. Yes.", None, "yes", "yes", True),
    ("", None, "yes", None, False),
]


def scored(reply: str, truth: str = "no") -> Prediction:
    return row(answer=reply, references=(truth,))


@pytest.mark.parametrize(("reply", "ours", "script", "kit", "cmm_says_no"), READ, ids=[r[0] for r in READ])
def test_the_same_reply_by_each_rule(
    reply: str, ours: str | None, script: str, kit: str | None, cmm_says_no: bool
) -> None:
    if reply != "Not sure. Yes.":
        assert yes_no.read(reply) == ours
    for score_all, said in ((pope.score_first_sentences, script), (yes_no.score_words, kit)):
        expected = np.nan if said is None else float(said == "no")
        assert np.array_equal(score_all([scored(reply)]), [expected], equal_nan=True)
    assert cmm.score_first_letters([scored(reply)]).tolist() == [float(cmm_says_no)]


@pytest.mark.parametrize(
    ("choices", "right"), [(("yes", "no"), "no"), (("Yes", "No"), "No"), (("(A) yes", "(B) no"), "(B) no")]
)
def test_a_question_asked_with_choices_is_answered_by_their_letters(
    choices: tuple[str, ...], right: str
) -> None:
    said = ["B", "(B)", "B. no", "No, there is none.", "The answer is B.", "A", "yes", "C", "perhaps"]
    rows = [row(f"q{i}", text, references=(right,), choices=choices) for i, text in enumerate(said)]
    expected = [1.0] * 5 + [0.0] * 2 + [np.nan] * 2
    assert np.array_equal(yes_no.score_all(rows), expected, equal_nan=True)
    assert by_name(yes_no.aggregates(rows))["yes_ratio"] == pytest.approx(2 / 9)
    told = [row("q", text, references=("unknown",), choices=(*choices, "unknown")) for text in ("C", "A")]
    assert yes_no.score_all(told).tolist() == [1.0, 0.0]


def by_name(found: list[Aggregate]) -> dict[str, float | None]:
    return {one.name: one.value for one in found}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["Yes.", "No."])), min_size=1))
def test_precision_recall_and_f1_are_those_of_scikit_learn(answers: list[tuple[str, str]]) -> None:
    rows = [row(f"q{i}", said, references=(truth,)) for i, (truth, said) in enumerate(answers)]
    found = by_name(yes_no.aggregates(rows))
    truths, said = ([word.lower().rstrip(".") for word in side] for side in zip(*answers, strict=True))
    expected = precision_recall_fscore_support(
        truths, said, pos_label="yes", average="binary", zero_division=0
    )
    for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        assert (found[name] or 0.0) == pytest.approx(value)
    assert found["yes_ratio"] == pytest.approx(said.count("yes") / len(said))


def test_what_is_neither_yes_nor_no_is_wrong_and_no_predicted_yes() -> None:
    rows = [row("a", "unknown"), row("b", "yes"), row("c", "", error="out of memory")]
    found = by_name(yes_no.aggregates(rows))
    assert (found["precision"], found["recall"], found["yes_ratio"]) == (1.0, 1 / 3, 1 / 3)
    none = {one.name: one.why_not for one in yes_no.aggregates(rows[:1])}
    assert none["precision"] == "no reply says yes"


def of_pope(times: int = 6) -> list[Prediction]:
    """Half of the answers to questions of one split are right, and all of those that three splits share."""
    alone = [row(f"a{i}", "yes" if i % 2 else "no", question_type="popular") for i in range(times)]
    shared = [row(f"s{i}", "yes", question_type="adversarial,random,popular") for i in range(times)]
    about = {"dataset": "POPE", "group": None}
    return [Prediction(**{f: getattr(r, f) for f in r.__struct_fields__} | about) for r in alone + shared]


def test_a_row_of_three_splits_counts_once_per_split() -> None:
    scores = score_predictions(of_pope(), QUICK)
    found = {one.name: one for one in scores.aggregates}
    assert found["accuracy"].value == pytest.approx((3 + 18) / 24)
    assert found["accuracy:popular"].value == pytest.approx(9 / 12)
    assert found["accuracy:random"].value == 1.0
    assert found["accuracy"].ci_low is not None
    (mean,) = (m.value for m in scores.metrics if (m.metric, m.slice) == ("yes_no_accuracy", "all"))
    assert mean == pytest.approx(9 / 12)
    slices = {m.slice: m.n for m in scores.metrics}
    assert (slices["type:popular"], slices["type:random"]) == (12, 6)
    assert any("6 rows of POPE stand for 2 or 3 splits" in note for note in scores.notes)


def test_the_f1_interval_is_of_whole_clusters() -> None:
    rows = [row(f"q{i}", "yes" if i % 3 else "no", references=("yes" if i % 2 else "no",)) for i in range(60)]
    rows = [Prediction(**{f: getattr(r, f) for f in r.__struct_fields__} | {"dataset": "cmm"}) for r in rows]
    f1 = next(one for one in score_predictions(rows, QUICK).aggregates if one.name == "f1")
    assert f1.value == pytest.approx(2 * 20 / (40 + 30))
    assert f1.n == 50
    assert f1.ci_low < f1.value < f1.ci_high


CLOTHO = [
    (("yes", "no", "yes"), "No.", 1.0, False),
    (("yes", "yes", "yes"), "There is no rain, no.", 0.0, True),
    (("yes", "Yes", "yes"), "Yes, it rains.", 1.0, True),
    (("rain", "water", "rain"), "the Water", 1.0, False),
    (("rain", "rain", "rain"), "wind", 0.0, True),
    (("yes", "yes", "yes"), "unknown", np.nan, True),
]


@pytest.mark.parametrize(("references", "reply", "score", "agree"), CLOTHO)
def test_clotho_aqa_by_any_annotator_and_where_all_agree(
    references: tuple[str, ...], reply: str, score: float, agree: bool
) -> None:
    made = row(answer=reply, references=references)
    assert np.array_equal(clotho_aqa.score_all([made]), [score], equal_nan=True)
    assert clotho_aqa.unanimous([made]).tolist() == [agree]


def test_unanimous_questions_alone_are_scored_by_that_rule() -> None:
    rows = [
        row(f"q{i}", reply, references=references, dataset="Clotho-AQA")
        for i, (references, reply, _, _) in enumerate(CLOTHO)
    ]
    scores = score_predictions(rows, QUICK, ScoreOptions(metric=("clotho_aqa_unanimous",)))
    n = {(m.metric, m.slice): (m.value, m.n) for m in scores.metrics}
    assert n["clotho_aqa_accuracy", "all"] == (0.5, 6)
    assert n["clotho_aqa_unanimous", "all"] == (0.25, 4)
    assert n["clotho_aqa_accuracy", "type:unanimous"] == (0.25, 4)


def test_words_are_compared_once_what_wraps_them_is_cut() -> None:
    wrapped = ["<think>Rain? No.</think>Water", "<answer>the water</answer>", "Water<|im_end|>"]
    rows = [row(f"q{i}", text, references=("water", "rain", "water")) for i, text in enumerate(wrapped)]
    assert clotho_aqa.score_all(rows).tolist() == yes_no.score_all(rows).tolist() == [1.0] * 3
