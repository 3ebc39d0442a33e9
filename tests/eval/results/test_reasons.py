"""Why an answer has its score: the rule that read it, in a sentence that agrees with the scorer."""

import math
from typing import Any

import pytest
from made_rows import row

from safe_eval.results.reasons import Reason, reason_of
from safe_eval.scorers.scorer import ANSWER_METRICS, scorer_of

PETS = ("dog", "cat")


def reason(metric: str | None, answer: str | None, **fields: Any) -> Reason:
    """The reason with the score that the metric itself gives."""
    asked = row("q", answer, **fields)
    score = None
    if metric in ANSWER_METRICS:
        value = float(scorer_of(metric).score_all([asked])[0])
        score = None if math.isnan(value) else value
    return reason_of(asked, metric, score)


@pytest.mark.parametrize(
    ("answer", "read_as", "why"),
    [
        ("cat", "cat", "Read as “cat” word for word, which is right."),
        ("(A)", "dog", "Read as “dog” by its letter, which is wrong."),
        ("A cat.", "cat", "Read as “cat” since the whole reply is a name of it, which is right."),
        (
            "<answer>cat</answer>",
            "cat",
            "Read as “cat” from what the reply marks as its answer, which is right.",
        ),
        ("I would choose the cat.", "cat", "Read as “cat” from what its sentences claim, which is right."),
        (
            "<think>dog?</think>It is a cat.",
            "cat",
            "Read as “cat” from what its sentences claim, without reasoning, which is right.",
        ),
        (
            "dog or cat",
            None,
            "Not understood: it names several choices, or contradicts itself; that counts as wrong.",
        ),
        (
            "a cow",
            None,
            "Not understood: it names no choice that it does not deny or doubt; that counts as wrong.",
        ),
        ("I cannot tell.", None, "Not understood: it says that it cannot be told; that counts as wrong."),
        (
            " ",
            None,
            "The answer is blank, so nothing can be read; it was not understood, and counts as wrong.",
        ),
    ],
)
def test_a_choice(answer: str, read_as: str | None, why: str) -> None:
    assert reason("accuracy", answer, references=("cat",), choices=PETS) == (read_as, why)


@pytest.mark.parametrize(
    ("metric", "answer", "fields", "read_as", "why"),
    [
        (
            "yes_no_accuracy",
            "No, there is none.",
            {},
            "no",
            "Read as “no” from the yes or no that it says, which is wrong.",
        ),
        (
            "music_avqa_accuracy",
            "2 violins",
            {"references": ("two",), "question_type": "Visual/Counting"},
            "two",
            "Read as “two” from what its sentences claim, which is right.",
        ),
        (
            "clotho_aqa_accuracy",
            "The rain.",
            {"references": ("rain", "water", "rain")},
            "rain",
            "Compared as “rain”, apart from case, articles and outer marks: it equals 2 of 3 references.",
        ),
        (
            "vqa_accuracy",
            "Two dogs.",
            {"references": ("2 dogs",) * 3 + ("cats",) * 7},
            "2 dogs",
            "Compared as “2 dogs”: it equals 3 of 10 references, which scores 0.9.",
        ),
        (
            "vqa_accuracy",
            "Yes",
            {"references": ("yes",) * 10},
            "Yes",
            "Compared as “Yes”: it equals none of 10 references, which scores 0.",
        ),
        (
            "vqa_accuracy_normalised",
            "Yes",
            {"references": ("yes",) * 10},
            "yes",
            "Compared as “yes”: it equals 10 of 10 references, which scores 1.",
        ),
        (
            "vqa_accuracy",
            "No",
            {},
            "no",
            "Compared as “no”: it does not equal the reference, which scores 0.",
        ),
        ("gqa_accuracy", "Yes", {}, "Yes", "Compared with the references letter by letter: it is wrong."),
        (
            "exact_match",
            "YES",
            {},
            "YES",
            "Compared with the references apart from case and white space: it is right.",
        ),
        (
            "yes_no_words",
            "yes and no",
            {},
            None,
            "Scored by the rule yes_no_words (VLMEvalKit, utils/yorn.py, YOrN_Extraction); it was not "
            "understood, and counts as wrong.",
        ),
        (
            "cider_d",
            "a dog barks",
            {"references": ("a dog",) * 5},
            None,
            "cider_d compares its words with those of its 5 references.",
        ),
        (None, "a dog", {"task": "caption"}, None, "No metric judges it: there is none for its task."),
        (None, "a dog", {"references": ()}, None, "No metric judges it: it has no references."),
        (
            "accuracy",
            "Failed to obtain answer via API.",
            {},
            None,
            "It is the text of a request that failed, which counts as an error and is wrong.",
        ),
        (
            "accuracy",
            None,
            {"error": "x"},
            None,
            "There is an error in place of an answer, which counts as wrong.",
        ),
    ],
)
def test_other_rules(
    metric: str | None, answer: str | None, fields: dict[str, Any], read_as: str | None, why: str
) -> None:
    assert reason(metric, answer, **fields) == (read_as, why)


def test_another_harness_says_what_it_read() -> None:
    asked = row("q", "B", choices=PETS, references=("cat",), metadata={"raw": "It is B.", "extracted": "B"})
    assert reason_of(asked, "given:hit", 0.0) == (
        "B",
        "Another harness scored it 0 as hit, which it read as “B”; no rule here judged it.",
    )


def test_a_long_answer_is_cut_in_the_sentence_alone() -> None:
    found = reason("vqa_accuracy", "word " * 10_000)
    assert found.read_as == " ".join(["word"] * 10_000)
    assert len(found.why) < 200
    assert "…”: it does not equal the reference" in found.why


@pytest.mark.parametrize("metric", ANSWER_METRICS)
@pytest.mark.parametrize("answer", ["yes", "No.", "maybe", "B", "", "<b>yes</b> & no"])
def test_every_metric_has_a_reason_that_agrees_with_its_score(metric: str, answer: str) -> None:
    asked = row("q", answer)
    value = float(scorer_of(metric).score_all([asked])[0])
    why = reason_of(asked, metric, None if math.isnan(value) else value).why
    assert why.endswith(".")
    if math.isnan(value):
        assert "not understood" in why.lower()
    elif "is right" in why or "is wrong" in why:
        assert ("is right" in why) == (value >= 0.5)
