"""Delivery as evidence: a condition whose sound did not reach the model decides nothing."""

import msgspec
import pytest
from made_rows import good_run, scored

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction

SENT = {  # the sound of a clip under each condition, and its level
    "full": ("{clip}", -20.0),
    "mute_audio": ("silence", -120.0),
    "swap_audio": ("other-{clip}", -20.0),
    "noise_audio": ("noise-{clip}", -20.0),
    "snr_10db": ("noisy-{clip}", -19.0),
}


def sent(row: Prediction, condition: str | None = None) -> Prediction:
    """The row with what was sent under its condition, or under another one."""
    text, level = SENT[condition or row.condition]
    return msgspec.structs.replace(row, audio_sha256=text.format(clip=row.record_id), audio_rms_db=level)


def run(condition: str = "mute_audio") -> list[Prediction]:
    """A good run that hears, its muted arm under the name of a condition; the base is sent no sound."""
    rows = [r for r in good_run(40) if r.condition in ("full", "mute_audio")]
    named = [
        msgspec.structs.replace(r, condition=condition if r.condition == "mute_audio" else "full")
        for r in rows
    ]
    return [r if r.model == "base" else sent(r) for r in named]


def judged(rows: list[Prediction], silence: str = "mute_audio", /, **fields: object) -> Judged:
    asked = {
        "name": "it",
        "metric": "vqa_accuracy",
        "slice": "audio",
        "condition": "safe/full",
        "against": f"safe/{silence}",
        "bound": ">= 0.05",
    }
    return judge(Criterion(**asked | fields), scored(rows, Sampling(resamples=100)))


@pytest.mark.parametrize("condition", ["mute_audio", "swap_audio", "noise_audio", "snr_10db"])
def test_a_sound_that_was_sent_as_under_full_is_not_measured(condition: str) -> None:
    rows = run(condition)
    assert judged(rows, condition).decision == "go"
    undelivered = [sent(r, "full") if r.condition == condition else r for r in rows]
    found = judged(undelivered, condition)
    assert (found.decision, found.value) == ("not measured", None)
    words = "80 of 80 sounds were sent as under full: the condition did not reach the model"
    assert f"safe/{condition}: {words}" in found.evidence
    one = [sent(r, "full") if r.condition == condition and r.record_id == "c7" else r for r in rows]
    assert "2 of 80 sounds were sent as under full" in judged(one, condition).evidence


def test_every_criterion_on_the_condition_is_concerned_and_no_other() -> None:
    rows = [sent(r, "full") if r.condition == "mute_audio" else r for r in run()]
    alone = {"condition": "safe/mute_audio", "against": None, "bound": "<= 0.5"}
    lomo = {"metric": "share_lost", "condition": "safe/mute_audio", "against": "safe/full", "bound": ">= 0.1"}
    turned = {"condition": "safe/mute_audio", "against": "safe/full", "bound": "<= 0"}
    for fields in (alone, lomo, turned):
        assert judged(run(), **fields).decision == "go", fields
        assert judged(rows, **fields).decision == "not measured", fields
    assert judged(rows, against="base/full").decision == "go"


def test_over_seeds_one_undelivered_seed_is_enough() -> None:
    every = [msgspec.structs.replace(r, seed=seed) for seed in (0, 1) for r in run()]
    fields = {"over": "seeds"}
    assert judged(every, **fields).decision == "go"
    bad = [sent(r, "full") if r.condition == "mute_audio" and r.seed == 1 else r for r in every]
    assert judged(bad, **fields).decision == "not measured"
    assert judged(bad).decision == "not measured"
    assert "seed 1" in judged(bad).evidence
    assert "the worst of 2: 1 not measured, 1 go" in judged(bad).evidence


def test_what_was_sent_under_full_may_be_known_from_another_model() -> None:
    rows = [sent(r, "full") if r.condition == "mute_audio" else r for r in run()]
    told = [
        sent(r)
        if r.model == "base"
        else msgspec.structs.replace(r, audio_sha256=None, audio_rms_db=None)
        if r.condition == "full"
        else r
        for r in rows
    ]
    assert "80 of 80 sounds were sent as under full" in judged(told).evidence


