"""Contradiction: whom the answers follow, and what cannot be judged."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_contradictions import HEARD, SHOWN, contradicted
from made_rows import shuffled

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.contradiction import FOLLOWS, ContradictionRow
from safe_eval.scoring.score import score_predictions
from safe_eval.text.hearing_text import hearing_lines

QUICK = Sampling(resamples=100)
SAID = {"picture": SHOWN, "sound": HEARD, "abstained": "I cannot tell.", "neither": "a bird"}


def found(rows: list[Prediction], slice_name: str = "all") -> dict[str, ContradictionRow]:
    return {r.follows: r for r in score_predictions(rows, QUICK).contradiction if r.slice == slice_name}


def counts(rows: list[Prediction], slice_name: str = "all") -> tuple[int, ...]:
    rows_of = found(rows, slice_name)
    return tuple(rows_of[follows].count for follows in FOLLOWS)


def test_each_answer_follows_one() -> None:
    rows = contradicted(lambda clip: ("dog", "dog", "cat", "I don't know", "a bird")[clip % 5])
    assert counts(rows) == (16, 8, 8, 8)
    assert counts(rows, "type:animal") == counts(rows, "audio") == (8, 4, 4, 4)
    picture = found(rows)["picture"]
    assert (picture.value, picture.n, picture.clusters, picture.interval) == (0.4, 40, 40, "clustered score")
    assert picture.ci_low < 0.4 < picture.ci_high


def test_a_failure_and_an_answer_by_both_follow_neither() -> None:
    failed = contradicted(lambda clip: None if clip < 4 else SHOWN)
    assert counts(failed) == (36, 0, 4, 0)
    assert found(failed)["neither"].errored == 4
    both = contradicted(lambda clip: "yes", references=("yes", "no", "no", "yes", "yes"))
    assert counts([msgspec.structs.replace(r, metadata={"contradicts": ["no", "yes "]}) for r in both]) == (
        (0, 0, 0, 0)
    )  # they say the same, so nothing contradicts


def test_the_picture_may_tell_something_else_than_the_references() -> None:
    """The question is about the sound, and the references are what the untouched sound says."""
    told = {"contradicts": HEARD, "picture_tells": ["horse", "pony"]}
    rows = contradicted(lambda clip: ("pony", "dog", "cat", "horse")[clip % 4], metadata=told)
    assert counts(rows) == (20, 10, 10, 0)
    untold = contradicted(lambda clip: SHOWN, metadata=told | {"picture_tells": False})
    assert counts(untold) == (0, 0, 40, 0)
    assert counts(contradicted(lambda clip: SHOWN, metadata=told | {"picture_tells": True})) == (40, 0, 0, 0)


def test_choices_are_read_by_the_rule_of_the_metric() -> None:
    choices = ("cat", "dog", "bird")
    rows = contradicted(lambda clip: ("The answer is B.", "(A)", "A or B?")[clip % 3], choices=choices)
    assert counts(rows) == (14, 13, 13, 0)
    without = found(contradicted(lambda clip: SHOWN, choices=("dog", "bird")))["sound"]
    assert (without.value, without.unscorable, without.n) == (None, 40, 0)
    assert "no question of this slice" in without.why_not


def test_what_does_not_say_or_is_no_contradiction_is_in_no_share() -> None:
    rows = contradicted(lambda clip: SHOWN)
    rows = [msgspec.structs.replace(r, metadata=None) if r.group < "g2" else r for r in rows]
    same = {"contradicts": " DOG"}
    rows = [msgspec.structs.replace(r, metadata=same) if r.group > "g5" else r for r in rows]
    one = found(rows)["picture"]
    assert one.n + one.unsaid + one.alike == 40
    assert min(one.n, one.unsaid, one.alike) > 0
    silent = found(contradicted(lambda clip: SHOWN, metadata=None))["picture"]
    assert (silent.value, silent.why_not) == (
        None,
        "no row says in metadata 'contradicts' what answer the sound that was sent supports",
    )


def test_the_gate_off_shows_what_is_followed_without_hearing() -> None:
    """Nine of ten follow the sound; without it one in ten says so anyway."""
    heard = contradicted(lambda clip: SHOWN if clip % 10 == 0 else HEARD)
    off = contradicted(lambda clip: HEARD if clip % 10 == 1 else SHOWN, condition="gate_off")
    rows = found(heard + off[:-2])
    sound, picture = rows["sound"], rows["picture"]
    assert (sound.value, sound.only_heard) == (0.9, 2)
    assert sound.unheard == pytest.approx(4 / 38)
    assert sound.difference == pytest.approx((34 - 4) / 38)
    assert picture.difference == pytest.approx(-sound.difference)
    assert 0 < sound.difference_low < sound.difference < sound.difference_high
    deaf = found(contradicted(lambda clip: SHOWN) + contradicted(lambda clip: SHOWN, condition="gate_off"))
    assert (deaf["sound"].difference, deaf["picture"].difference) == (0.0, 0.0)
    assert found(heard)["sound"].difference is None


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(sorted(SAID)), min_size=2, max_size=12), st.integers(0, 9))
def test_shares_sum_to_one_in_any_order(said: list[str], seed: int) -> None:
    rows = contradicted(lambda clip: SAID[said[clip]], clips=len(said))
    results = score_predictions(rows, QUICK).contradiction
    for name in {row.slice for row in results}:
        of_slice = [row for row in results if row.slice == name]
        assert sum(row.value for row in of_slice) == pytest.approx(1.0)
        assert sum(row.count for row in of_slice) == of_slice[0].n
    assert counts(rows) == tuple(said.count(follows) for follows in FOLLOWS)
    assert score_predictions(shuffled(rows, seed), QUICK).contradiction == results


def test_the_text_shows_shares_and_the_difference() -> None:
    rows = contradicted(lambda clip: HEARD) + contradicted(lambda clip: SHOWN, condition="gate_off")
    lines = list(hearing_lines(score_predictions(rows, QUICK)))
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "whom answers follow under contradict: vqa_accuracy on made, seed 0" in text
    assert "against the gate off: picture −1.000 [" in text
