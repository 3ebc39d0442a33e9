"""Every example in a docstring of the packages is true."""

import doctest
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safe_data", "safe_eval", "safe_train")


def modules_with_examples() -> list[str]:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    named = [
        file.relative_to(ROOT).with_suffix("").parts for file in files if ">>> " in file.read_text("utf-8")
    ]
    return sorted(".".join(parts).removesuffix(".__init__") for parts in named)


def failures(module: ModuleType) -> int:
    """How many examples of a module are wrong; one that was found and not run is wrong too."""
    ran = doctest.testmod(module)
    return ran.failed if ran.attempted else 1


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_are_true(name: str) -> None:
    assert failures(importlib.import_module(name)) == 0


def test_there_are_many() -> None:
    assert len(modules_with_examples()) > 50


def test_a_wrong_example_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wrong_example.py").write_text('def f():\n    """\n    >>> 1 + 1\n    3\n    """\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        wrong = importlib.import_module("wrong_example")
        assert failures(wrong) == 1
    assert "Expected:" in capsys.readouterr().out
    del sys.modules["wrong_example"]
