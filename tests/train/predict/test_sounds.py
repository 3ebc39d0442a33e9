"""What each arm hears: stored embeddings where the sound is not changed, and what the runner says of it."""

import numpy as np
import pytest
from numpy import ndarray
from two_encoders import LoudEncoder

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.sound import Sound
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Input
from safe_eval.runner.given import Given, Giver
from safe_eval.runner.plan import Arm, make_plan
from safe_eval.runner.row import hear
from safe_train.predict import sounds as sounds_module
from safe_train.predict.sounds import Embedding, Sounds, WantedEncoder

CONDITIONS = ("full", "gate_off", "mute_audio", "swap_audio", "noise_audio", "snr_10db", "mute_vision")
STORED = CONDITIONS[:4]
SEED = 3
LOGMEL = WantedEncoder("logmel", LogMelEncoder().fingerprint, None)
QUESTION = Example(id="q", task="vqa", prompt="?", references=("a",))


def give(split: ShardDataset, condition: str) -> dict[int, Given]:
    plan = make_plan(split, [Arm("safe", name) for name in CONDITIONS], seed=SEED, batch_size=4)
    records = {index: split.record(index) for index in range(len(split))}
    given = Giver(split, plan, SEED).give(Arm("safe", condition), records, hears=True)
    assert all(isinstance(one, Given) for one in given.values()), given
    return given  # type: ignore[return-value]


def inputs(given: dict[int, Given]) -> list[Input]:
    return [
        Input(QUESTION, one.picture, one.sound, one.gate, one.sound_is, one.sound_of)
        for one in given.values()
    ]


def heard(split: ShardDataset, condition: str, *encoders: WantedEncoder) -> list[Embedding | None]:
    return Sounds(split, encoders or (LOGMEL,)).of(inputs(give(split, condition)))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_heard_is_what_is_sent(split: ShardDataset, condition: str) -> None:
    given = give(split, condition)
    for index, embedding in zip(given, heard(split, condition), strict=True):
        read = given[index].sound
        if read is None:
            assert index == 1
            assert embedding is None
            continue
        assert given[index].heard == hear(read())
        expected = LogMelEncoder().encode([read().resampled(8000).samples])[0]
        assert embedding is not None
        assert embedding[0].tobytes() == expected.tobytes()


def test_no_sound_is_decoded_and_no_encoder_loaded_for_what_is_stored(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    original = ShardDataset.audio
    monkeypatch.setattr(
        ShardDataset, "audio", lambda self, index: decoded.append(index) or original(self, index)
    )
    monkeypatch.setattr("safe_train.predict.sounds.load_encoder", None)
    for condition in STORED:
        heard(split, condition)
    assert set(decoded) == {2}  # its hash is of one channel, and the manifest's is of two
    sounds = Sounds(split, (LOGMEL,))
    sounds.prepare((*STORED, "mute_vision"))
    for condition in ("noise_audio", "snr_10db"):
        with pytest.raises(TypeError, match="not callable"):
            sounds.prepare([condition])


def test_every_encoder_of_the_checkpoint_is_heard(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "loud", LoudEncoder)
    both = (LOGMEL, WantedEncoder("loud", LoudEncoder().fingerprint, None))
    assert Sounds(split, both).shapes == [(512,), (8, 64)]
    for condition in CONDITIONS:
        for embedding in heard(split, condition, *both):
            if embedding is not None:
                quiet, loud = embedding
                assert np.array_equal(2 * quiet.reshape(8, 64), loud)


def test_a_sound_that_several_questions_are_about_is_embedded_once(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[int] = []
    embed = Sounds.embed

    def counted(self: Sounds, sounds: list[Sound]) -> tuple[ndarray, ...]:
        embedded.append(len(sounds))
        return embed(self, sounds)

    monkeypatch.setattr(Sounds, "embed", counted)
    given = give(split, "noise_audio")
    asked = [*inputs(given), *inputs(given)]
    found = Sounds(split, (LOGMEL,)).of(asked)
    assert embedded == [4]
    assert all(one is other for one, other in zip(found[:5], found[5:], strict=True))


def test_a_dataset_without_silence_is_refused_early(
    split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(*_: object) -> None:
        raise InputError("has no silence")

    monkeypatch.setattr("safe_data.shards.dataset.read_silence", lacks)
    one = Sounds(split, (LOGMEL,))
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
