"""The packages point one way, and heavy libraries load only where they work."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN_SIBLINGS = {"safe_data": {"safe_eval", "safe_train"}, "safe_eval": {"safe_train"}}
HEAVY = ("torch", "transformers", "great_expectations", "ray", "pandas")


def imported_packages(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


@pytest.mark.parametrize("package", FORBIDDEN_SIBLINGS)
def test_no_package_imports_a_later_one(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        wrong = imported_packages(file.read_text("utf-8")) & FORBIDDEN_SIBLINGS[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_the_direction_test_can_fail() -> None:
    assert "safe_train" in imported_packages("def f():\n    from safe_train.model import SafeModel\n")


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted(set({HEAVY!r}) & set(sys.modules))))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "module", ["safe_data", "safe_data.cli", "safe_eval", "safe_eval.cli", "safe_train", "safe_train.cli"]
)
def test_import_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


def test_the_import_test_can_fail() -> None:
    assert "pandas" in loaded_by("import pandas")
