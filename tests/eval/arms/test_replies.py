"""Replies: failed requests are errors, and notes say what was cut and what is in another script."""

from made_rows import row

from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.coverage import coverage_of
from safe_eval.arms.replies import reference_notes, reply_notes
from safe_eval.prediction import Prediction

CHOICES = ("cat", "dog")


def clip(place: int, answer: str | None, **fields: object) -> Prediction:
    about = {"task": "classify", "references": ("dog",), "choices": CHOICES}
    return row(str(place), answer, **about | fields)


ROWS = [
    clip(1, "dog"),
    clip(2, "[LMMS_EVAL_REQUEST_FAILED after 3 retries] timeout"),
    clip(3, None, error="out of memory"),
    clip(4, "<think>A cat?</think>dog</s>"),
    clip(5, "<think>A cat?</think>dog</s>"),
    clip(6, "собака"),
    clip(7, "maybe"),
]


def test_the_text_of_a_failed_request_is_an_error() -> None:
    arms = all_arms(ROWS)
    (coverage,) = coverage_of(arms.arms, arms.outcomes)
    assert (coverage.expected, coverage.answered, coverage.errored, coverage.unparsed) == (7, 3, 2, 2)
    (arm,) = arms.judged["accuracy"]
    assert arm.scores.tolist() == [1, 0, 0, 1, 1, 0, 0]
    assert arm.rows[1].answer == ROWS[1].answer  # the reply is kept as it came


def test_the_notes() -> None:
    assert list(reply_notes(all_arms(ROWS).arms)) == [
        "1 answers are the text of a request that failed, and count as errors",
        "what is no answer was cut from replies before they were read (reasoning 2, special tokens 2); the "
        "predictions keep it",
        "1 replies use another script than Latin: only choices and letters are read there",
    ]


def test_replies_that_no_metric_reads_as_a_choice_are_not_searched() -> None:
    open_question = row("1", "<think>A cat?</think>dog", task="vqa", references=("dog",))
    assert list(reply_notes(all_arms([open_question, clip(2, "dog")]).arms)) == []


def test_answers_that_a_benchmark_does_not_have_are_counted() -> None:
    rows = [row("p1", "yes", dataset="POPE"), row("p2", "a dog", dataset="POPE", references=("A dog",))]
    rows += [row("p3", "A", dataset="POPE", references=("yes",), choices=("yes", "no"))]
    rows += [row("m1", "harp", dataset="MUSIC-AVQA", references=("harp",))]
    rows += [row("m2", "2", dataset="MUSIC-AVQA", references=("Two",))]
    rows += [row("m3", "it is an acoustic guitar", dataset="MUSIC-AVQA", references=("acoustic guitar",))]
    judged = all_arms(rows).judged
    assert list(reference_notes(judged)) == [
        "POPE: the right answer to 1 of 3 questions is neither yes nor no, and replies must equal it: "
        "'p2': 'A dog'",
        "MUSIC-AVQA: the right answer to 1 of 3 questions is none of the benchmark's 42 answers, and no "
        "reply is right: 'm1': 'harp'",
    ]
    assert judged["music_avqa_accuracy"][0].scores.tolist() == [0, 1, 1]
    assert judged["yes_no_accuracy"][0].scores.tolist() == [1, 1, 1]
