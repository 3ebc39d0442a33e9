"""Delivery: a condition that changes a sound or a picture and did not reach the model is found out."""

from typing import Any

import msgspec
import pytest
from made_rows import row

from safe_eval.arms.arm import make_arms
from safe_eval.arms.delivery import Delivery, deliveries
from safe_eval.prediction import Prediction

CLIPS = 30
SOUNDS = (
    *("mute_audio", "noise_audio", "swap_audio", "contradict", "reverb"),
    *("snr_5db", "lowpass_2000", "codec_mp3_32", "clip_1", "shift_100"),
)
PICTURES = ("mute_vision", "swap_vision", "blur")


def sent(clip: int, condition: str = "full", **fields: Any) -> Prediction:
    """A row of the runner: a sound of three seconds and a picture, changed as the condition says."""
    silent = condition == "mute_audio"
    sound = f"{condition}-{clip}" if condition in SOUNDS else f"sound-{clip}"
    picture = f"{condition}-{clip}" if condition in PICTURES else f"picture-{clip}"
    note = {"sound": "own", "picture": "own", "sound_seconds": 3.0, "picture_sha256": picture}
    told = {"audio_sha256": sound, "audio_rms_db": -120.0 if silent else -20.0, "metadata": {"sent": note}}
    about = {"record_id": f"c{clip}", "condition": condition, "model": "safe", "needs_audio": True}
    return row(f"q{clip}", **about | told | fields)


def without(one: Prediction, *parts: str) -> Prediction:
    """The row of a record whose sound or picture was left out."""
    note = dict(one.metadata["sent"])
    hidden: dict[str, Any] = {"audio_sha256": None, "audio_rms_db": None} if "sound" in parts else {}
    for part in parts:
        note[part] = "left out"
        note.pop({"sound": "sound_seconds", "picture": "picture_sha256"}[part])
    return msgspec.structs.replace(one, **hidden, metadata={"sent": note})


def as_full(condition: str, clips: range = range(CLIPS)) -> list[Prediction]:
    return [msgspec.structs.replace(sent(clip), condition=condition) for clip in clips]


def found(changed: list[Prediction], full: list[Prediction] | None = None) -> dict[str, Delivery]:
    rows = [*(full or [sent(clip) for clip in range(CLIPS)]), *changed]
    return {delivery.part: delivery for delivery in deliveries(make_arms(rows))}


@pytest.mark.parametrize(
    ("condition", "part"), [*((name, "sound") for name in SOUNDS), *((name, "picture") for name in PICTURES)]
)
def test_what_was_delivered_has_no_fault_and_what_was_not_has_one(condition: str, part: str) -> None:
    delivered = found([sent(clip, condition) for clip in range(CLIPS)])
    assert set(delivered) == {part}
    assert (delivered[part].told, delivered[part].faults) == (CLIPS, ())
    undelivered = found(as_full(condition))[part]
    assert undelivered.faults[0] == (
        f"{CLIPS} of {CLIPS} {part}s were sent as under full: the condition did not reach the model"
    )


def test_a_sound_that_has_nothing_to_change_may_stay() -> None:
    low = [*as_full("lowpass_2000", range(1)), *(sent(clip, "lowpass_2000") for clip in range(1, CLIPS))]
    assert found(low)["sound"].faults == ()
    hall = [*as_full("reverb", range(1)), *(sent(clip, "reverb") for clip in range(1, CLIPS))]
    assert found(hall)["sound"].as_full == 1


def test_a_short_sound_is_not_clipped_and_a_long_one_is() -> None:
    full = [sent(clip) for clip in range(CLIPS)]
    full[0].metadata["sent"]["sound_seconds"] = 0.5
    clipped = [sent(clip, "clip_1") for clip in range(2, CLIPS)]
    stayed = [msgspec.structs.replace(one, condition="clip_1") for one in full[:2]]
    assert found([*stayed, *clipped], full)["sound"].as_full == 1
    assert found([stayed[0], sent(1, "clip_1"), *clipped], full)["sound"].faults == ()


def test_what_is_dropped_is_left_out_and_the_rest_is_as_under_full() -> None:
    rows = as_full("drop_20")
    dropped = [without(rows[0], "sound"), without(rows[1], "picture"), *rows[2:]]
    both = found(dropped)
    assert {part: (one.left_out, one.told, one.faults) for part, one in both.items()} == {
        "sound": (1, CLIPS - 1, ()),
        "picture": (1, CLIPS - 1, ()),
    }


def test_a_dropout_that_drops_nothing_is_believed_as_far_as_chance_goes() -> None:
    assert found(as_full("drop_50"))["sound"].as_full == CLIPS
    assert found(as_full("drop_50", range(5)))["sound"].faults == ()
    assert found(as_full("drop_0"))["sound"].faults == ()
    assert found(as_full("drop_100"))["picture"].as_full == CLIPS


def test_text_only_sends_neither() -> None:
    rows = as_full("text_only")
    quiet = found([without(one, "sound", "picture") for one in rows])
    assert [(one.left_out, one.told, one.faults) for one in quiet.values()] == [(CLIPS, 0, ())] * 2
    seen = found([without(one, "sound") for one in rows])
    assert seen["sound"].faults == ()
    assert seen["picture"].faults == ("30 of 30 pictures were sent: the condition leaves them out",)


def test_pictures_that_are_not_told_are_counted() -> None:
    hidden = [msgspec.structs.replace(sent(clip, "blur"), metadata=None) for clip in range(CLIPS)]
    assert found(hidden)["picture"].faults == (
        "30 rows do not say which picture was sent; under full they do",
    )
    untold = [msgspec.structs.replace(sent(clip), metadata={"sent": "?"}) for clip in range(CLIPS)]
    blurred = found([sent(clip, "blur") for clip in range(CLIPS)], untold)
    assert blurred["picture"].uncompared == CLIPS
    assert found(hidden, untold) == {}


def test_failed_rows_are_not_counted() -> None:
    failed = [
        sent(clip, "contradict", answer=None, error="no sound says something else") for clip in range(3)
    ]
    assert found([*failed, sent(3, "contradict")])["sound"].told == 1
