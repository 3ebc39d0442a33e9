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
    assert (seen.lost, seen.share_lost, seen.ci_low, seen.interval) == (0, 0.0, 0.0, "wilson")
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
