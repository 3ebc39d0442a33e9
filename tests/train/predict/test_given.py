"""What each record gives: stored embeddings where the sound is not changed, and the facts of what is sent."""

from functools import partial

import numpy as np
import pytest
from numpy import ndarray
from two_encoders import LoudEncoder

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset
from safe_eval.runner.conditions import Media, Partner, apply_condition
from safe_eval.runner.row import hear
from safe_train.predict import sounds as sounds_module
from safe_train.predict.given import Given, Giver
from safe_train.predict.plan import Arm, make_plan
from safe_train.predict.sounds import Sounds, WantedEncoder

CONDITIONS = ("full", "gate_off", "mute_audio", "swap_audio", "noise_audio", "snr_10db", "mute_vision")
STORED = CONDITIONS[:4]
SEED = 3
LOGMEL = WantedEncoder("logmel", LogMelEncoder().fingerprint, None)


def giver(split: ShardDataset, *encoders: WantedEncoder) -> Giver:
    plan = make_plan(split, CONDITIONS, seed=SEED, batch_size=4)
    return Giver(split, Sounds(split, encoders or (LOGMEL,)), plan.partners, SEED)


def give(
    split: ShardDataset, condition: str, *encoders: WantedEncoder, model: str = "safe"
) -> dict[int, Given]:
    records = {index: split.record(index) for index in range(len(split))}
    given = giver(split, *encoders).give(Arm(model, condition), records)
    assert all(isinstance(one, Given) for one in given.values()), given
    return given  # type: ignore[return-value]


def sent_sound(split: ShardDataset, condition: str, index: int) -> Sound | None:
    """The sound that the runner would send."""

    def media(number: int) -> Media:
        sound = split.audio(number)
        return Media(None if sound is None else lambda: sound, partial(split.image, number))

    partner = giver(split).partner(Arm("safe", condition), index)
    other = None if partner is None else Partner(split.record(partner).id, media(partner))
    read = apply_condition(condition, split.record(index), SEED, media(index), other).sound
    return None if read is None else read()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_heard_is_what_the_runner_would_send(split: ShardDataset, condition: str) -> None:
    given = give(split, condition)
    assert sorted(given) == [0, 1, 2, 3, 4]
    for index, one in given.items():
        sound = sent_sound(split, condition, index)
        if sound is None:
            assert index == 1
            assert (one.sound, one.heard, one.gate, one.note["sound"]) == (None, None, 0.0, None)
            continue
        assert one.heard == hear(sound)
        expected = LogMelEncoder().encode([sound.resampled(8000).samples])[0]
        (embedding,) = one.sound or ()
        assert embedding.tobytes() == expected.tobytes()
        assert one.gate == one.note["gate"] == (0.0 if condition == "gate_off" else 1.0)


