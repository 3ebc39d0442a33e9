"""The code points one way: packages, folders and files, and heavy libraries load only where they work.

Read in order, the folders are the way of the data: nothing imports what stands later, and no files import
each other in a circle. Imports inside functions and for type checkers count too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = {
    "safe_data": "core records media sources encoders shards build sampling audit cli",
    "safe_eval": "options prediction predictions models runner logs scorers statistics arms results scoring "
    "comparison calibration annotation judging text report viewer cli",
    "safe_train": "config base pathway questions batches checkpoint retention gates stages parity predict "
    "toy demo experiments cli",
}
PACKAGES = list(ORDER)  # a package may import those before it
HEAVY = ("torch", "transformers", "great_expectations", "ray", "pandas")


class Import(NamedTuple):
    """One line that imports one of our modules."""

    importer: str
    line: int
    imported: str


def our_modules(root: Path) -> dict[str, Path]:
    """The files of the packages by their dotted names."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    names = [".".join(file.relative_to(root).with_suffix("").parts) for file in files]
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


def imports_of(modules: dict[str, Path]) -> Iterator[Import]:
    """Every import between the modules, except those by a package's own public face."""
    for name, file in modules.items():
        if name in PACKAGES:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            found = []
            if isinstance(node, ast.ImportFrom) and node.module:
                found = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            for imported in found:
                module = imported if imported in modules else imported.rpartition(".")[0]
                if module in modules and module != name:
                    yield Import(name, node.lineno, module)


def rank(module: str) -> tuple[int, int]:
    """Where a module stands: its package, and its folder or file within it."""
    package, _, rest = module.partition(".")
    rooms = ORDER[package].split()
    return PACKAGES.index(package), rooms.index(rest.partition(".")[0]) if rest else len(rooms)


def wrong_ways(root: Path) -> list[str]:
    """The lines that import what stands later."""
    modules = our_modules(root)
    return sorted(
        f"{modules[one.importer].relative_to(root)}:{one.line} imports {one.imported}, which stands later"
        for one in imports_of(modules)
        if rank(one.imported) > rank(one.importer)
    )


def circles(root: Path) -> str | None:
    """Files that import each other in a circle, or None."""
    modules = our_modules(root)
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for one in imports_of(modules):
        graph[one.importer].add(one.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " → ".join(error.args[1])
    return None


def test_nothing_imports_what_stands_later() -> None:
    assert wrong_ways(ROOT) == []


def test_no_file_imports_in_a_circle() -> None:
    assert circles(ROOT) is None


def written(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_direction_test_can_fail_and_names_the_line(tmp_path: Path) -> None:
    core = "def f():\n    from safe_data.sources import folder\n    from safe_train.config import C\n"
    written(
        tmp_path, safe_data__core__files=core, safe_data__sources__folder="", safe_train__config="C = 1\n"
    )
    assert wrong_ways(tmp_path) == [
        "safe_data/core/files.py:2 imports safe_data.sources.folder, which stands later",
        "safe_data/core/files.py:3 imports safe_train.config, which stands later",
    ]


def test_the_circle_test_can_fail(tmp_path: Path) -> None:
    b = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import safe_data.core.a\n"
    written(tmp_path, safe_data__core__a="import safe_data.core.b\n", safe_data__core__b=b)
    assert circles(tmp_path) == "safe_data.core.a → safe_data.core.b → safe_data.core.a"


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
