"""Each condition makes the change that it names, of the size that it names, and no other."""

import numpy as np
import pytest
from PIL import Image

from safe_data.core.errors import InputError
from safe_data.records import Audio, Example, Record
from safe_eval.models.model import Input
from safe_eval.prediction import changes_sound
from safe_eval.runner.conditions import GREY, apply_condition, noise, record_rng, swap_partners

EXAMPLE = Example(id="q1", task="vqa", prompt="what is heard ?", references=("bell",), needs_audio=True)
SOUND = (0.2 * np.sin(np.arange(8000) / 5)).astype(np.float32)
RNG_SEED = 7


def given(**fields: object) -> Input:
    picture = Image.new("RGB", (4, 3), (255, 0, 0))
    return Input(**{"example": EXAMPLE, "image": picture, "audio": SOUND, "sample_rate_hz": 8000} | fields)


def applied(condition: str, **fields: object) -> Input:
    return apply_condition(condition, given(**fields), record_rng(RNG_SEED, "r1"))


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean()))


def test_full_changes_nothing_and_gate_off_the_gate_alone() -> None:
    untouched = given()
    assert apply_condition("full", untouched, record_rng(RNG_SEED, "r1")) is untouched
    off = applied("gate_off")
    assert (off.gate, given().gate) == (0.0, 1.0)
    assert off.audio is SOUND
    assert off.image == given().image


def test_mute_audio_is_silence_of_the_same_length() -> None:
    muted = applied("mute_audio")
    assert muted.audio.shape == SOUND.shape
    assert muted.audio.dtype == np.float32
    assert not muted.audio.any()
    assert muted.image == given().image
    assert SOUND.any()


def test_noise_has_the_same_rms_and_no_trace_of_the_sound() -> None:
    noisy = applied("noise_audio").audio
    assert noisy.dtype == np.float32
    assert rms(noisy) == pytest.approx(rms(SOUND), rel=1e-5)
    assert abs(np.corrcoef(noisy, SOUND)[0, 1]) < 0.05


@pytest.mark.parametrize("decibels", [-5, 0, 10, 40])
def test_snr_mixes_noise_that_many_db_below_the_sound(decibels: int) -> None:
    mixed = applied(f"snr_{decibels}db").audio
    assert mixed.dtype == np.float32
    assert 20 * np.log10(rms(SOUND) / rms(mixed - SOUND)) == pytest.approx(decibels, abs=0.01)


def test_mute_vision_is_grey_of_the_same_size() -> None:
    blind = applied("mute_vision")
    assert blind.image.size == (4, 3)
    assert blind.image.getcolors() == [(12, GREY)]
    assert blind.audio is SOUND


def test_swap_sends_the_other_sound_at_its_own_rate() -> None:
    other = np.ones(5, np.float32)
    swapped = apply_condition("swap_audio", given(), record_rng(0, "r1"), (other, 16000))
    assert swapped.audio is other
    assert swapped.sample_rate_hz == 16000
    with pytest.raises(ValueError, match="needs the other sound"):
        applied("swap_audio")


@pytest.mark.parametrize("condition", ["mute_audio", "noise_audio", "swap_audio", "snr_10db", "full"])
def test_without_a_sound_there_is_nothing_to_change(condition: str) -> None:
    assert applied(condition, audio=None, sample_rate_hz=None).audio is None
    assert applied("mute_vision", image=None).image is None


def test_silence_and_an_empty_sound_stay_what_they_are() -> None:
    assert not applied("noise_audio", audio=np.zeros(10, np.float32)).audio.any()
    assert len(noise(np.zeros(0, np.float32), record_rng(0, "r"))) == 0


def test_noise_belongs_to_the_record_and_the_seed() -> None:
    def draw(seed: int, record: str) -> list[float]:
        return noise(SOUND, record_rng(seed, record))[:3].tolist()

    assert draw(0, "r1") == draw(0, "r1")
    assert draw(0, "r1") != draw(1, "r1")
    assert draw(0, "r1") != draw(0, "r2")


def test_an_unknown_condition() -> None:
    with pytest.raises(InputError, match="unknown condition 'loud'; there are full, mute_audio"):
        applied("loud")
    with pytest.raises(InputError, match=r"unknown condition 'mute_adio'; did you mean 'mute_audio'[?]"):
        applied("mute_adio")
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
