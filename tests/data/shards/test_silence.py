"""The stored silence is what the encoder makes of silence, can be read without it, and is checked."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import without_silence, write_folder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.encoders import encoder as encoders
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import EncoderFacts, read_dataset, stored_facts
from safe_data.shards.storage import Folder

LABEL = "logmel-0f573aec"
NAME = f"silence.{LABEL}.npy"
ENCODER = LogMelEncoder()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("silence")
    build_dataset(write_folder(folder / "world"), folder / "shards")
    return folder / "shards"


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shards"))


def refusal(root: Path) -> str:
    with pytest.raises(InputError) as error:
        _ = ShardDataset(root, "train").silence
    return str(error.value).replace(str(root), "ROOT")


def test_dataset_json_records_the_file_and_how_the_encoder_was_loaded(built: Path) -> None:
    assert read_dataset(built).encoder_facts == {
        LABEL: EncoderFacts("logmel", stored_facts(Folder(built), NAME))
    }


def test_it_is_read_without_the_encoder(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "load_encoder", None)
    dataset = ShardDataset(built, "train")
    assert (dataset.silence.dtype, dataset.silence.shape) == (np.float16, (512,))
    assert dataset.encoder_source == "logmel"
    with pytest.raises(ValueError, match="read-only"):
        dataset.silence[0] = 0


@settings(max_examples=50, deadline=None)
@given(samples=st.integers(0, 40 * ENCODER.sample_rate_hz))
@example(0)
@example(ENCODER.sample_rate_hz)
@example(ENCODER.max_seconds * ENCODER.sample_rate_hz + 1)
def test_silence_of_any_length_is_embedded_as_the_stored_one(built: Path, samples: int) -> None:
    stored = ShardDataset(built, "train").silence
    assert ENCODER.encode([np.zeros(samples, np.float32)])[0].tobytes() == stored.tobytes()


def test_a_dataset_of_an_older_version_can_be_read_but_has_none(root: Path) -> None:
    dataset = ShardDataset(without_silence(root), "train")
    assert dataset.embeddings([0]).any()
    assert dataset.encoder_source is None
    expected = f"ROOT: has no silence of {LABEL}; run `safe-data add-encoder ROOT SPEC`, where SPEC is what"
    assert refusal(root).startswith(expected)


def test_it_belongs_to_a_chosen_encoder(built: Path, tmp_path: Path) -> None:
    build_dataset(built.parent / "world", tmp_path / "out", encoders=())
    dataset = ShardDataset(tmp_path / "out", "train")
    assert dataset.encoder_source is None
    with pytest.raises(InputError, match=r"no encoder chosen for the embeddings; it has none$"):
        _ = dataset.silence


def test_what_is_not_the_stored_silence_is_refused(root: Path) -> None:
    fix = "run `safe-data add-encoder ROOT logmel`"
    data = (root / NAME).read_bytes()
    for changed in (data[:-1], data[:-1] + b"\0", b""):
        (root / NAME).write_bytes(changed)
        assert refusal(root) == f"ROOT/{NAME}: is not what was stored; {fix}"
    (root / NAME).unlink()
    missing = "cannot be read as an embedding (No such file or directory)"
    assert refusal(root) == f"ROOT/{NAME}: {missing}; {fix}"


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (np.zeros(3, np.float16), "is float16 (3,), expected float16 (512,)"),
        (np.zeros(512, np.float32), "is float32 (512,), expected float16 (512,)"),
        (np.array([{}], object), "cannot be read as an embedding"),
    ],
)
def test_another_array_with_its_own_hash_is_refused(root: Path, fake: np.ndarray, message: str) -> None:
    np.save(root / NAME, fake, allow_pickle=True)
    facts = json.loads((root / "dataset.json").read_bytes())
    found = stored_facts(Folder(root), NAME)
    facts["encoder_facts"][LABEL]["silence"] = {"sha256": found.sha256, "bytes": found.bytes}
    (root / "dataset.json").write_text(json.dumps(facts))
    assert re.match(rf"ROOT/{re.escape(NAME)}: {re.escape(message)}.*; run `safe-data add-", refusal(root))
