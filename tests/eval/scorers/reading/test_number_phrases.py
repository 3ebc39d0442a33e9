"""Number phrases: whole phrases, and whether they count things."""

import math

import pytest

from safe_eval.scorers.reading.number_phrases import count_at
from safe_eval.scorers.reading.sentence import read_sentence


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seven", 7),
        ("twenty-one", 21),
        ("two hundred", 200),
        ("two hundred and thirty four", 234),
        ("a thousand", 1000),
        ("three dozen", 36),
        ("half a dozen", 6),
        ("2,000", 2000),
        ("-1", -1),
        ("2.5", 2.5),
        ("5 thousand", 5000),
    ],
)
def test_a_phrase_is_one_number(text: str, value: float) -> None:
    sentence = read_sentence(text)
    assert sentence.numbers == {0: value}
    assert len(sentence.words) == 1


@pytest.mark.parametrize("text", ["2.000", "3/4", "0:10", "two and a half"])
def test_what_is_no_clear_number(text: str) -> None:
    assert math.isnan(read_sentence(text).numbers[0])


@pytest.mark.parametrize("text", ["the 2nd one", "often", "440Hz", "C4"])
def test_what_is_no_number(text: str) -> None:
    assert read_sentence(text).words.count("2") == 0


def test_words_that_do_not_make_one_phrase_stay_apart() -> None:
    assert read_sentence("one two three").words == ["1", "2", "3"]
    assert read_sentence("twenty eleven").words == ["20", "11"]
    assert read_sentence("two and three").words == ["2", "and", "3"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("three dogs", ("=", 3)),
        ("more than three dogs", (">", 3)),
        ("at least three", (">=", 3)),
        ("3 or more", (">=", 3)),
        ("3+", (">=", 3)),
        ("no more than three", ("<=", 3)),
        ("fewer than 3", ("<", 3)),
        ("3 seconds", None),
        ("3 long seconds", None),
        ("track 3", None),
        ("the first 3", None),
        ("3 of 5", None),
        ("on a scale of 3", None),
        ("a 3", None),
    ],
)
def test_what_is_counted(text: str, count: tuple[str, float] | None) -> None:
    sentence = read_sentence(text)
    place = min(sentence.numbers)
    assert count_at(sentence.words, place, sentence.numbers[place], sentence.glued) == count
