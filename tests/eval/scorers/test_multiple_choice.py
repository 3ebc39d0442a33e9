"""Multiple choice: one way to read replies for every task and benchmark with choices."""

import math

import pytest
from made_rows import row

from safe_eval.options import Sampling
from safe_eval.scorers import avqa, classification, multiple_choice
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=100)
PETS = ("dog", "piano")
RIGHT = ("B", "b", "(B) piano", "B. piano", "It is a piano.", "<think>A dog?</think>\nB", '{"answer": "B"}')


@pytest.mark.parametrize("reply", RIGHT)
@pytest.mark.parametrize("asked", [{}, {"task": "classify"}, {"task": "mcq"}, {"dataset": "AVQA"}])
def test_every_task_reads_the_same_replies(reply: str, asked: dict[str, str]) -> None:
    rows = [row("q1", reply, references=("piano",), choices=PETS, **asked)]
    rows += [row("q2", "A", references=("piano",), choices=PETS, **asked)]
    rows += [row("q3", "no idea", references=("piano",), choices=PETS, **asked)]
    scores = score_predictions(rows, QUICK)
    (whole,) = [metric for metric in scores.metrics if metric.slice == "all"]
    assert whole.metric == ("avqa_accuracy" if "dataset" in asked else "accuracy")
    assert whole.value == pytest.approx(1 / 3)
    assert scores.coverage["full"].unparsed == 1


def test_the_modules_that_read_choices_agree() -> None:
    rows = [row(answer=text, references=("piano",), choices=PETS) for text in (*RIGHT, "A", "perhaps", "")]
    found = [[None if math.isnan(x) else x for x in m.score_all(rows)] for m in (avqa, classification)]
    assert found[0] == found[1] == [1.0] * len(RIGHT) + [0.0, None, None]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Dog.", 1),
        ("<answer>dog</answer>", 1),
        ("<think>cat or dog</think> A dog", 1),
        (r"\boxed{\text{dog}}", 1),
        ("ASSISTANT: dog</s>", 1),
        ("<answer>dog</answer> or <answer>cat</answer>", 0),
        ("a dog and a cat", 0),
        ("", 0),
    ],
)
def test_without_choices_the_reply_is_unwrapped(reply: str, score: int) -> None:
    assert multiple_choice.score_all([row(answer=reply, references=("dog",))]).tolist() == [score]


def test_questions_with_choices_have_no_recalls() -> None:
    rows = [row(f"q{i}", "A", references=(f"r{i}",), choices=(f"r{i}", "x"), task="mcq") for i in range(30)]
    scores = score_predictions(rows, QUICK)
    assert not scores.aggregates
    assert {metric.slice for metric in scores.metrics} == {"all"}
    classes = score_predictions([row("q", "A", choices=("yes", "no"), task="classify")], QUICK)
    assert {found.name for found in classes.aggregates} >= {"accuracy", "balanced_accuracy", "recall:yes"}
