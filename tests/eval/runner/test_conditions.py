"""Each condition makes the change that it names, of the size that it names, and no other."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Audio, Example, Record
from safe_eval.condition import changes_sound
from safe_eval.runner.conditions import (
    GREY,
    Media,
    Partner,
    Sent,
    apply_condition,
    check_conditions,
    noise,
    record_rng,
    swap_partners,
)

SOUND = (0.2 * np.sin(np.arange(8000) / 5)).astype(np.float32)
RED = (255, 0, 0)
RNG_SEED = 7


def spoken(samples: np.ndarray, rate: int = 8000) -> Callable[[], Sound]:
    return lambda: Sound(samples, rate, rate, 1)


def media(samples: np.ndarray | None = SOUND, *, picture: bool = True) -> Media:
    shown = (lambda: Image.new("RGB", (4, 3), RED)) if picture else None
    return Media(None if samples is None else spoken(samples), shown)


OWN = media()


def sent(condition: str, own: Media = OWN, **options: Partner) -> Sent:
    return apply_condition(condition, record(1, "g", "a", 1), RNG_SEED, own, **options)


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


def test_silence_and_an_empty_sound_stay_what_they_are() -> None:
    assert not heard("noise_audio", np.zeros(10, np.float32)).any()
    assert len(noise(np.zeros(0, np.float32), record_rng(0, "r"))) == 0


def test_noise_belongs_to_the_record_and_the_seed() -> None:
    def draw(seed: int, record: str) -> list[float]:
        return noise(SOUND, record_rng(seed, record))[:3].tolist()

    assert draw(0, "r1") == draw(0, "r1")
    assert draw(0, "r1") != draw(1, "r1")
    assert draw(0, "r1") != draw(0, "r2")


def test_an_unknown_condition() -> None:
    with pytest.raises(InputError, match="unknown condition 'loud'; there are full, mute_audio"):
        sent("loud")
    with pytest.raises(InputError, match=r"unknown condition 'mute_adio'; did you mean 'mute_audio'[?]"):
        sent("mute_adio")
    assert not changes_sound("gate_off")


def record(number: int, group: str, kind: str, count: int, *, sound: bool = True) -> Record:
    asked = [("what", kind), ("how many", str(count))]
    return Record(
        id=f"r{number}",
        dataset="made",
        split="test",
        group=group,
        image="i.png",
        audio=Audio(path="s.wav") if sound else None,
        examples=tuple(
            Example(id=f"r{number}-{i}", task="vqa", prompt=p, references=(a,), needs_audio=True)
            for i, (p, a) in enumerate(asked)
        ),
    )


def world(clips: int) -> list[Record]:
    rng = np.random.default_rng(3)
    return [
        record(i, f"g{i // 3}", "abcdef"[rng.integers(6)], int(rng.integers(1, 5)), sound=i % 7 != 0)
        for i in range(clips)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_partners_are_of_other_groups_with_other_answers_and_each_sound_is_used_once(seed: int) -> None:
    records = world(300)
    partners = swap_partners(records, seed)
    heard = [place for place, record in enumerate(records) if record.audio]
    assert sorted(partners) == sorted(partners.values()) == heard
    for place, partner in partners.items():
        assert records[place].group != records[partner].group
        assert not {(e.prompt, e.references) for e in records[place].examples} & {
            (e.prompt, e.references) for e in records[partner].examples
        }


def test_partners_depend_on_the_seed() -> None:
    records = world(60)
    assert swap_partners(records, 0) == swap_partners(records, 0) != swap_partners(records, 1)


def test_equal_answers_are_allowed_where_nothing_else_is_possible() -> None:
    records = [record(i, f"g{i}", "a", 1) for i in range(4)]
    partners = swap_partners(records, 0)
    assert sorted(partners.values()) == [0, 1, 2, 3]
    assert all(place != partner for place, partner in partners.items())


def test_a_group_with_most_of_the_sounds_uses_some_twice() -> None:
    records = [record(i, "big" if i < 8 else "small", "a", 1) for i in range(10)]
    partners = swap_partners(records, 0)
    assert len(partners) == 10
    assert all(records[place].group != records[partner].group for place, partner in partners.items())


def test_sounds_of_one_group_cannot_be_swapped() -> None:
    with pytest.raises(InputError, match="every sound is of the group 'g'; it takes sounds of two groups"):
        swap_partners([record(i, "g", "a", i) for i in range(5)], 0)


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
