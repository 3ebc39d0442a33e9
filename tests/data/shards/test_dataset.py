"""Every sample can be read at any time, and is never mixed up with another."""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from folders import row, sound_bytes, write_folder, write_media, write_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.decode import decode_audio
from safe_data.records import Audio, Record
from safe_data.shards import manifest
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.folder import read


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips; one is the last half second of a longer stereo FLAC at another rate."""
    root = tmp_path_factory.mktemp("dataset") / "world"
    rows = [row(number) for number in range(8)]
    del rows[3]["audio_file_name"]
    del rows[4]["image_file_name"]
    write_media(root, rows)
    long = np.random.default_rng(5).uniform(-0.5, 0.5, (44_100, 2))
    (root / "sounds" / "long.flac").write_bytes(sound_bytes(long, rate=44_100, kind="FLAC"))
    rows.append(row(8, audio_file_name="sounds/long.flac", start_seconds=0.5, image_file_name=None))
    return write_rows(root, rows)


@pytest.fixture(scope="module")
def dataset(world: Path) -> ShardDataset:
    build_dataset(world, world.parent / "shards", shard_size=4)
    return ShardDataset(world.parent / "shards", "train", "logmel")


def test_records_come_back_as_they_were(world: Path, dataset: ShardDataset) -> None:
    *given, clip = read(world)
    *found, stored = [dataset.record(index) for index in range(len(dataset))]
    assert found == given
    assert isinstance(clip, Record)
    assert stored.audio == Audio(path="sounds/long.flac")  # of a longer file the shard holds the clip alone
    assert stored.metadata == {"clip_of": {"start_seconds": 0.5, "duration_seconds": None}}
    assert stored.examples == clip.examples


def test_media_come_back_as_they_were(world: Path, dataset: ShardDataset) -> None:
    for index, record in enumerate(read(world)):
        assert isinstance(record, Record)
        assert bool(dataset.has_audio[index]) == (record.audio is not None)
        if record.audio is None:
            assert dataset.audio(index) is None
            assert dataset.audio_bytes(index) is None
        else:
            data = (world / record.audio.path).read_bytes()
            stored, is_part = dataset.audio_bytes(index), record.audio.start_seconds > 0
            assert stored is not None
            assert (stored == data) is not is_part
            assert not is_part or len(stored) < 0.6 * len(data)
            sound, expected = dataset.audio(index), decode_audio(data, None, record.audio.start_seconds)
            assert sound is not None
            np.testing.assert_array_equal(sound.samples, expected.samples)
        assert (dataset.image(index) is None) == (record.image is None)
        if record.image is not None:
            assert dataset.image_bytes(index) == (world / record.image).read_bytes()


def test_a_cached_embedding_is_the_encoders_bit_for_bit(dataset: ShardDataset) -> None:
    encoder = LogMelEncoder()
    cached = dataset.embeddings(range(len(dataset)))
    assert cached.dtype == np.float16
    for index in range(len(dataset)):
        sound = dataset.audio(index, encoder.sample_rate_hz)
        fresh = np.zeros(512, np.float16) if sound is None else encoder.encode([sound.samples])[0]
        assert cached[index].tobytes() == fresh.tobytes()
    assert not cached[3].any()
    assert len({embedding.tobytes() for embedding in cached}) == len(dataset)


@settings(max_examples=50, deadline=None)
@given(indices=st.lists(st.integers(0, 8), max_size=30))
def test_embeddings_come_in_any_order(dataset: ShardDataset, indices: list[int]) -> None:
    every = dataset.embeddings(range(9))
    np.testing.assert_array_equal(dataset.embeddings(indices), every[indices])
    np.testing.assert_array_equal(dataset.embeddings(np.array(indices, np.int32)), every[indices])


def test_it_says_what_it_is(dataset: ShardDataset) -> None:
    assert (len(dataset), dataset.name) == (9, "world")
    assert dataset.encoder == {
        "name": "logmel",
        "fingerprint": LogMelEncoder().fingerprint,
        "shape": (512,),
        "dtype": "float16",
        "sample_rate_hz": 8000,
    }
    assert dataset.manifest["id"].to_pylist() == [f"clip-{number:03d}" for number in range(9)]
    assert dataset.manifest["duration_seconds"].to_pylist()[8] == 0.5
    assert dataset.manifest["channels"].to_pylist()[8] == 2
    assert dataset.manifest["audio_name"].to_pylist()[8] == "clip-008.flac"
    assert len(set(dataset.manifest["shard"].to_pylist())) == 3


def test_it_can_be_sent_to_a_worker(dataset: ShardDataset) -> None:
    dataset.embeddings([0])
    data = pickle.dumps(dataset)
    assert len(data) < 20_000
    np.testing.assert_array_equal(pickle.loads(data).embeddings([5, 0]), dataset.embeddings([5, 0]))


def test_a_value_of_the_manifest(dataset: ShardDataset) -> None:
    assert dataset.value(2, "id") == "clip-002"
    assert dataset.value(np.int64(3), "audio_sha256") is None
    data = dataset.image_bytes(0)
    assert data is not None
    assert dataset.value(0, "image_sha256") == hashlib.sha256(data).hexdigest()
    with pytest.raises(KeyError, match="colour"):
        dataset.value(0, "colour")


@pytest.mark.parametrize("index", [-1, 9])
def test_a_sample_that_is_not_there_raises(dataset: ShardDataset, index: int) -> None:
    for call in (
        dataset.record,
        dataset.audio,
        dataset.image,
        dataset.audio_bytes,
        lambda i: dataset.value(i, "id"),
        lambda i: dataset.embeddings([0, i]),
    ):
        with pytest.raises(IndexError, match="train has samples 0 to 8"):
            call(index)


def test_a_split_or_encoder_that_is_not_there_is_named_with_those_that_are(dataset: ShardDataset) -> None:
    with pytest.raises(InputError, match=r"no split 'training'; it has train$"):
        ShardDataset(dataset.root, "training")
    with pytest.raises(
        InputError, match="no embeddings are named 'clap'; it has logmel-0f573aec; add it by `safe-data build"
    ):
        ShardDataset(dataset.root, "train", "clap")
    assert ShardDataset(dataset.root, "train", "logmel-0f573aec").encoder == dataset.encoder


class LoudnessEncoder:
    """One number per clip: its mean power in dB, at least -60."""

    name = "loudness"
    fingerprint = "feedbeef00"
    sample_rate_hz = 4_000
    shape = (1,)

    def encode(self, clips: list[np.ndarray]) -> np.ndarray:
        powers = [np.square(clip).mean() for clip in clips]
        return 10 * np.log10(np.maximum(powers, 1e-6)).astype(np.float16).reshape(-1, 1)


def test_one_of_two_encoders_must_be_chosen(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "loudness", LoudnessEncoder)
    build_dataset(world, tmp_path / "shards", encoders=("logmel", "loudness"))
    with pytest.raises(
        InputError, match=r"no encoder chosen for the embeddings; it has logmel-0f573aec, loudness-feedbeef$"
    ):
        ShardDataset(tmp_path / "shards", "train").embeddings([0])
    levels = ShardDataset(tmp_path / "shards", "train", "loudness").embeddings([0, 3])
    assert levels.shape == (2, 1)
    assert -40 < levels[0, 0] < -10
    assert levels[1, 0] == 0


def test_another_encoder_shares_the_samples(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "loudness", LoudnessEncoder)
    build_dataset(world, tmp_path / "shards", encoders=("logmel", "loudness"))
    first = ShardDataset(tmp_path / "shards", "train", "logmel")
    silence = first.silence
    monkeypatch.setattr(manifest, "read", None)  # the manifest is read once
    second = first.with_encoder("loudness")
    assert second.manifest is first.manifest
    assert second.record(4) == first.record(4)
    assert (first.encoder_source, second.encoder_source) == ("logmel", "loudness")
    assert (first.embeddings([0]).shape, second.embeddings([0]).shape) == ((1, 512), (1, 1))
    assert second.silence.tolist() == [-60]
    assert first.silence is silence
    assert second.with_encoder("logmel").silence.tobytes() == silence.tobytes()
    with pytest.raises(InputError, match="no embeddings are named 'clap'; it has logmel-0f573aec, loud"):
        first.with_encoder("clap")


def test_media_can_be_read_without_an_encoder(world: Path, tmp_path: Path) -> None:
    build_dataset(world, tmp_path / "shards", encoders=())
    dataset = ShardDataset(tmp_path / "shards", "train")
    assert dataset.encoder is None
    assert dataset.audio(0) is not None
    with pytest.raises(InputError, match=r"no encoder chosen for the embeddings; it has none$"):
        dataset.embeddings([0])


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    build_dataset(write_folder(tmp_path / "world"), tmp_path / "shards")
    return tmp_path / "shards"


def test_a_damaged_medium_is_not_handed_out(damaged: Path) -> None:
    dataset = ShardDataset(damaged, "train")
    offset = dataset.manifest["audio_offset"].to_pylist()[0]
    (tar,) = (damaged / "train").glob("*.tar")
    data = bytearray(tar.read_bytes())
    data[offset + 100] ^= 1
    tar.write_bytes(data)
    assert dataset.image(0) is not None
    with pytest.raises(
        InputError, match=r"the audio of .clip-000. is not what was stored; `safe-data verify` says what else"
    ):
        dataset.audio(0)


def test_a_damaged_record_is_not_handed_out(damaged: Path) -> None:
    dataset = ShardDataset(damaged, "train")
    (tar,) = (damaged / "train").glob("*.tar")
    offset = dataset.manifest["json_offset"].to_pylist()[0]
    for old, new in ((b"{", b"["), (b'"clip-000"', b'"clip-009"')):
        data = bytearray(tar.read_bytes())
        at = data.rindex(old, offset, offset + 600)
        changed = data[:at] + new + data[at + len(new) :]
        tar.write_bytes(changed)
        with pytest.raises(InputError, match=r"the json of 'clip-000' is not what was stored"):
            dataset.record(0)
        tar.write_bytes(data)


def test_a_cut_off_tar_is_noticed_when_it_is_opened(damaged: Path) -> None:
    (tar,) = (damaged / "train").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:5000])
    with pytest.raises(
        InputError,
        match=r"world-train-000000.tar: shorter than manifest.parquet says; run `safe-data verify`$",
    ):
        ShardDataset(damaged, "train")
    tar.unlink()
    with pytest.raises(InputError, match=r"world-train-000000.tar: cannot be read"):
        ShardDataset(damaged, "train")


def test_a_sidecar_of_another_shape_is_refused(damaged: Path) -> None:
    (sidecar,) = (damaged / "train").glob("*.npy")
    np.save(sidecar, np.zeros((3, 512), np.float16))
    with pytest.raises(InputError, match=r"is float16 \(3, 512\), expected float16 \(4, 512\)$"):
        ShardDataset(damaged, "train").embeddings([0])
    np.save(sidecar, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as embeddings"):
        ShardDataset(damaged, "train").embeddings([0])


def test_a_manifest_that_does_not_fit_is_refused(damaged: Path) -> None:
    facts = json.loads((damaged / "dataset.json").read_text())
    facts["splits"]["train"]["samples"] = 5
    (damaged / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"4 of 5 train samples are in manifest.parquet$"):
        ShardDataset(damaged, "train")
