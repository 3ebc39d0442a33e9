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
    """How many examples of a module are wrong; one that stands in the file and did not run is wrong too."""
    run = doctest.testmod(module)
    not_run = examples_in(module) - run.attempted + getattr(run, "skipped", 0)  # Python 3.13 counts skips
    return run.failed + max(0, not_run)


def examples_in(module: ModuleType) -> int:
    """The lines of a module's file that begin an example."""
    lines = Path(str(module.__file__)).read_text("utf-8").splitlines()
    return sum(line.lstrip().startswith(">>> ") for line in lines)


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_are_true(name: str) -> None:
    assert failures(importlib.import_module(name)) == 0


def test_there_are_many() -> None:
    assert len(modules_with_examples()) > 50


def failures_of(source: str, folder: Path) -> int:
    """The failures of a module made of this source."""
    (folder / "made_example.py").write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.delitem(sys.modules, "made_example", raising=False)
        importlib.invalidate_caches()
        return failures(importlib.import_module("made_example"))


def test_a_wrong_example_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failures_of('def f():\n    """\n    >>> 1 + 1\n    3\n    """\n', tmp_path) == 1
    assert "Expected:" in capsys.readouterr().out


RUNS = 'def f():\n    """\n    >>> 1 + 1\n    2\n    """\n'
NEVER_RUNS = {
    "cached": "from functools import cached_property\nclass A:\n    @cached_property\n    def b(self):\n"
    '        """\n        >>> 1 + 1\n        3\n        """\n',
    "inner": 'def g():\n    def h():\n        """\n        >>> 1 + 1\n        3\n        """\n',
    "comment": '# >>> 1 + 1\nx = """\n>>> 1 + 1\n3\n"""\n',
    "skipped": 'def g():\n    """\n    >>> 1 + 1  # doctest: +SKIP\n    3\n    """\n',
}


@pytest.mark.parametrize("source", NEVER_RUNS.values(), ids=NEVER_RUNS)
def test_an_example_that_never_runs_fails_beside_one_that_does(source: str, tmp_path: Path) -> None:
    assert failures_of(RUNS, tmp_path) == 0
    folder = tmp_path / "never"
    folder.mkdir()
    assert failures_of(RUNS + source, folder) == 1
