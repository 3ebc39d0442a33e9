"""A disguised copy of a sound is found, and another sound of the same kind is not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.audit.alike.neighbours import near_pairs
from safe_data.audit.alike.sounds import ALIKE_PRINTS, are_one, near_sounds
from safe_data.audit.corpus import open_corpus
from safe_data.audit.sound_prints import LENGTH, same_recording, sound_print
from safe_data.build.build import build_dataset
from safe_data.media.decode import decode_audio
from safe_data.sources.synthetic.faults_key import false_pairs, read_key, recall
from safe_data.sources.synthetic.sounds import SAMPLE_RATE_HZ, SOUNDS, play
from safe_data.sources.synthetic.transforms import TRANSFORMS, disguise
from safe_data.sources.synthetic.world import write_world

FAULTS = {"near_leakage": 5, "near_duplicate": 5, "silent": 2}


def made(kind: str, seed: int) -> np.ndarray:
    samples, _ = play(kind, 2, "easy", np.random.default_rng(seed))
    return np.asarray(samples, np.float32) / 32768


def likeness(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How alike the prints and the waveforms are."""
    return float(sound_print(one) @ sound_print(other)), same_recording(one, other)


@pytest.mark.parametrize("transform", [one for one in TRANSFORMS if one != "resample_8k"])
def test_a_disguise_is_the_same_recording(transform: str) -> None:
    for number, kind in enumerate(SOUNDS):
        samples = made(kind, number)
        data, _, _ = disguise(samples.astype(float), SAMPLE_RATE_HZ, transform, np.random.default_rng(number))
        prints, waveforms = likeness(samples, decode_audio(data, SAMPLE_RATE_HZ).samples)
        assert prints > ALIKE_PRINTS, kind
        assert are_one(prints, waveforms), kind


def test_another_sound_of_the_same_kind_is_another_recording() -> None:
    for kind in SOUNDS:
        prints, waveforms = likeness(made(kind, 1), made(kind, 2))
        assert not are_one(prints, waveforms), kind


def test_silence_and_a_single_sample_are_like_nothing() -> None:
    silence, click = np.zeros(8000, np.float32), np.ones(1, np.float32)
    assert not sound_print(silence).any()
    assert sound_print(silence).shape == sound_print(click).shape == (LENGTH,)
    assert same_recording(silence, made(next(iter(SOUNDS)), 0)) == 0


def test_a_sound_within_a_longer_one_is_not_the_same() -> None:
    rng = np.random.default_rng(0)
    long = rng.normal(0, 0.1, 32_000).astype(np.float32)
    assert same_recording(long[:16_000], np.concatenate([long[14_000:16_000], long[20_000:]])) == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 40), st.floats(-0.5, 0.9))
def test_near_pairs_are_those_of_a_plain_product(seed: int, count: int, bound: float) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = near_pairs(vectors, bound)
    expected = np.argwhere(np.triu(vectors @ vectors.T >= bound, 1))
    assert np.stack([near.left, near.right], axis=1).tolist() == expected.tolist()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("alike")
    write_world(
        folder / "world", clips=72, seed=3, faults={"near_leakage": 5, "near_duplicate": 5, "silent": 2}
    )
    build_dataset(folder / "world", str(folder / "shards"), encoders=(), quiet=True)
    return folder / "world", folder / "shards"


def test_planted_copies_are_found_and_nothing_else(world: tuple[Path, Path]) -> None:
    corpus, key = open_corpus([str(world[1])]), read_key(world[0])
    found = near_sounds(corpus)
    ids = corpus.manifest["id"].to_pylist()
    pairs = [(ids[one], ids[other]) for one, other in found.pairs.tolist()]
    assert {one.rate for one in recall(key, pairs).values()} == {1.0}
    assert false_pairs(key, pairs) == []
    assert found.unread == ()


def test_a_sound_that_cannot_be_read_is_counted_and_the_others_are_compared(
    world: tuple[Path, Path], tmp_path: Path
) -> None:
    import shutil

    root = Path(shutil.copytree(world[1], tmp_path / "shards"))
    corpus = open_corpus([str(root)])
    before = near_sounds(corpus)
    broken = int(before.left[0])
    with corpus.tar(broken).open("r+b") as file:
        file.seek(corpus.manifest["audio_offset"][broken].as_py())
        file.write(bytes(64))
    after = near_sounds(open_corpus([str(root)]))
    assert after.unread == (broken,)
    assert len(after) == len(before) - int(((before.left == broken) | (before.right == broken)).sum())
