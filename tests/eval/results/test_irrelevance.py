"""Irrelevance: what sounds that do not matter do to questions about the picture."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, row, shuffled

from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.results.irrelevance import IrrelevanceRow, is_irrelevant
from safe_eval.scoring.score import score_predictions
from safe_eval.text.hearing_text import hearing_lines

QUICK = Sampling(resamples=100)
Found = dict[tuple[str, str, str | None], IrrelevanceRow]


def beside(wrong: int, condition: str = "swap_audio", **fields: object) -> list[Prediction]:
    """So many of 50 pictures are mistaken beside another's sound; none with the own sound or in silence."""
    return [
        *answers("base", "full", lambda clip, hears: not hears, **fields | {"consulted": False}),
        *answers("safe", "full", lambda clip, hears: True, **fields),
        *answers("safe", "mute_audio", lambda clip, hears: not hears, **fields),
        *answers("safe", condition, lambda clip, hears: not hears and clip >= wrong, **fields),
    ]


def of(rows: list[Prediction], condition: str = "swap_audio", sound: str = "all") -> Found:
    return {
        (r.measure, r.model, r.against): r
        for r in score_predictions(rows, QUICK).irrelevance
        if (r.condition, r.sound) == (condition, sound)
    }


def test_accuracy_is_kept_beside_full_silence_and_the_baseline() -> None:
    found = of(beside(3))
    assert [against for measure, model, against in found if measure == "accuracy_kept"] == [
        "safe/full",
        "safe/mute_audio",
        "base/full",
    ]
    kept = found["accuracy_kept", "safe", "base/full"]
    assert (kept.value, kept.n, kept.clusters) == (pytest.approx(-0.06), 50, 50)
    assert kept.ci_low < kept.limit < kept.value < kept.ci_high  # one-sided: nearer than the interval
    changed = found["answers_changed_share", "safe", "safe/full"]
    assert changed.value == pytest.approx(0.06)
    assert changed.value < changed.limit < changed.ci_high


def test_nothing_that_changed_is_not_certain() -> None:
    kept = of(beside(0))["accuracy_kept", "safe", "safe/full"]
    assert (kept.value, kept.interval) == (0.0, "bounded cluster mean")
    assert -0.06 < kept.limit < 0


def test_only_pictures_count_and_each_pair_stands_once() -> None:
    rows = score_predictions(beside(3), QUICK).irrelevance
    assert {r.n for r in rows if r.value is not None} == {50}  # the 50 sounds are in no number
    pairs = [(r.condition, r.against) for r in rows if r.measure == "accuracy_kept"]
    assert ("full", "safe/mute_audio") in pairs
    assert ("mute_audio", "safe/full") not in pairs


def test_false_consultation_has_an_upper_limit_and_says_by_what_gate() -> None:
    found = of(beside(0, consulted=False))["false_consultation", "safe", None]
    assert (found.value, found.gate, found.metric) == (0.0, "closed", None)
    assert 0 < found.limit < found.ci_high < 0.1
    scored = of(beside(0, consulted=True, gate_score=0.7))["false_consultation", "safe", None]
    assert (scored.value, scored.limit, scored.gate) == (1.0, 1.0, "scored")
    silent = of(beside(0))["false_consultation", "safe", None]
    assert (silent.value, silent.gate) == (None, None)
    assert silent.why_not == "no row says in 'consulted' whether the sound was used"


def test_sounds_are_told_apart_by_what_rows_say() -> None:
    """Beside music 5 of 25 pictures are mistaken, beside speech none."""
    kinds = [
        msgspec.structs.replace(r, metadata={"sound_kind": ("music", "speech")[int(r.record_id[1:]) >= 25]})
        if r.condition == "swap_audio"
        else r
        for r in beside(5)
    ]
    assert of(kinds, sound="music")["accuracy_kept", "safe", "safe/full"].value == pytest.approx(-0.2)
    assert of(kinds, sound="speech")["accuracy_kept", "safe", "safe/full"].value == 0.0
    assert of(kinds)["accuracy_kept", "safe", "safe/full"].value == pytest.approx(-0.1)


def test_the_record_whose_sound_was_sent_is_named_by_its_class() -> None:
    classes = [
        row(
            f"k{n}",
            "speech",
            references=(name,),
            task="classify",
            record_id=f"r{n}",
            group="k",
            dataset="made",
        )
        for n, name in enumerate(("speech", "rain"))
    ]
    sent = [
        msgspec.structs.replace(r, metadata={"sound_of": f"r{int(r.record_id[1:]) % 3}"})
        if r.condition == "swap_audio"
        else r
        for r in beside(0)
    ]
    found = score_predictions([*classes, *sent], QUICK).irrelevance
    counts = {r.sound: r.n for r in found if (r.condition, r.against) == ("swap_audio", "safe/full")}
    assert counts == {"all": 50, "speech": 17, "rain": 17, "unsaid": 16}


def test_many_kinds_of_sound_are_not_many_tables() -> None:
    many = [
        msgspec.structs.replace(r, metadata={"sound_kind": f"k{min(int(r.record_id[1:]), 20)}"})
        for r in beside(0)
    ]
    found = score_predictions(many, QUICK).irrelevance
    counts = {r.sound: r.n for r in found if (r.condition, r.against) == ("swap_audio", "safe/full")}
    assert (len(counts), counts["k20"], counts["other"]) == (13, 30, 10)


def test_a_model_that_was_sent_no_sound_has_no_rows() -> None:
    none = {"metadata": {"sent": {"sound": None, "picture": "own", "gate": None}}}
    rows = answers("safe", "full", lambda clip, hears: True, **none)
    assert score_predictions(rows, QUICK).irrelevance == ()
    assert not is_irrelevant("mute_vision")


def test_questions_of_one_side_are_counted_apart() -> None:
    rows = beside(0)
    kept = of(rows[:98] + rows[100:])["accuracy_kept", "safe", "base/full"]
    assert (kept.n, kept.only_one) == (49, 1)
    lonely = of(answers("safe", "swap_audio", lambda clip, hears: True))
    assert [measure for measure, *_ in lonely] == ["accuracy_beside_sound", "false_consultation"]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 50), st.integers(0, 9))
def test_order_does_not_matter_and_every_loss_is_a_change(wrong: int, seed: int) -> None:
    rows = beside(wrong)
    results = score_predictions(rows, QUICK).irrelevance
    assert score_predictions(shuffled(rows, seed), QUICK).irrelevance == results
    for kept in (r for r in results if r.measure == "accuracy_kept"):
        (changed,) = (
            r
            for r in results
            if r.measure == "answers_changed_share"
            and (r.condition, r.sound, r.against) == (kept.condition, kept.sound, kept.against)
        )
        assert changed.value >= abs(kept.value) - 1e-9
        assert kept.ci_low <= kept.limit <= kept.value <= kept.ci_high


def test_the_text_fits_80_columns() -> None:
    lines = list(hearing_lines(score_predictions(beside(3, consulted=True), QUICK)))
    assert max(map(len, lines)) <= 80
    assert "  safe/swap_audio        safe/full       −0.060" in "\n".join(lines)
