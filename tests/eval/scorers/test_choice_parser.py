"""Choice parser: what is said is read, and nothing is ever guessed."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safe_eval.scorers import music_avqa
from safe_eval.scorers.choice_parser import LONGEST_REPLY, canonical, parse_answer

TRUTH = Path(__file__).resolve().parents[3].parent / "shared" / "truth" / "replies.jsonl"
OWN = Path(__file__).with_name("replies.json")

INSTRUMENTS = ("piano", "violin", "acoustic_guitar", "drum")
YES_NO = ("yes", "no")
NUMBERS = ("one", "two", "three", "ten", "more than ten")

CASES = [
    # the whole reply is a choice
    ("violin", INSTRUMENTS, "violin"),
    (" Violin.\n", INSTRUMENTS, "violin"),
    ("“violin”", INSTRUMENTS, "violin"),
    ("**Violin**", INSTRUMENTS, "violin"),
    ("An acoustic guitar!", INSTRUMENTS, "acoustic_guitar"),
    ("ACOUSTIC_GUITAR", INSTRUMENTS, "acoustic_guitar"),
    ("2", NUMBERS, "two"),
    ("two", ("1", "2"), "2"),
    ("More than 10", NUMBERS, "more than ten"),  # the same number, in digits
    ("A", ("A", "B"), "A"),
    # a letter
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
    # an announced answer
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
    # the first line
    ("B. violin\n\nThe piano is silent, the drum too.", INSTRUMENTS, "violin"),
    ("Violin\nIt plays above the piano.", INSTRUMENTS, "violin"),
    ("A) piano\nB) violin", INSTRUMENTS, None),
    ("yes\nno", YES_NO, None),
    # before the reasons
    ("violin, because the piano is silent", INSTRUMENTS, "violin"),
    ("It must be the violin since no piano is seen", INSTRUMENTS, "violin"),
    ("yes, because there is no other sound", YES_NO, "yes"),
    # named anywhere
    ("I can hear a violin playing softly.", INSTRUMENTS, "violin"),
    ("There are more than ten of them.", NUMBERS, "more than ten"),
    ("I would pick option B here", INSTRUMENTS, "violin"),
    ("Yes, there is no dog.", YES_NO, "yes"),
    ("No dog is barking.", YES_NO, "no"),
    ("I think so, yes", YES_NO, "yes"),
    ("There is no dog.", YES_NO, "no"),  # it says that there is none, which is what was asked
    ("Yes and no", YES_NO, None),
    ("Violin. Or the piano.", INSTRUMENTS, None),
    ("It is not the violin.", INSTRUMENTS, None),
    ("I can't hear a violin", INSTRUMENTS, None),
    ("violin rather than piano", INSTRUMENTS, "violin"),  # only the piano is set aside
    ("violins", INSTRUMENTS, "violin"),  # no other choice has this stem
    ("2.5", NUMBERS, None),
    ("at least two", NUMBERS, None),
    ("instead of two", NUMBERS, None),
    ("12", NUMBERS, "more than ten"),
    ("vitamin C", INSTRUMENTS, None),
    ("The violin player left the hall.", INSTRUMENTS, None),
    ("The violin player begins.", INSTRUMENTS, "violin"),
    ("I cannot determine that from the sound.", INSTRUMENTS, None),
    # nothing said
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


def test_kinds_of_replies() -> None:
    """Each group holds replies that a person reads alike: denials, doubts, idioms, wrapping, numbers."""
    groups = json.loads(OWN.read_text("utf-8"))
    assert sum(len(group["replies"]) for group in groups) > 1_000
    faults = [
        (reply, found, group["reads"])
        for group in groups
        for reply in group["replies"]
        if (found := read(group, reply)) != group["reads"]
    ]
    assert faults == []


def read(asked: dict[str, object], reply: str) -> str | None:
    if "question_type" in asked:
        return music_avqa.parse(reply, str(asked["question_type"]))
    return parse_answer(reply, tuple(asked["choices"]))  # type: ignore[arg-type]  # a list of texts


def test_what_a_person_reads() -> None:
    """No wrong reading, and at most 8 % unparsed where a person reads an answer."""
    if not TRUTH.is_file():
        pytest.skip("the replies that a person read lie outside the repository, in ../shared/truth")
    rows = [json.loads(line) for line in TRUTH.read_text("utf-8").splitlines()]
    found = [
        music_avqa.parse(row["reply"], row["music_avqa"])
        if "music_avqa" in row
        else parse_answer(row["reply"], row["choices"], letters=row["letters"])
        for row in rows
    ]
    expected = [row["a_person_reads"] for row in rows]
    wrong = sum(one is not None and one != other for one, other in zip(found, expected, strict=True))
    unparsed = sum(one is None and other is not None for one, other in zip(found, expected, strict=True))
    assert len(rows) == 154
    assert wrong == 0
    assert unparsed <= 0.08 * sum(answer is not None for answer in expected)


WRAPPINGS = (
    "<think>A violin, or a drum? No: {other}.</think>{reply}",
    "{reply}</s>",
    "{reply}<|im_end|>\n<|im_start|>user\nAnd now {other}?",
    "ASSISTANT: {reply}",
    "### Response:\n{reply}",
    "**{reply}**",
    '"{reply}"',
    "\n  {reply}\n\n",
    "<answer>{reply}</answer>",
    "\\boxed{{\\text{{{reply}}}}}",
    '{{"thought": "{other}", "answer": "{reply}"}}',
)
REPLIES = (
    "violin",
    "B",
    "(b)",
    "a piano, not a drum",
    "The drum.",
    "not a violin",
    "It is unclear.",
    "A or B",
)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("reply", REPLIES)
def test_wrapping_never_changes_the_reading(reply: str, wrapping: str) -> None:
    wrapped = wrapping.format(reply=reply, other="piano")
    assert parse_answer(wrapped, INSTRUMENTS) == parse_answer(reply, INSTRUMENTS)


DENIALS = (
    "It is not a {}.",
    "I don't hear a {}.",
    "I cannot tell whether it is a {}.",
    "The {} is incorrect.",
    "There is no {} in it.",
    "I can rule out the {}.",
    "It is hard to say that this is a {}.",
    "The {} cannot be heard.",
    "Anything but the {}.",
    "Is it a {}?",
)


@pytest.mark.parametrize("denial", DENIALS)
@pytest.mark.parametrize("name", INSTRUMENTS)
def test_a_denied_name_is_never_read(denial: str, name: str) -> None:
    assert parse_answer(denial.format(name), INSTRUMENTS) is None


UNITS = (
    *("B ", "B\n", "a ", "(", "[", "1 ", "two ", "one hundred ", "not ", "answer is ", "The answer is B. "),
    *("A. ", "violin ", "violin, ", "no, ", "yes ", "and ", "or ", "- ", "\n", "?", "'", "#", "~~", "{{"),
    *("</s>", "<think>", "</think>", "<answer>", "\\boxed{", '{"answer":', "USER: ", "\n1. x", "a1. "),
    *("not a violin or ", "e.g. "),
)


@pytest.mark.parametrize("choices", [INSTRUMENTS, YES_NO, NUMBERS], ids=["names", "yes_no", "numbers"])
def test_a_looping_reply_is_read_in_linear_time(choices: tuple[str, ...]) -> None:
    """10,000 characters take some 2 ms. The bounds are generous: this may run on a busy machine."""
    for unit in UNITS:
        half, whole = (fastest(unit, length, choices) for length in (LONGEST_REPLY // 2, LONGEST_REPLY))
        assert whole < 0.05, unit
        assert whole < 3.5 * half + 0.003, unit  # a quadratic rule takes four times as long, and then longer


def fastest(unit: str, length: int, choices: tuple[str, ...]) -> float:
    text = (unit * (length // len(unit) + 1))[:length]
    taken = []
    for _ in range(3):
        start = time.process_time()
        parse_answer(text, choices)
        taken.append(time.process_time() - start)
    return min(taken)


@given(
    st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=6, unique_by=canonical)
)
def test_a_choice_itself_is_understood(choices: list[str]) -> None:
    for choice in choices:
        if canonical(choice) and choice == choice.strip():
            assert parse_answer(choice, choices) == choice


WORDS = st.sampled_from(
    str.split(
        "a an the it is not no yes A B (B) b . , ? : or and but one two 10 left right piano violin drum "
        "acoustic guitar answer think sounds like more than there first then all both so because I cannot "
        "hear <think> </s> {"
    )
)
SENTENCES = st.lists(WORDS, max_size=14).map(" ".join)


@example("_", INSTRUMENTS)
@given(st.text(max_size=60) | SENTENCES, st.permutations(INSTRUMENTS))
def test_any_reply_gives_a_choice_or_none_whatever_the_order(reply: str, choices: list[str]) -> None:
    found = parse_answer(reply, choices, letters=False)
    assert found is None or found in choices
    assert found == parse_answer(reply, INSTRUMENTS, letters=False)


@given(st.text(max_size=60) | SENTENCES, st.sampled_from([INSTRUMENTS, YES_NO, NUMBERS, ("A", "B")]))
def test_any_reply_is_read(reply: str, choices: tuple[str, ...]) -> None:
    assert parse_answer(reply, choices) in (None, *choices)


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("No.", "(B) no"),
        ("No, there is a cat.", "(B) no"),
        ("B. no", "(B) no"),
        ("Yes, a dog barks.", "(A) yes"),
        ("None of them.", "(C) none of the above"),
        ("perhaps", None),
    ],
)
def test_choices_that_begin_with_their_letters_have_the_names_of_plain_ones(
    reply: str, choice: str | None
) -> None:
    assert parse_answer(reply, ("(A) yes", "(B) no", "(C) none of the above")) == choice
    plain = parse_answer(reply, ("yes", "no", "none of the above"))
    assert plain == (choice and choice[4:])
