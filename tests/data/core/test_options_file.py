"""options.yaml says what ran and with which versions, and the same command reads it again."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from safe_data.core.command import run
from safe_data.core.options_file import OPTIONS, installed_versions, options_yaml, write_options


def test_a_package_that_is_not_installed_has_no_version() -> None:
    found = installed_versions(["no-such-package", "numpy", "nor-this-one", "pyarrow"])
    assert found == {"numpy": version("numpy"), "pyarrow": version("pyarrow")}
    assert installed_versions([]) == {}


def test_the_first_line_names_the_command_and_versions() -> None:
    head = options_yaml("safe-data build", {}, ["numpy", "no-such-package"]).decode().splitlines()[0]
    assert head == f"# safe-data build; Python {platform.python_version()}, numpy {version('numpy')}"


def test_options_left_to_their_default_are_not_written() -> None:
    options = {"out": Path("a") / "b", "name": None, "encoder": ("logmel",), "rate": 0.05, "quiet": False}
    assert yaml.safe_load(options_yaml("safe-data build", options, [])) == {
        "out": "a/b",
        "encoder": ["logmel"],
        "rate": 0.05,
        "quiet": False,
    }


def test_what_was_written_runs_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def build(out: Path, *, encoder: tuple[str, ...] = (), note: str | None = None, seed: int = 0) -> None:
        """Build."""
        print(out, list(encoder), note, seed)

    options = {"out": Path("o"), "encoder": ("a", "b"), "note": "é: #1", "seed": 3}
    path = write_options(tmp_path / "new", "prog build", options)
    assert path == tmp_path / "new" / OPTIONS
    assert run("prog", "A program.", {"build": build}, ["build", "--config", str(path)]) == 0
    assert capsys.readouterr().out == "o ['a', 'b'] é: #1 3\n"