def test_no_sound_is_decoded_and_no_encoder_loaded_for_what_is_stored(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    original = ShardDataset.audio
    monkeypatch.setattr(
        ShardDataset, "audio", lambda self, index: decoded.append(index) or original(self, index)
    )
    monkeypatch.setattr("safe_train.predict.sounds.load_encoder", None)
    one = giver(split)
    for condition in STORED:
        records = {index: split.record(index) for index in range(len(split))}
        one.give(Arm("safe", condition), records)
    assert decoded == [2]  # its hash is of one channel, and the manifest's is of two
    one.prepare((*STORED, "mute_vision"))
    for condition in ("noise_audio", "snr_10db"):
        with pytest.raises(TypeError, match="not callable"):
            one.prepare([condition])


def test_the_base_is_given_no_sound(split: ShardDataset) -> None:
    for one in give(split, "full", model="base").values():
        assert (one.sound, one.heard, one.gate) == (None, None, 0.0)
        assert one.note == {"sound": None, "picture": "own", "gate": None}


def test_a_changed_picture_has_a_name_of_its_own(split: ShardDataset) -> None:
    own, grey = give(split, "full"), give(split, "mute_vision")
    for index in own:
        stored, changed = own[index].picture, grey[index].picture
        assert stored is not None
        assert changed is not None
        assert stored.sha256 == split.value(index, "image_sha256")
        assert changed.sha256 != stored.sha256
        assert changed.load().size == stored.load().size
        assert changed.load().getcolors() == [(64, (128, 128, 128))]
    assert len({one.picture.sha256 for one in grey.values() if one.picture}) == 5


def test_every_encoder_of_the_checkpoint_is_heard(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "loud", LoudEncoder)
    both = (LOGMEL, WantedEncoder("loud", LoudEncoder().fingerprint, None))
    assert giver(split, *both).sounds.shapes == [(512,), (8, 64)]
    for condition in CONDITIONS:
        for one in give(split, condition, *both).values():
            if one.sound is not None:
                quiet, loud = one.sound
                assert np.array_equal(2 * quiet.reshape(8, 64), loud)


def test_a_broken_sound_is_an_error_of_its_record_where_it_is_needed(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ShardDataset.audio

    def audio(self: ShardDataset, index: int) -> Sound | None:
        if index == 3:
            raise ValueError("cannot\ndecode")
        return original(self, index)

    monkeypatch.setattr(ShardDataset, "audio", audio)
    records = {index: split.record(index) for index in range(len(split))}
    given = giver(split).give(Arm("safe", "noise_audio"), records)
    assert given[3] == "ValueError: cannot decode"
    assert sum(isinstance(one, Given) for one in given.values()) == 4
    assert isinstance(giver(split).give(Arm("safe", "full"), records)[3], Given)


def test_a_sound_that_cannot_be_embedded_is_an_error_of_its_record(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = giver(split)
    embed = Sounds.embed

    def fail_on_the_longest(self: Sounds, sounds: list[Sound]) -> tuple[ndarray, ...]:
        if (
            max(len(sound.samples) for sound in sounds) > 7500
            and min(s.sample_rate_hz for s in sounds) == 8000
        ):
            raise RuntimeError("too long")
        return embed(self, sounds)

    monkeypatch.setattr(Sounds, "embed", fail_on_the_longest)
    records = {index: split.record(index) for index in (1, 2, 3)}
    given = one.give(Arm("safe", "snr_0db"), records)
    assert given[3] == "RuntimeError: too long"
    assert isinstance(given[2], Given)
    assert given[2].sound is not None


def test_a_dataset_without_silence_is_refused_early(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(*_: object) -> None:
        raise InputError("has no silence")

    monkeypatch.setattr("safe_data.shards.dataset.read_silence", lacks)
    one = giver(split)
    one.prepare(["full", "gate_off", "swap_audio"])
    with pytest.raises(InputError, match="has no silence"):
        one.prepare(["full", "mute_audio"])


def test_embeddings_that_the_dataset_lacks(split: ShardDataset) -> None:
    with pytest.raises(InputError, match=r"no embeddings are named 'clap-12345678'; it has logmel-.*loud-"):
        Sounds(split, [WantedEncoder("clap", "12345678" * 2, None)])


def test_another_version_of_an_encoder_is_refused_when_it_is_loaded(split: ShardDataset) -> None:
    sounds = Sounds(split, [WantedEncoder("loud", LoudEncoder().fingerprint, "logmel")])
    with pytest.raises(
        InputError,
        match=r"encoder logmel: is logmel \w+, and the checkpoint hears by loud \w+; give the right",
    ):
        sounds.load()


@pytest.mark.parametrize("source", ["clap:moved", "clap:owner/name"])
def test_what_only_a_checkpoint_names_is_not_fetched(
    split: ShardDataset, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sounds_module, "load_encoder", lambda spec: asked.append(spec) or LoudEncoder())
    loud = WantedEncoder("loud", LoudEncoder().fingerprint, source)
    with pytest.raises(InputError, match=r"is no folder here; say where it is with --encoder loud:SOURCE"):
        Sounds(split, [loud]).load()
    assert asked == []
    Sounds(split, [loud._replace(is_named=True)]).load()
    assert asked == [source]
