"""Choice parser: each rule by a case, and nothing is ever guessed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safe_eval.scorers.choice_parser import LONGEST_REPLY, canonical, parse_answer

INSTRUMENTS = ("piano", "violin", "acoustic_guitar", "drum")
YES_NO = ("yes", "no")
NUMBERS = ("one", "two", "three", "ten", "more than ten")

CASES = [
    # rule 1: the whole reply is a choice
    ("violin", INSTRUMENTS, "violin"),
    (" Violin.\n", INSTRUMENTS, "violin"),
    ("“violin”", INSTRUMENTS, "violin"),
    ("**Violin**", INSTRUMENTS, "violin"),
    ("An acoustic guitar!", INSTRUMENTS, "acoustic_guitar"),
    ("ACOUSTIC_GUITAR", INSTRUMENTS, "acoustic_guitar"),
    ("2", NUMBERS, "two"),
    ("two", ("1", "2"), "2"),
    ("More than 10", NUMBERS, None),  # no name of a choice, and rule 6 must not take the 10 for one
    ("A", ("A", "B"), "A"),
    # rule 2: a letter
    ("B", INSTRUMENTS, "violin"),
    ("b", INSTRUMENTS, "violin"),
    ("(b)", INSTRUMENTS, "violin"),
    ("[B]", INSTRUMENTS, "violin"),
    ("B.", INSTRUMENTS, "violin"),
    ("Option B", INSTRUMENTS, "violin"),
    ("B) violin", INSTRUMENTS, "violin"),
    ("B: violin", INSTRUMENTS, "violin"),
    ("B. It is played with a bow.", INSTRUMENTS, "violin"),
    ("B, violin", INSTRUMENTS, "violin"),
    ("A violin", INSTRUMENTS, "violin"),  # an article, not the letter of piano
    ("B) piano", INSTRUMENTS, None),
    ("A or B", INSTRUMENTS, None),
    ("Both A and B", INSTRUMENTS, None),
    ("A, hmm, or B", INSTRUMENTS, None),
    ("E", INSTRUMENTS, None),
    ("E) trumpet", INSTRUMENTS, None),
    # rule 3: a marker
    ("The answer is: two.", NUMBERS, "two"),
    ("I hear a piano first. **Answer:** B", INSTRUMENTS, "violin"),
    ("The correct option is (B) violin.", INSTRUMENTS, "violin"),
    ("The answer is B because the piano is silent.", INSTRUMENTS, "violin"),
    ("The piano is silent, so the answer is violin. The drum is far.", INSTRUMENTS, "violin"),
    ("The answer is A. Wait. Final answer: B", INSTRUMENTS, "violin"),
    (r"Counting them gives \boxed{two}.", NUMBERS, "two"),
    ("The answer is A… no, the answer is B.", INSTRUMENTS, None),
    ("The answer is violin or piano.", INSTRUMENTS, None),
    ("The answer is A or violin.", INSTRUMENTS, None),
    ("The answer is not B.", INSTRUMENTS, None),
    ("The answer is unclear.", INSTRUMENTS, None),
    # rule 4: the first line
    ("B. violin\n\nThe piano is silent, the drum too.", INSTRUMENTS, "violin"),
    ("Violin\nIt plays above the piano.", INSTRUMENTS, "violin"),
    ("A) piano\nB) violin", INSTRUMENTS, None),
    ("yes\nno", YES_NO, None),
    # rule 5: before the reasons
    ("violin, because the piano is silent", INSTRUMENTS, "violin"),
    ("It must be the violin since no piano is seen", INSTRUMENTS, "violin"),
    ("yes, because there is no other sound", YES_NO, "yes"),
    # rule 6: named anywhere
    ("I can hear a violin playing softly.", INSTRUMENTS, "violin"),
    ("There are more than ten of them.", NUMBERS, "more than ten"),
    ("I would pick option B here", INSTRUMENTS, "violin"),
    ("Yes, there is no dog.", YES_NO, "yes"),
    ("No dog is barking.", YES_NO, "no"),
    ("I think so, yes", YES_NO, "yes"),
    ("There is no dog.", YES_NO, None),
    ("Yes and no", YES_NO, None),
    ("Violin. Or the piano.", INSTRUMENTS, None),
    ("It is not the violin.", INSTRUMENTS, None),
    ("I can't hear a violin", INSTRUMENTS, None),
    ("violin rather than piano", INSTRUMENTS, None),
    ("violins", INSTRUMENTS, None),
    ("2.5", NUMBERS, None),
    ("at least two", NUMBERS, None),
    ("instead of two", NUMBERS, None),
    ("12", NUMBERS, None),
    ("vitamin C", INSTRUMENTS, None),
    ("I cannot determine that from the sound.", INSTRUMENTS, None),
    # rule 0
    ("", INSTRUMENTS, None),
    ("_", INSTRUMENTS, None),
    (" __ ", INSTRUMENTS, None),
    (" \n ", INSTRUMENTS, None),
    ("violin " * LONGEST_REPLY, INSTRUMENTS, None),
]


@pytest.mark.parametrize(("reply", "choices", "expected"), CASES, ids=[repr(case[0][:40]) for case in CASES])
def test_cases(reply: str, choices: tuple[str, ...], expected: str | None) -> None:
    assert parse_answer(reply, choices) == expected


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 40
    assert sum(expected is None for *_, expected in CASES) >= 20


def test_trap_an_unparseable_reply_never_becomes_option_a() -> None:
    """VLMEvalKit's av_speakerbench.py turns a reply that it cannot parse into option A."""
    for reply in ("", "I am not sure.", "As an AI, I cannot hear.", "None of them.", "?", "Z"):
        assert parse_answer(reply, INSTRUMENTS) is None


def test_letters_only_where_choices_have_them() -> None:
    assert parse_answer("B", INSTRUMENTS, letters=False) is None
    assert parse_answer("B) violin", INSTRUMENTS, letters=False) == "violin"
    assert parse_answer("(B)", INSTRUMENTS, letters=False) is None


def test_aliases_and_names_that_two_choices_share() -> None:
    assert parse_answer("a fiddle", INSTRUMENTS, aliases=(("fiddle", "violin"),)) == "violin"
    assert parse_answer("dog!", ("Dog", "dog ")) is None
    assert parse_answer("C#", ("C", "C#")) == "C#"


@given(
    st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=6, unique_by=canonical)
)
def test_a_choice_itself_is_understood(choices: list[str]) -> None:
    for choice in choices:
        if canonical(choice) and choice == choice.strip():
            assert parse_answer(choice, choices) == choice


@example("_", INSTRUMENTS)
@given(st.text(max_size=60), st.permutations(INSTRUMENTS))
def test_any_reply_gives_a_choice_or_none_whatever_the_order(reply: str, choices: list[str]) -> None:
    found = parse_answer(reply, choices, letters=False)
    assert found is None or found in choices
    assert found == parse_answer(reply, INSTRUMENTS, letters=False)
