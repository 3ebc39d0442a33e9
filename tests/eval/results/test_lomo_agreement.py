"""LOMO agreement: questions declared to need the sound beside those that a model is shown to need it for."""

import msgspec
import pytest
from made_listener import Listener, ToneDataset
from made_rows import answers, row

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.lomo_agreement import LomoAgreementRow
from safe_eval.runner.run import run as ask
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=100)


def run(heard: int, seen: int, condition: str = "mute_audio", **fields: object) -> list[Prediction]:
    """All is right with the sound; without it so many of 50 sounds and pictures go."""
    return [
        *answers("safe", "full", lambda clip, hears: True, **fields),
        *answers("safe", condition, lambda clip, hears: clip >= (heard if hears else seen), **fields),
    ]


def agreed(rows: list[Prediction]) -> LomoAgreementRow:
    (found,) = score_predictions(rows, QUICK).lomo_agreement
    return found


def test_the_four_counts_and_kappa() -> None:
    found = agreed(run(40, 5))
    counts = (found.declared_and_shown, found.only_declared, found.only_shown, found.neither)
    assert counts == (40, 10, 5, 45)
    assert (found.agreement, found.kappa, found.n) == (0.85, pytest.approx(0.7), 100)
    assert found.kappa_low < 0.7 < found.kappa_high
    assert found.agreement_low < 0.85 < found.agreement_high
    assert (found.shown_audio, found.shown_vl) == (0.8, 0.1)


def test_it_is_set_against_what_guesses_would_show() -> None:
    """Of four choices a guess is right once in four, so two guesses are right and wrong 3 of 16 times."""
    four = agreed(run(40, 5, choices=("yes", "no", "maybe", "never")))
    assert (four.guessed_audio, four.guessed_vl) == (0.1875, 0.1875)
    assert agreed(run(40, 5)).guessed_audio is None
    lucky = [
        *answers("safe", "full", lambda clip, hears: clip >= 7),
        *answers("safe", "mute_audio", lambda clip, hears: clip < 9),
    ]
    found = agreed(lucky)
    assert (found.reversed_audio, found.reversed_vl) == (7, 7)
    assert found.shown_audio == pytest.approx(41 / 50)


def test_a_perfect_kappa_has_no_interval() -> None:
    found = agreed(run(50, 0))
    assert (found.kappa, found.kappa_low, found.agreement) == (1.0, None, 1.0)
    assert found.agreement_low < 1


def test_what_is_not_declared_is_counted_or_says_why() -> None:
    rows = [msgspec.structs.replace(r, needs_audio=None) if r.record_id == "c3" else r for r in run(40, 5)]
    assert (agreed(rows).n, agreed(rows).undeclared) == (98, 2)
    none = agreed([msgspec.structs.replace(r, needs_audio=None) for r in run(40, 5)])
    assert (none.n, none.kappa) == (0, None)
    assert none.why_not == "no question says in 'needs_audio' whether it needs it"
    one_kind = agreed([r for r in run(40, 5) if r.needs_audio])
    assert (one_kind.kappa, one_kind.shown_audio, one_kind.shown_vl) == (None, 0.8, None)
    assert "all questions say the same" in one_kind.why_not


def test_only_conditions_without_the_sound_show_a_need() -> None:
    rows = [row("q", condition=name, needs_audio=True, group="g") for name in ("full", "snr_0db", "blur")]
    assert score_predictions(rows, QUICK).lomo_agreement == ()


def test_a_planted_listener_is_recovered() -> None:
    """It tells tones by their spectrum and colours by their pixels, so all that is declared is shown."""
    rows = ask(Listener(), ToneDataset(40), ["full", "mute_audio", "noise_audio"], seed=0, batch_size=8)
    scores = score_predictions(list(rows), QUICK)
    muted = next(r for r in scores.lomo_agreement if r.condition == "mute_audio")
    assert (muted.kappa, muted.only_declared, muted.only_shown) == (1.0, 0, 0)
    apart = next(r for r in scores.separation if r.condition == "mute_audio")
    assert (apart.value, apart.auroc) == (1.0, 1.0)
    kept = [r for r in scores.irrelevance if r.measure in ("accuracy_kept", "answers_changed_share")]
    assert {r.value for r in kept} == {0.0}
    assert {r.condition for r in kept} == {"full", "noise_audio"}
    consulted = [r for r in scores.irrelevance if r.measure == "false_consultation"]
    assert {r.value for r in consulted} == {0.0}
    assert all(0 < r.limit < 0.2 for r in consulted)
