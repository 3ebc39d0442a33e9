"""Telling: typical errors, and the items that a person should look at."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import good_run, row, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.prediction import Prediction
from safe_eval.results.telling import MOST_TELLING, TellingItem, TypicalError, telling_items, typical_errors


def pair(name: str, full: str, muted: str, **fields: object) -> list[Prediction]:
    """One question under full and in silence; the right answer is yes."""
    fields = {"model": "safe", "group": name} | fields
    return [
        row(name, full, condition="full", **fields),
        row(name, muted, condition="mute_audio", **fields),
    ]


def items(rows: list[Prediction]) -> list[TellingItem]:
    return list(telling_items(all_arms(rows)))


def errors(rows: list[Prediction]) -> list[TypicalError]:
    return list(typical_errors(all_arms(rows)))


def test_errors_are_counted_where_silence_was_right() -> None:
    rows = [
        *(one for n in range(3) for one in pair(f"a{n}", "A  Dog.", "yes", question_type="what")),
        *pair("b", "a dog", "yes", question_type="who"),
        *pair("c", "cat", "yes", references=("yes",) * 8 + ("no",) * 2),
        *pair("d", "cat", "no"),  # wrong both ways
        *pair("e", "yes", "no"),  # gained
    ]
    first, second = errors(rows)
    assert (first.given, first.right, first.count, first.lost) == ("a dog", "yes", 4, 5)
    assert (first.share, first.question_type) == (pytest.approx(0.8), "what")
    assert (second.given, second.right, second.count) == ("cat", "yes", 1)


def test_a_failure_is_an_error_without_an_answer_and_seeds_are_counted_together() -> None:
    lost = [*pair("a", "no", "yes"), *pair("a", "no", "yes", seed=1)]
    lost[0] = msgspec.structs.replace(lost[0], answer=None, error="out of memory")
    found = errors(lost)
    assert [(one.given, one.count, one.seeds) for one in found] == [
        ("(no answer)", 1, (0, 1)),
        ("no", 1, (0, 1)),
    ]


def test_agreement_comes_first_then_contradiction_then_confidence() -> None:
    rows = [
        *pair("sure", "no", "yes", confidence=0.9),
        *pair("unsure", "no", "yes", confidence=0.2),
        *pair("seen", "no", "yes", confidence=0.1, needs_audio=False),
        *pair("heard", "yes", "no", confidence=1.0, needs_audio=True),  # as it should be
        *pair("twice", "no", "yes", confidence=0.0),
        *pair("same", "yes", "yes", confidence=1.0),
    ]
    gate = [
        msgspec.structs.replace(one, condition="gate_off") for one in rows if one.condition == "mute_audio"
    ]
    changed = {"twice": "yes"}
    gate = [msgspec.structs.replace(one, answer=changed.get(one.example_id, "no")) for one in gate]
    rows += [one for one in gate if one.example_id == "twice"]
    found = items(rows)
    assert [one.example_id for one in found] == ["twice", "seen", "heard", "sure", "unsure"]
    assert [one.rank for one in found] == [1, 2, 3, 4, 5]
    assert [(one.turned, one.agreeing, one.comparisons) for one in found][:3] == [
        ("lost", 2, 2),
        ("lost", 1, 1),
        ("gained", 1, 1),
    ]


def test_an_item_says_what_was_answered_and_why_it_is_shown() -> None:
    (found,) = items(pair("q", "no", "yes", confidence=0.72, needs_audio=False, prompt="Red?", seed=3))
    assert (found.answer, found.answer_without, found.against, found.seed) == ("no", "yes", "mute_audio", 3)
    assert (found.score, found.score_without, found.prompt, found.references) == (0.0, 1.0, "Red?", ("yes",))
    assert found.why == (
        "wrong with the sound, right without in 1 of 1 comparisons; although it needs no sound; 72 % sure"
    )


def test_fifty_are_taken_half_of_each_kind_as_far_as_there_are_so_many() -> None:
    gained = [one for n in range(60) for one in pair(f"g{n:02}", "yes", "no")]
    lost = [one for n in range(40) for one in pair(f"l{n:02}", "no", "yes")]
    few = items(gained + lost[:20])
    assert (len(few), sum(one.turned == "lost" for one in few)) == (MOST_TELLING, 10)
    both = items(gained + lost)
    assert [sum(one.turned == way for one in both) for way in ("lost", "gained")] == [25, 25]
    assert len(items(gained)) == MOST_TELLING


def test_comparisons_that_contradict_each_other_tell_nothing() -> None:
    rows = [*pair("q", "no", "yes"), *pair("q", "yes", "no", seed=1)]
    assert items(rows) == []
    assert [one.agreeing for one in items([*rows, *pair("q", "yes", "no", seed=2)])] == [2]


def test_an_example_of_two_datasets_is_two_items() -> None:
    rows = [*pair("q", "no", "yes", dataset="a"), *pair("q", "no", "yes", dataset="b")]
    assert [(one.dataset, one.comparisons) for one in items(rows)] == [("a", 1), ("b", 1)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 12))
def test_the_order_of_rows_does_not_matter_and_every_item_turned(seed: int, clips: int) -> None:
    made = good_run(clips)
    found = items(made)
    assert found == items(shuffled(made, seed))
    assert errors(made) == errors(shuffled(made, seed))
    for one in found:
        assert (one.score >= 0.5) == (one.turned == "gained") != (one.score_without >= 0.5)
        assert 1 <= one.agreeing <= one.comparisons
