"""A build stores each encoder's silence once, keeps what is known, and mends what is damaged or missing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from folders import files_of, without_silence, write_folder
from tiny_encoders import save_clap

from safe_data.build import encoder_piece
from safe_data.build.add_encoder import add_encoder
from safe_data.build.build import build_dataset
from safe_data.build.encoder_piece import SilencePiece, embed_silences
from safe_data.build.engines.piece import load_once
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS, embed_silence, load_encoder
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import Encoding, read_dataset
from safe_data.shards.verify import verify_dataset

SILENCE = "silence.logmel-0f573aec.npy"


class OtherEncoder(LogMelEncoder):
    """The embedded encoder under another name."""

    name = "other"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder-piece")
    build_dataset(write_folder(folder / "world"), folder / "shards")
    return folder / "shards"


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shards"))


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the encoders that embed silence from now on."""
    names: list[str] = []
    monkeypatch.setattr(
        encoder_piece, "embed_silence", lambda encoder: names.append(encoder.name) or embed_silence(encoder)
    )
    monkeypatch.setitem(ENCODERS, "other", OtherEncoder)
    return names


def mend_by_build(root: Path, world: Path) -> None:
    build_dataset(world, root)


def mend_by_add_encoder(root: Path, _: Path) -> None:
    add_encoder(root, "logmel")


@pytest.mark.parametrize("mend", [mend_by_build, mend_by_add_encoder])
def test_what_is_missing_is_added_and_nothing_else_is_written(
    built: Path, root: Path, embedded: list[str], mend: Callable[[Path, Path], None]
) -> None:
    without_silence(root)
    before = {path: path.stat().st_mtime_ns for path in root.glob("*/*")}
    mend(root, built.parent / "world")
    assert embedded == ["logmel"]
    assert files_of(root) == files_of(built)
    assert before == {path: path.stat().st_mtime_ns for path in root.glob("*/*")}
    (root / SILENCE).write_bytes(b"damaged")
    mend(root, built.parent / "world")
    assert files_of(root) == files_of(built)


@pytest.mark.parametrize("mend", [mend_by_build, mend_by_add_encoder])
def test_what_is_stored_is_not_embedded_again(
    built: Path, root: Path, embedded: list[str], mend: Callable[[Path, Path], None]
) -> None:
    mend(root, built.parent / "world")
    assert embedded == []
    assert files_of(root) == files_of(built)


def test_silence_of_other_encoders_is_kept(built: Path, root: Path, embedded: list[str]) -> None:
    build_dataset(built.parent / "world", root, encoders=["other"])
    assert embedded == ["other"]
    assert [facts.source for facts in read_dataset(root).encoder_facts.values()] == ["logmel", "other"]
    assert ShardDataset(root, "train", "logmel").silence.any()


def test_silence_that_belongs_to_no_encoder_is_removed(built: Path, root: Path) -> None:
    shutil.copy(root / SILENCE, root / "silence.clap-00000000.npy")
    (root / "silence.mine.npy").write_text("mine")
    build_dataset(built.parent / "world", root)
    assert set(files_of(root)) == {*files_of(built), "silence.mine.npy"}


def test_an_encoder_that_moved_gets_its_new_source(built: Path, tmp_path: Path, embedded: list[str]) -> None:
    clap = save_clap(tmp_path / "clap")
    build_dataset(built.parent / "world", tmp_path / "out", encoders=[f"clap:{clap}"])
    expected = embed_silence(load_encoder(f"clap:{clap}"))
    dataset = ShardDataset(tmp_path / "out", "train")
    assert dataset.silence.tobytes() == expected.tobytes()
    assert dataset.encoder_source == f"clap:{clap}"
    moved = shutil.copytree(clap, tmp_path / "moved")
    add_encoder(tmp_path / "out", f"clap:{moved}")
    assert embedded == ["clap"]
    assert ShardDataset(tmp_path / "out", "train").encoder_source == f"clap:{moved}"
    assert verify_dataset(tmp_path / "out").findings == ()


def test_a_worker_with_another_model_is_refused() -> None:
    expected = Encoding.of(OtherEncoder())
    with pytest.raises(
        InputError, match=r"^workers have different models for 'logmel'; give all of them the"
    ):
        embed_silences(SilencePiece({"logmel": expected}), lambda: None, load_once)