def test_a_muted_sound_that_was_not_silent_and_a_noise_that_was() -> None:
    loud = [
        msgspec.structs.replace(r, audio_rms_db=-60.0) if r.condition == "mute_audio" else r for r in run()
    ]
    assert "80 of 80 sounds were not silent" in judged(loud).evidence
    quiet = [
        msgspec.structs.replace(r, audio_rms_db=-120.0) if r.condition == "noise_audio" else r
        for r in run("noise_audio")
    ]
    assert "80 of 80 sounds were silent" in judged(quiet, "noise_audio").evidence


def test_leaving_out_what_was_sent_helps_nobody() -> None:
    hidden = [
        msgspec.structs.replace(r, audio_sha256=None, audio_rms_db=None) if r.condition == "mute_audio" else r
        for r in run()
    ]
    found = judged(hidden)
    assert found.decision == "not measured"
    assert "80 rows do not say which sound was sent; under full they do" in found.evidence


def test_leaving_out_what_was_sent_under_full_helps_nobody_either() -> None:
    rows = [
        msgspec.structs.replace(r, audio_rms_db=None, audio_sha256=r.audio_sha256 and "same")
        if r.condition != "full"
        else msgspec.structs.replace(r, audio_rms_db=None, audio_sha256=None)
        for r in run()
    ]
    found = judged(rows)
    assert found.decision == "not measured"
    assert "80 rows say which sound was sent; under full they do not" in found.evidence
    silent = [r if r.condition == "full" else msgspec.structs.replace(r, audio_rms_db=-120.0) for r in rows]
    assert judged(silent).decision == "go"  # the level shows it


def test_a_run_that_says_nothing_of_its_sounds_says_so() -> None:
    silent = [msgspec.structs.replace(r, audio_sha256=None, audio_rms_db=None) for r in run()]
    assert judged(silent).decision == "go"
    assert "no row says which sound was sent" in judged(silent).evidence
    assert "no row says" not in judged(run()).evidence


def test_a_sound_that_was_silent_already_stays_the_same_when_muted() -> None:
    def hushed(r: Prediction) -> Prediction:
        changed = r.record_id == "c3" and r.model == "safe"
        return msgspec.structs.replace(r, audio_sha256="silence", audio_rms_db=-120.0) if changed else r

    assert judged(list(map(hushed, run()))).decision == "go"


def test_a_hash_is_the_same_in_capitals() -> None:
    full = {r.record_id: f"ab{r.record_id}" for r in run()}
    rows = [
        msgspec.structs.replace(r, audio_sha256=full[r.record_id])
        if r.condition == "full"
        else msgspec.structs.replace(r, audio_sha256=f" {full[r.record_id]}".upper())
        for r in run()
    ]
    assert "80 of 80 sounds were sent as under full" in judged(rows).evidence


def test_silence_that_was_never_a_sound_shows_nothing() -> None:
    """Where every sound that was needed was silent under full, muting has changed nothing."""
    rows = [r if r.model == "base" else sent(r, "mute_audio") for r in run()]
    assert judged(rows).decision == "not measured"
    pictures = [msgspec.structs.replace(r, needs_audio=False) for r in rows]
    assert judged(pictures, slice="vl").decision != "not measured"


def test_the_note_names_the_dataset_where_there_are_several() -> None:
    rows = [sent(r, "full") if r.condition == "mute_audio" else r for r in run()]
    assert scored(rows, Sampling(resamples=100)).notes[0].startswith("safe/mute_audio, seed 0: 80")
    rows += [msgspec.structs.replace(r, dataset="other", example_id=f"o-{r.example_id}") for r in rows]
    notes = scored(rows, Sampling(resamples=100)).notes
    assert any(note.startswith("safe/mute_audio on other, seed 0: 80 of 80") for note in notes)
