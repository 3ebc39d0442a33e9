"""Every Go criterion of the plan that predictions decide: a world that meets it, and one that just misses."""

from collections.abc import Callable

import made_go
import msgspec
import pytest
from made_verdict import judged_rows

from safe_eval.judging.criteria_file import shipped_criteria
from safe_eval.judging.judged import Judged, overall
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction

World = Callable[..., list[Prediction]]
TESTED_ELSEWHERE = {"demo", "success", "parser"}  # test_verdict.py, test_success.py, test_labelled.py


def judged(name: str, rows: list[Prediction], *settings: str) -> dict[str, Judged]:
    sampling, options = Sampling(resamples=200), ScoreOptions()
    return {row.name: row for row in judged_rows(rows, name, *settings, sampling=sampling, options=options)}


WORLDS: dict[str, World] = {
    "pilot": made_go.pilot,
    "gates": made_go.gates,
    "lomo": made_go.lomo,
    "irrelevance": made_go.irrelevance,
    "variance": made_go.variance,
    "captions": made_go.captions,
    "speech": made_go.speech,
    "overfit": made_go.overfit,
    "retention": made_go.retention,
    "real": made_go.real,
}


def test_every_shipped_file_is_tested() -> None:
    assert WORLDS.keys() | TESTED_ELSEWHERE == shipped_criteria().keys()


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_that_meets_them_all_is_go(name: str) -> None:
    found = judged(name, WORLDS[name]())
    assert overall(list(found.values())) == "go", {k: v for k, v in found.items() if v.decision != "go"}


@pytest.mark.parametrize(
    ("name", "world", "fails"),
    [
        ("pilot", {"gain": 17}, {"hearing_gains", "hearing_gains_five_points"}),
        ("pilot", {"lost_off": 1}, {"seeing_is_kept_gate_off", "hearing_gains_five_points"}),
        ("pilot", {"lost_on": 1}, {"seeing_is_kept_gate_on", "hearing_gains_five_points"}),
        ("pilot", {"slow": 1.11, "gain": 30}, {"answers_stay_quick"}),
        (  # skipping pictures only is no saving on sounds
            "gates",
            {"used_vl": 0, "used_audio": 421},
            {
                "the_gate_skips_the_sound",
                "the_gate_skips_the_sound_beyond_chance",
                "the_gate_skips_as_much_as_hoped",
            },
        ),
        ("gates", {"used_audio": 179}, {"the_sound_is_still_used"}),
        ("gates", {"lost_audio": 3}, {"hearing_is_kept"}),
        ("gates", {"used_vl": 30}, {"false_consultation_is_rare"}),  # 5 %, and its limit is above
        ("gates", {"lost_vl": 1}, {"seeing_is_kept"}),
        ("gates", {"slow": 1.11}, {"answers_stay_quick"}),
        ("lomo", {"lost_audio": 417}, {"hearing_needs_the_sound_beyond_chance"}),
        (
            "lomo",
            {"lost_audio": 399},
            {"hearing_needs_the_sound", "hearing_needs_the_sound_beyond_chance"},
        ),
        (  # 21 % of what is heard
            "lomo",
            {"lost_audio": 105},
            {"hearing_needs_the_sound", "hearing_needs_the_sound_beyond_chance"},
        ),
        ("lomo", {"lost_vl": 1}, {"seeing_needs_no_sound"}),
        ("lomo", {"lost_in_noise": 1}, {"seeing_ignores_noise"}),
        (  # whatever is muted, a fifth of everything is lost
            "lomo",
            {"lost_audio": 105, "lost_vl": 108},
            {
                "hearing_needs_the_sound",
                "hearing_needs_the_sound_beyond_chance",
                "seeing_needs_no_sound",
                "few_pictures_are_lost",
                "hearing_and_seeing_are_separated",
            },
        ),
        (
            "irrelevance",
            {"false": 30},
            {"false_consultation_is_rare", "noise_is_left_alone", "another_sound_is_left_alone"},
        ),
        (
            "irrelevance",
            {"changed_vl": 1},
            {"seeing_is_kept_beside_noise", "seeing_is_kept_beside_any_sound", "noise_changes_nothing_seen"},
        ),
        ("irrelevance", {"noisy": 241}, {"a_noisy_sound_still_helps"}),
        ("real", {"heard": 30}, {"sounds_are_heard", "hearing_beats_the_base"}),
        ("real", {"swapped": 120}, {"another_voice_is_followed"}),
        ("real", {"other": 0}, {"kinds_are_heard_in_another_corpus"}),
        ("real", {"lost_vl": 30}, {"seeing_is_kept"}),
        ("real", {"lost_off": 1}, {"gate_off_is_the_base"}),
        ("variance", {"audio": (540, 543, 547)}, {"seeds_agree_on_sounds"}),
        ("variance", {"vl": (538, 540, 542)}, {"seeds_agree_on_pictures"}),
        ("variance", {"audio": (240, 243, 246)}, {"hearing_gains_over_seeds"}),
        ("captions", {"right": 1}, {"captions_are_connected", "captions_are_connected_beyond_chance"}),
        ("speech", {"found": 49}, {"speech_is_found"}),
        ("speech", {"quiet": 94}, {"other_sounds_are_no_speech"}),
        ("speech", {"confidence": 0.94}, {"confidence_is_honest"}),
        ("overfit", {"right": 540}, {"the_training_examples_are_learned"}),
        ("overfit", {"changed_off": 1}, {"gate_off_is_the_base"}),
        ("retention", {"moved": 0.3}, {"distributions_are_kept"}),
        ("retention", {"lost_vl": 1}, {"seeing_is_kept"}),
        ("retention", {"changed_off": 1}, {"gate_off_is_the_base"}),
    ],
)
def test_a_world_that_just_misses_one_is_no_go(name: str, world: dict[str, object], fails: set[str]) -> None:
    found = judged(name, WORLDS[name](**world))
    assert {key for key, row in found.items() if row.decision == "no-go"} == fails
    assert overall(list(found.values())) == "no-go"


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("pilot", {"lost_on": -60, "lost_off": -60}),
        ("gates", {"lost_audio": -60, "lost_vl": -60}),
        ("retention", {"lost_vl": -60}),
        ("lomo", {"lost_vl": -60}),
    ],
)
def test_a_gain_is_no_failure(name: str, world: dict[str, object]) -> None:
    """Kept is not worse: 60 answers gained and none lost are go."""
    found = judged(name, WORLDS[name](**world))
    assert overall(list(found.values())) == "go", {k: v for k, v in found.items() if v.decision != "go"}


