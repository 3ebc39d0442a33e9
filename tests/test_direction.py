"""The code points one way: packages, folders and files, and heavy libraries load only where they work.

Read in order, the folders follow the data: nothing imports what stands later, and no files import each other
in a circle. Imports inside functions, for type checkers and by `import_module("…")` count too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
from syntax import nodes_of

ROOT = Path(__file__).resolve().parents[1]
ORDER = {
    "safe_data": "core records media sources encoders shards build sampling audit "
    "splitting "
    "inspecting cli __main__",
    "safe_eval": "options run_options import_options condition prediction choice_references annotator_rows "
    "prediction_row predictions models runner logs scorers statistics arms results scoring comparison "
    "calibration annotation baselines judging text report card viewer labelling publishing viewing running "
    "importing baselining cli __main__",
    "safe_train": "settings presets augmentation base pathway corpora questions batches "
    "checkpoint run_identity run_state retention gates wandb_log track stages audit parity predict toy "
    "demo_text demo profiling explain finetune sweeps experiments plan precision export serve planning "
    "real finetuning deploying explaining demonstrating cli __main__",
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
    """Every import between the modules, except in the `__init__.py` of each package, which loads lazily."""
    for name, file in modules.items():
        if name in PACKAGES:
            continue
        for node in nodes_of(file.read_text("utf-8")):
            found = []
            if isinstance(node, ast.ImportFrom) and node.module:
                found = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.Call):
                found = loaded_by_name(node)
            for imported in found:
                module = imported if imported in modules else imported.rpartition(".")[0]
                if module in modules and module != name:
                    yield Import(name, node.lineno, module)


def loaded_by_name(call: ast.Call) -> list[str]:
    """The module that a call of `import_module` names by a string literal."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    if name not in ("import_module", "__import__"):
        return []
    given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    return [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def place(module: str) -> tuple[str, str]:
    """A module's package, and its folder or file within the package; empty for the package itself."""
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def without_place(root: Path) -> list[str]:
    """The files that ORDER gives no place, whether or not they import anything."""
    return [
        f"{file.relative_to(root)}: ORDER has no {room!r} in {package}; add it where it stands"
        for module, file in our_modules(root).items()
        for package, room in [place(module)]
        if room and room not in ORDER[package].split()
    ]


def rank(module: str) -> tuple[int, int]:
    """Where a module stands: its package, and its folder or file within it."""
    package, room = place(module)
    rooms = ORDER[package].split()
    if room and room not in rooms:
        raise LookupError(f"{module}: ORDER has no {room!r} in {package}; add it where it stands")
    return PACKAGES.index(package), rooms.index(room) if room else len(rooms)


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


def test_every_folder_and_file_has_a_place() -> None:
    assert without_place(ROOT) == []


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
    core = "def f():\n    from safe_data.sources import folder\n    from safe_train.settings import C\n"
    written(
        tmp_path, safe_data__core__files=core, safe_data__sources__folder="", safe_train__settings="C = 1\n"
    )
    assert wrong_ways(tmp_path) == [
        "safe_data/core/files.py:2 imports safe_data.sources.folder, which stands later",
        "safe_data/core/files.py:3 imports safe_train.settings, which stands later",
    ]


def test_a_folder_or_file_without_a_place_is_named(tmp_path: Path) -> None:
    written(tmp_path, safe_data__core__files="", safe_data__cellar__rack="", safe_eval__attic="")
    (tmp_path / "safe_data/__init__.py").write_text("")
    assert without_place(tmp_path) == [
        "safe_data/cellar/rack.py: ORDER has no 'cellar' in safe_data; add it where it stands",
        "safe_eval/attic.py: ORDER has no 'attic' in safe_eval; add it where it stands",
    ]


def test_an_import_without_a_place_is_named(tmp_path: Path) -> None:
    written(tmp_path, safe_data__core__files="import safe_data.cellar\n", safe_data__cellar="")
    with pytest.raises(LookupError, match=r"safe_data\.cellar: ORDER has no 'cellar' in safe_data"):
        wrong_ways(tmp_path)


def test_an_import_by_name_is_found(tmp_path: Path) -> None:
    core = (
        "import importlib\nfrom importlib import import_module\n"
        'importlib.import_module("safe_data.sources.folder")\n'
        'def f():\n    return import_module(name="safe_train.settings")\n'
        'import_module("json"), print("safe_train.settings"), import_module("safe_data.core.errors")\n'
    )
    files = {"core__files": core, "core__errors": "", "sources__folder": ""}
    written(tmp_path, safe_train__settings="", **{f"safe_data__{name}": text for name, text in files.items()})
    assert wrong_ways(tmp_path) == [
        "safe_data/core/files.py:3 imports safe_data.sources.folder, which stands later",
        "safe_data/core/files.py:5 imports safe_train.settings, which stands later",
    ]


def test_a_package_may_load_its_public_names_lazily(tmp_path: Path) -> None:
    lazy = 'from importlib import import_module\nimport_module("safe_train.settings")\n'
    written(tmp_path, safe_train__settings="", safe_data__core__files=lazy)
    assert len(wrong_ways(tmp_path)) == 1
    (tmp_path / "safe_data/core/files.py").rename(tmp_path / "safe_data/__init__.py")
    assert wrong_ways(tmp_path) == []


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
