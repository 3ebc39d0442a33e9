"""Tiny packages for the tests of real runs: random weights in the files that real ones come in."""

from pathlib import Path

import pytest
from tiny_language import save_gguf
from tiny_vision import save_lite0

from safe_train.real.base_model import BaseModel, assemble
from safe_train.real.language_model import read_gguf


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf")
    return save_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def lite0_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_lite0(tmp_path_factory.mktemp("lite0") / "lite0.pth")


@pytest.fixture
def assembled(gguf_file: Path, lite0_file: Path) -> BaseModel:
    """An untaught base of a tiny language model and a vision tower of the real size."""
    return assemble(read_gguf(gguf_file), lite0_file)


@pytest.fixture(scope="session")
def saved_base(gguf_file: Path, lite0_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a checkpoint directory."""
    folder = tmp_path_factory.mktemp("base")
    for part in assemble(read_gguf(gguf_file), lite0_file):
        part.save_pretrained(folder)
    return folder
