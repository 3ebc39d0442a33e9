"""The rules a machine can read: file sizes, no pickle, no eval, no registry, nobody's home directory."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safe_data", "safe_eval", "safe_train")
LONGEST_FILE_LINES = 320


def package_files() -> list[Path]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 20
    return files


def tracked_text() -> list[tuple[str, str]]:
    """Every tracked file that is text, with what it says."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: the tracked files cannot be listed")
    texts = []
    for name in filter(None, listed.stdout.split("\0")):
        if not (ROOT / name).is_file():
            continue
        data = (ROOT / name).read_bytes()
        if b"\0" not in data:
            texts.append((name, data.decode("utf-8")))
    return texts


def test_no_file_outgrows_a_noun() -> None:
    long = {
        f.name: n
        for f in package_files()
        if (n := len(f.read_text("utf-8").splitlines())) > LONGEST_FILE_LINES
    }
    assert not long


def forbidden_calls(source: str) -> list[str]:
    """Calls that would run code found in data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(
            alias.name in ("pickle", "dill", "joblib") for alias in node.names
        ):
            found.append("pickle")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("eval", "exec")
        ):
            found.append(node.func.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            keywords = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            on_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
            if node.func.attr == "load" and on_torch and keywords.get("weights_only") is not True:
                found.append("torch.load")
            if keywords.get("shell") or keywords.get("allow_pickle"):
                found.append("shell or allow_pickle")
    return found


def test_nothing_runs_code_found_in_data() -> None:
    found = {
        file.name: calls for file in package_files() if (calls := forbidden_calls(file.read_text("utf-8")))
    }
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "eval('1')",
        "torch.load('x')",
        "run('ls', shell=True)",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_the_code_in_data_test_can_fail(line: str) -> None:
    source = line if "run(" not in line else "subprocess." + line
    assert forbidden_calls(source)


def test_no_registry_and_no_home_is_named() -> None:
    forbidden = re.compile(r"index-" r"url|://registry" r"\.|/simple" r"/|/root" r"/|/home" r"/")
    for name, text in tracked_text():
        match = forbidden.search(text)
        assert not match, f"{name} names {match and match.group()!r}"


def test_constraints_name_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!+-]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins
