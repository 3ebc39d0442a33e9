"""LOMO: the share of right answers that a condition loses."""

import msgspec
import pytest
from made_rows import answers, row

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.lomo import LomoRow
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=200)


def lomo(rows: list[Prediction]) -> dict[tuple[str, str], LomoRow]:
    return {(r.condition, r.slice): r for r in score_predictions(rows, QUICK).lomo}


def test_of_what_was_right_the_share_that_goes() -> None:
    rows = answers("safe", "full", lambda clip, hears: clip < 40)
    rows += answers("safe", "mute_audio", lambda clip, hears: clip % 2 == 0 if hears else clip < 40)
    found = lomo(rows)
    heard, seen = found["mute_audio", "audio"], found["mute_audio", "vl"]
    assert (heard.lost, heard.n, heard.share_lost) == (20, 40, 0.5)  # those newly right do not count
    assert 0.3 < heard.ci_low < 0.5 < heard.ci_high < 0.7
    assert (seen.lost, seen.share_lost, seen.ci_low, seen.interval) == (0, 0.0, 0.0, "clustered score")
    assert found["mute_audio", "all"].share_lost == pytest.approx(20 / 80)


def test_every_rule_of_right_and_wrong_has_rows() -> None:
    """The rule of TextVQA is on request elsewhere, and still the one that judges its answers."""
    rows = answers("safe", "full", lambda clip, hears: True)
    rows += answers("safe", "mute_audio", lambda clip, hears: not hears)
    found = lomo([msgspec.structs.replace(r, dataset="TextVQA") for r in rows])
    heard = found["mute_audio", "audio"]
    assert (heard.metric, heard.share_lost) == ("vqa_accuracy_normalised", 1.0)


def test_full_alone_has_no_row() -> None:
    assert lomo(answers("safe", "full", lambda clip, hears: True, clips=5)) == {}


def test_where_nothing_was_right_nothing_can_be_lost() -> None:
    rows = [row("q", "no", condition=condition) for condition in ("full", "mute_audio")]
    found = lomo(rows)["mute_audio", "all"]
    assert (found.share_lost, found.n, found.clusters) == (None, 0, 0)


def test_examples_of_one_side_are_counted_apart() -> None:
    rows = answers("safe", "full", lambda clip, hears: True, clips=10)
    muted = answers("safe", "mute_audio", lambda clip, hears: False, clips=12)
    found = lomo(rows + muted[4:])["mute_audio", "all"]
    assert (found.lost, found.n, found.only_full, found.only_changed) == (16, 16, 4, 4)


def test_a_graded_score_is_right_from_one_half() -> None:
    graded = [
        row("q", "yes", references=("yes",) * k + ("no",) * (10 - k), group=f"g{k}") for k in (1, 2, 3, 10)
    ]
    full = [msgspec.structs.replace(r, example_id=f"q{place}") for place, r in enumerate(graded)]
    muted = [msgspec.structs.replace(r, condition="mute_audio", answer="maybe") for r in full]
    assert lomo(full + muted)["mute_audio", "all"].n == 3  # scores .3, .6, .9 and 1


def of_seeds(lost: tuple[int, ...], **fields: object) -> list[Prediction]:
    """Of 50 sounds that each seed gets right, so many are lost in silence; no picture is."""
    rows = []
    for seed, count in enumerate(lost):
        rows += answers("safe", "full", lambda clip, hears: True, seed=seed, **fields)
        rows += answers(
            "safe",
            "mute_audio",
            lambda clip, hears, count=count: not hears or clip >= count,
            seed=seed,
            **fields,
        )
    return rows


def over_seeds(rows: list[Prediction], name: str = "audio") -> LomoRow | None:
    found = score_predictions(rows, QUICK).lomo
    return next((r for r in found if r.seed is None and r.slice == name), None)


def test_seeds_that_answered_alike_have_a_row_together() -> None:
    found = over_seeds(of_seeds((30, 40, 44)))
    assert (found.seeds, found.of_each_seed, found.n, found.clusters) == (
        (0, 1, 2),
        (0.6, 0.8, 0.88),
        150,
        50,
    )
    assert found.share_lost == pytest.approx(0.76)
    alike = over_seeds(of_seeds((38, 38, 38)))
    assert found.ci_low < alike.ci_low < alike.ci_high < found.ci_high  # seeds that differ say less
    assert found.interval == "cluster and seed t"
    assert over_seeds(of_seeds((30,))) is None
    assert over_seeds(of_seeds((30, 40))[2:]) is None  # the seeds have not answered the same


def test_seeds_that_all_lose_all_are_not_certain() -> None:
    """The two-way t sees no spread there, and 50 clusters cannot show that every answer is lost."""
    found, seen = over_seeds(of_seeds((50, 50, 50))), over_seeds(of_seeds((50, 50, 50)), "vl")
    assert (found.share_lost, found.ci_high, seen.share_lost, seen.ci_low) == (1.0, 1.0, 0.0, 0.0)
    assert found.ci_low < 0.95
    assert seen.ci_high > 0.05


def test_a_guess_among_choices_is_taken_off() -> None:
    four = {"choices": ("yes", "no", "maybe", "never")}
    found = lomo(of_seeds((30,), **four))["mute_audio", "audio"]
    assert (found.share_lost, found.chance) == (0.6, 0.25)
    ends = (found.corrected_low, found.corrected, found.corrected_high)
    assert ends == pytest.approx([one / 0.75 for one in (found.ci_low, 0.6, found.ci_high)])
    whole = lomo(of_seeds((50,), **four))["mute_audio", "audio"]
    assert whole.corrected == pytest.approx(4 / 3)  # wrong more often than a guess


def test_choices_of_different_numbers_are_averaged() -> None:
    rows = [
        msgspec.structs.replace(r, choices=("yes", "no", "maybe", "never")[: 2 + 2 * (r.group < "g3")])
        for r in of_seeds((25,))
    ]
    found = lomo(rows)["mute_audio", "audio"]
    fours = len({r.group for r in rows if r.group < "g3"})
    assert found.chance == pytest.approx((fours * 0.25 + (50 - fours) * 0.5) / 50)


def test_without_choices_nothing_is_corrected_but_yes_and_no() -> None:
    assert lomo(of_seeds((30,)))["mute_audio", "audio"].corrected is None
    some = [
        msgspec.structs.replace(r, choices=("yes", "no")) if r.needs_audio else r for r in of_seeds((30,))
    ]
    found = lomo(some)
    pope = [msgspec.structs.replace(r, dataset="POPE") for r in of_seeds((30,))]
    assert found["mute_audio", "audio"].corrected == pytest.approx(1.2)
    assert found["mute_audio", "vl"].corrected is None
    assert lomo(pope)["mute_audio", "audio"].corrected == pytest.approx(1.2)