def test_a_gain_is_no_failure_of_success() -> None:
    rows = [*made_go.arm("base", "full", 240, 540), *made_go.arm("safe", "full", 500, 600)]
    found = judged("success", [*rows, *made_go.arm("safe", "swap_audio", 240, 600)])
    kept = {name: row for name, row in found.items() if name.startswith("seeing_is_kept")}
    assert len(kept) == 3
    assert {(row.decision, row.use) for row in kept.values()} == {("go", "non_inferiority")}
    assert all("60 gained, 0 lost" in row.evidence for row in kept.values())


@pytest.mark.parametrize("name", WORLDS)
def test_without_the_rows_nothing_is_measured_and_nothing_passes(name: str) -> None:
    """All rows are of another model, so that no criterion on a condition has a number."""
    strangers = [made_go.msgspec.structs.replace(row, model="other") for row in WORLDS[name]()[:400]]
    unique = {(r.example_id, r.condition, r.seed): r for r in strangers}
    found = judged(name, list(unique.values()))
    about = {key: row for key, row in found.items() if key != "coverage_is_complete"}
    assert {row.decision for row in about.values()} == {"not measured"}
    assert all("the scores hold no " in row.evidence for row in about.values())
    assert overall(list(found.values())) == "not measured"


def test_a_field_that_is_missing_is_the_reason() -> None:
    slow = made_go.timed(made_go.arm("safe", "full", 258, 540), 150.0)
    rows = [*made_go.arm("base", "full", 240, 540), *slow, *made_go.arm("safe", "gate_off", 240, 540)]
    found = judged("pilot", rows)["answers_stay_quick"]
    assert "needs a 'latency_ms' in rows of this model and of the baseline under full" in found.evidence
    silent = judged("gates", [*made_go.arm("base", "full", 9, 9), *made_go.arm("safe", "full", 9, 9)])
    assert "no row says whether the sound was 'consulted'" in silent["the_gate_skips_the_sound"].evidence


def test_two_seeds_are_not_three() -> None:
    found = judged("variance", made_go.variance((540, 543), (540, 540)))
    assert {row.decision for row in found.values()} == {"not measured"}
    assert "not judged: the seeds are 2, 3 are asked for" in found["seeds_agree_on_sounds"].evidence


def test_a_heuristic_gate_is_asked_for_less() -> None:
    rows = made_go.gates(used_audio=450)
    assert judged("gates", rows)["the_gate_skips_the_sound"].decision == "no-go"
    assert judged("gates", rows, "skips=0.2")["the_gate_skips_the_sound"].decision == "go"


def test_a_gain_is_no_failure_and_a_hundredth_lost_is_one() -> None:
    seen_better = judged("irrelevance", made_go.irrelevance(changed_vl=-40))
    assert seen_better["seeing_is_kept_beside_noise"].decision == "go"
    assert seen_better["noise_changes_nothing_seen"].decision == "no-go"
    assert judged("gates", made_go.gates(lost_audio=6))["hearing_is_kept"].decision == "no-go"


def test_85_of_100_lost_show_80_from_about_400_on() -> None:
    def lost(of: int) -> str:
        rows = [
            *made_go.arm("safe", "full", of, 540),
            *made_go.arm("safe", "mute_audio", of * 15 // 100, 540),
        ]
        return judged("lomo", rows)["hearing_needs_the_sound_beyond_chance"].decision

    assert [lost(of) for of in (200, 400)] == ["no-go", "go"]


def test_a_guess_among_choices_is_not_held_against_hearing() -> None:
    """Three of four answers are lost in silence, since one in four is guessed: that is all there is."""
    rows = [
        msgspec.structs.replace(r, choices=("yes", "no", "maybe", "never")) if r.needs_audio else r
        for r in made_go.lomo(lost_audio=385)
    ]
    asked = "hearing_needs_the_sound_beyond_chance"
    found = judged("lomo", rows)[asked]
    assert (found.decision, found.value) == ("no-go", 0.77)
    corrected = judged("lomo", rows, "share=share_lost_corrected")[asked]
    assert (corrected.decision, corrected.value) == ("go", pytest.approx(0.77 / 0.75))
    assert "and a guess is right in 25 %" in corrected.evidence
    unsaid = judged("lomo", made_go.lomo(), "share=share_lost_corrected")[asked]
    assert (unsaid.decision, unsaid.value) == ("not measured", None)
    assert "not every row has 'choices'" in unsaid.evidence
