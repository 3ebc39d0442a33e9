"""Drop: what a condition takes from accuracy by question type, and beyond what it takes from pictures."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, shuffled

from safe_eval.arms.all_arms import all_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.lomo import LomoRow, lomo_rows
from safe_eval.results.lomo_agreement import lomo_agreement_rows
from safe_eval.results.separation import separation_rows
from safe_eval.scoring.score import score_predictions
from safe_eval.text.lomo_text import lomo_lines

QUICK = Sampling(resamples=100)


def run(heard: int = 30, seen: int = 0, lucky: int = 0, **fields: object) -> list[Prediction]:
    """In silence so many of 50 sounds and pictures go; so many sounds are right in silence alone."""
    return [
        *answers("safe", "full", lambda clip, hears: not hears or clip < 50 - lucky, **fields),
        *answers("safe", "mute_audio", lambda clip, hears: clip >= (heard if hears else seen), **fields),
    ]


def drops(rows: list[Prediction], seed: int | None = 0) -> dict[str, LomoRow]:
    return {row.slice: row for row in lomo_rows(all_arms(rows), QUICK) if row.seed == seed}


def test_every_answer_counts_and_gains_are_set_against_losses() -> None:
    found = drops(run(30, lucky=10))["audio"]
    assert (found.asked, found.n) == (50, 40)  # n: those right under full
    assert found.drop == pytest.approx((30 - 10) / 50)
    assert found.share_lost == pytest.approx(30 / 40)
    assert found.drop_low < found.drop < found.drop_high


def test_question_types_have_rows_and_their_drop_beyond_pictures() -> None:
    found = drops(run(30, 5))
    assert set(found) == {"all", "audio", "vl", "type:sound", "type:colour"}
    assert found["type:sound"].drop == pytest.approx(0.6)
    assert found["type:sound"].beyond_vl == pytest.approx(0.5)
    low, high = found["type:sound"].beyond_vl_low, found["type:sound"].beyond_vl_high
    assert low < 0.5 < high
    for name in ("all", "vl", "type:colour"):  # they have questions of vl themselves
        assert found[name].beyond_vl is None


def test_the_difference_is_that_of_separation() -> None:
    scores = score_predictions(run(30, 5), QUICK)
    (apart,) = scores.separation
    (heard,) = (row for row in scores.lomo if row.slice == "audio")
    assert (heard.beyond_vl, heard.beyond_vl_low) == (apart.value, apart.ci_low)


def test_the_auroc_says_how_often_a_sound_loses_more_than_a_picture() -> None:
    (found,) = score_predictions(run(30, 5), QUICK).separation
    assert found.auroc == pytest.approx(0.5 + (0.6 - 0.1) / 2)  # of losses 0 and 1: the balanced accuracy
    assert found.auroc_low < found.auroc < found.auroc_high
    (all_lost,) = score_predictions(run(50, 0), QUICK).separation
    assert all_lost.auroc == all_lost.auroc_high == 1.0
    assert all_lost.auroc_low < 1


def test_seeds_that_answered_alike_have_a_drop_together() -> None:
    rows = [row for seed, heard in enumerate((20, 30, 40)) for row in run(heard, seed=seed)]
    found = drops(rows, None)["audio"]
    assert found.drop == pytest.approx(0.6)
    alike = drops([row for seed in range(3) for row in run(30, seed=seed)], None)["audio"]
    assert found.drop_low < alike.drop_low < 0.6 < alike.drop_high < found.drop_high
    assert found.drop_interval == "cluster and seed t"


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=4, max_size=10), st.integers(0, 9))
def test_a_deaf_model_is_not_set_apart(said: list[tuple[bool, bool]], seed: int) -> None:
    """It answers the same with the sound and without, so nothing drops and nothing is apart."""
    rows = [
        row
        for condition in ("full", "mute_audio", "swap_audio")
        for row in answers("safe", condition, lambda clip, hears: said[clip][hears], clips=len(said))
    ]
    arms, again = all_arms(rows), all_arms(shuffled(rows, seed))
    found, apart = list(lomo_rows(arms, QUICK)), list(separation_rows(arms, QUICK))
    assert {row.drop for row in found} == {0.0}
    assert {row.beyond_vl for row in found} == {None, 0.0}
    assert [row.value for row in apart] == [0.0, 0.0]
    assert [row.auroc for row in apart] == [0.5, 0.5]
    assert list(lomo_rows(again, QUICK)) == found
    assert list(lomo_agreement_rows(again, QUICK)) == list(lomo_agreement_rows(arms, QUICK))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50))
def test_more_that_is_lost_is_a_larger_drop(one: int, other: int) -> None:
    few, many = (drops(run(heard))["audio"] for heard in sorted((one, other)))
    assert few.drop <= many.drop
    assert few.drop_low <= many.drop_low + 1e-9
    assert few.drop_high <= many.drop_high + 1e-9
    for row in (few, many):
        assert row.drop_low <= row.drop <= row.drop_high


def test_the_text_shows_the_types_that_lose_most() -> None:
    made = [
        msgspec.structs.replace(row, question_type=f"kind {int(row.record_id[1:]) % 12}")
        for row in run(30, 5)
    ]
    lines = list(lomo_lines(score_predictions(made, QUICK)))
    assert max(map(len, lines)) <= 80
    assert "    4 more question types are in scores.json" in lines
