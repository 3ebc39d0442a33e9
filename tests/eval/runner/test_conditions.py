"""Each condition makes the change that it names, of the size that it names, and no other."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Audio, Record
from safe_eval.condition import changes_sound
from safe_eval.runner.conditions import (
    GREY,
    Media,
    Partner,
    Sent,
    apply_condition,
    check_conditions,
)

SOUND = (0.2 * np.sin(np.arange(8000) / 5)).astype(np.float32)
RED = (255, 0, 0)
RNG_SEED = 7
RECORD = Record(id="r1", dataset="made", split="test", group="g", image="i.png", audio=Audio(path="s.wav"))


def spoken(samples: np.ndarray, rate: int = 8000) -> Callable[[], Sound]:
    return lambda: Sound(samples, rate, rate, 1)


def media(samples: np.ndarray | None = SOUND, *, picture: bool = True) -> Media:
    shown = (lambda: Image.new("RGB", (4, 3), RED)) if picture else None
    return Media(None if samples is None else spoken(samples), shown)


OWN = media()


def sent(condition: str, own: Media = OWN, **options: Partner) -> Sent:
    return apply_condition(condition, RECORD, RNG_SEED, own, **options)


def heard(condition: str, samples: np.ndarray | None = SOUND) -> np.ndarray:
    read = sent(condition, media(samples)).sound
    assert read is not None
    return read().samples


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean()))


def test_full_changes_nothing_and_gate_off_the_gate_alone() -> None:
    full, off = sent("full"), sent("gate_off")
    assert (full.sound, full.picture, full.gate) == (OWN.sound, OWN.picture, 1.0)
    assert (off.sound, off.picture, off.gate) == (OWN.sound, OWN.picture, 0.0)


def test_mute_audio_is_silence_of_the_same_length() -> None:
    muted = heard("mute_audio")
    assert muted.shape == SOUND.shape
    assert muted.dtype == np.float32
    assert not muted.any()
    assert sent("mute_audio").picture is OWN.picture
    assert SOUND.any()


def test_noise_has_the_same_rms_and_no_trace_of_the_sound() -> None:
    noisy = heard("noise_audio")
    assert noisy.dtype == np.float32
    assert rms(noisy) == pytest.approx(rms(SOUND), rel=1e-5)
    assert abs(np.corrcoef(noisy, SOUND)[0, 1]) < 0.05


@pytest.mark.parametrize("decibels", [-5, 0, 10, 40])
def test_snr_mixes_noise_that_many_db_below_the_sound(decibels: int) -> None:
    mixed = heard(f"snr_{decibels}db")
    assert mixed.dtype == np.float32
    assert 20 * np.log10(rms(SOUND) / rms(mixed - SOUND)) == pytest.approx(decibels, abs=0.01)


def test_mute_vision_is_grey_of_the_same_size() -> None:
    blind = sent("mute_vision")
    assert blind.picture is not None
    assert blind.picture().size == (4, 3)
    assert blind.picture().getcolors() == [(12, GREY)]
    assert blind.sound is OWN.sound


def test_swap_sends_the_other_sound_at_its_own_rate() -> None:
    other = spoken(np.ones(5, np.float32), 16000)
    swapped = sent("swap_audio", partner=Partner("r2", Media(other, None)))
    assert swapped.sound is other
    assert swapped.picture is OWN.picture
    with pytest.raises(ValueError, match="needs the other sound"):
        sent("swap_audio")


@pytest.mark.parametrize("condition", ["mute_audio", "noise_audio", "swap_audio", "snr_10db", "full"])
def test_without_a_sound_there_is_nothing_to_change(condition: str) -> None:
    assert sent(condition, media(None)).sound is None
    assert sent("mute_vision", media(picture=False)).picture is None


@pytest.mark.parametrize(
    ("condition", "own", "note"),
    [
        ("full", OWN, {"sound": "own", "picture": "own", "gate": 1.0}),
        ("gate_off", OWN, {"sound": "own", "picture": "own", "gate": 0.0}),
        ("mute_audio", OWN, {"sound": "silence", "picture": "own", "gate": 1.0}),
        ("noise_audio", OWN, {"sound": "noise", "picture": "own", "gate": 1.0}),
        ("swap_audio", OWN, {"sound": "of:r2", "picture": "own", "gate": 1.0}),
        ("snr_10db", OWN, {"sound": "own:snr_10db", "picture": "own", "gate": 1.0}),
        ("mute_vision", OWN, {"sound": "own", "picture": "grey", "gate": 1.0}),
        ("reverb", OWN, {"sound": "own:reverb", "picture": "own", "gate": 1.0}),
        ("codec_mp3_16", OWN, {"sound": "own:codec_mp3_16", "picture": "own", "gate": 1.0}),
        ("contradict", OWN, {"sound": "of:r2", "picture": "own", "gate": 1.0}),
        ("swap_vision", OWN, {"sound": "own", "picture": "of:r2", "gate": 1.0}),
        ("blur", OWN, {"sound": "own", "picture": "own:blur", "gate": 1.0}),
        ("text_only", OWN, {"sound": "left out", "picture": "left out", "gate": 1.0}),
        ("drop_0", OWN, {"sound": "own", "picture": "own", "gate": 1.0}),
        ("drop_100", OWN, {"sound": "left out", "picture": "left out", "gate": 1.0}),
        ("text_only", Media(None, None), {"sound": None, "picture": None, "gate": 1.0}),
        ("noise_audio", Media(None, None), {"sound": None, "picture": None, "gate": 1.0}),
        ("mute_vision", Media(None, None), {"sound": None, "picture": None, "gate": 1.0}),
    ],
)
def test_the_note_says_what_is_sent(condition: str, own: Media, note: dict[str, object]) -> None:
    assert sent(condition, own, partner=Partner("r2", OWN)).note == note


def test_nothing_is_read_before_what_is_sent_is_read() -> None:
    def refuse() -> Sound:
        raise AssertionError

    unread = Media(refuse, None)
    conditions = ("full", "gate_off", "mute_audio", "noise_audio", "snr_0db", "mute_vision", "swap_audio")
    for condition in conditions:
        assert sent(condition, unread, partner=Partner("r2", unread)).note["sound"] is not None


def test_a_blurred_picture_keeps_its_size_and_mean() -> None:
    half = Image.new("RGB", (32, 32), RED)
    half.paste((0, 0, 0), (0, 0, 16, 32))
    own = Media(None, lambda: half)
    read = sent("blur", own).picture
    assert read is not None
    blurred = np.asarray(read()).astype(float)
    assert blurred.shape == (32, 32, 3)
    assert blurred.mean() == pytest.approx(np.asarray(half).mean(), rel=0.02)
    assert 20 < blurred[16, 16, 0] < 235  # the edge is no longer sharp
    assert blurred[16, 31, 0] == 255
    assert blurred[16, 0, 0] == 0


def test_what_is_dropped_at_a_low_rate_is_dropped_at_a_higher_one() -> None:
    for seed in range(20):
        gone = [
            apply_condition(f"drop_{percent}", RECORD, seed, OWN).sound is None
            for percent in range(0, 101, 10)
        ]
        assert gone == sorted(gone)
    shares = [apply_condition("drop_30", RECORD, seed, OWN).picture is None for seed in range(1000)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.04)
    both = [
        [
            getattr(apply_condition("drop_50", RECORD, seed, OWN), kind) is None
            for kind in ("sound", "picture")
        ]
        for seed in range(1000)
    ]
    assert abs(np.corrcoef(np.array(both).T)[0, 1]) < 0.1


def test_a_sound_that_nothing_contradicts_is_an_error() -> None:
    with pytest.raises(ValueError, match="contradict: no sound says something else"):
        sent("contradict")


def test_an_unknown_condition() -> None:
    with pytest.raises(InputError, match="unknown condition 'loud'; there are full, mute_audio"):
        sent("loud")
    with pytest.raises(InputError, match=r"unknown condition 'mute_adio'; did you mean 'mute_audio'[?]"):
        sent("mute_adio")
    assert not changes_sound("gate_off")


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([], "give at least one, and none twice"),
        (["full", "full"], "give at least one, and none twice"),
        (["full", "loud"], "unknown condition 'loud'"),
        (["snr_10db"], "snr_10db: no record has a sound, so there is nothing to change"),
        (["mute_vision"], "mute_vision: no record has a picture, so there is nothing to change"),
    ],
)
def test_conditions_that_cannot_be_run(conditions: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_conditions(conditions, has_sound=False, has_picture=False)
    check_conditions(["full", "gate_off"], has_sound=False, has_picture=False)
    check_conditions(["snr_10db", "mute_vision"], has_sound=True, has_picture=True)
