"""Abstention: replies that say nothing can be said, and replies that only hold such words."""

import pytest

from safe_eval.scorers.reading.abstention import abstains


@pytest.mark.parametrize(
    "reply",
    [
        "I don't know",
        "I don’t know.",
        "I really cannot tell which animal it is.",
        "Sorry, I'm not sure.",
        "**Unclear**",
        "The answer is unknown.",
        "It cannot be clearly determined from the picture.",
        "It is impossible to say.",
        "There is not enough information to answer.",
        "<think>A dog? A cat?</think>I am unable to determine this.",
        '{"answer": "unknown"}',
        "n/a",
        "Unanswerable",
    ],
)
def test_it_abstains(reply: str) -> None:
    assert abstains(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        None,
        "a dog",
        "No.",
        "none",
        "I do not see a dog.",
        "I cannot hear a dog.",
        "the tomb of the unknown soldier",
        "a clear sky",
        "I know that it is a cat.",
        "<think>I don't know.</think>cat",
        "They are not sure-footed goats.",
        "A" * 5000 + " I don't know",
    ],
)
def test_it_answers(reply: str | None) -> None:
    assert not abstains(reply)
