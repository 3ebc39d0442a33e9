"""Every package that is imported is declared: in the core, or in the extra of those who import it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from syntax import nodes_of

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safe_data", "safe_eval", "safe_train")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Distributions whose modules have another name.
MODULES = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "vl_convert_python": "vl_convert",
    "mlflow_skinny": "mlflow",
    "faiss_cpu": "faiss",
}
IMPORTERS = ("import_module", "find_spec", "__import__")
# Which files may import what only an extra installs; everything else runs on the core alone.
EXTRAS_OF = {
    "safe_data/audit/alike/neighbours.py": {"faiss"},
    "safe_data/audit/data_docs.py": {"gx"},
    "safe_data/audit/expectations.py": {"gx"},
    "safe_data/audit/page.py": {"report"},
    "safe_data/audit/speech.py": {"speech"},
    "safe_data/build/engines/ray.py": {"ray"},
    "safe_data/core/completion.py": {"completion"},
    "safe_data/encoders/": {"train"},
    "safe_data/sources/hub_load.py": {"hub"},
    "safe_data/sources/hub_path.py": {"hub"},
    "safe_eval/models/generation.py": {"train"},
    "safe_eval/models/processors.py": {"train"},
    "safe_eval/models/server.py": {"endpoint"},
    "safe_eval/models/token_batches.py": {"train"},
    "safe_eval/models/transformers_model.py": {"train"},
    "safe_eval/report/": {"report"},
    "safe_eval/scorers/captions/java.py": {"captions"},
    "safe_eval/scorers/captions/learned_metrics/": {"train"},
    "safe_eval/viewer/": {"view"},
    "safe_train/base/int8.py": {"quantize"},
    "safe_train/explain/attribution.py": {"explain"},
    "safe_train/gates/front_view.py": {"report"},
    "safe_train/profiling/profile_charts.py": {"report"},
    "safe_train/plan/page.py": {"report"},
    "safe_train/serve/": {"serve"},
    "safe_train/sweeps/engines.py": {"ray"},
    "safe_train/sweeps/": {"sweep"},
    "safe_train/": {"train"},
    "safe_train/track.py": {"track"},
    "safe_train/wandb_log.py": {"track"},
}


# Looked for and never installed by us.
LOOKED_FOR = {
    ("safe_train/base/loading.py", "bitsandbytes"),  # it brings a build of torch, and computes on CUDA alone
    ("safe_data/sources/qt_resources.py", "compression"),  # of the standard library, from Python 3.14 on
}


def distribution(requirement: str) -> str:
    """The name in a requirement such as `jsonargparse[signatures]>=4.40`, as it is compared."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("-", "_")


def declared(requirements: list[str]) -> set[str]:
    """The modules that requirements install."""
    return {MODULES.get(name, name) for name in map(distribution, requirements)}


CORE = declared(PROJECT["dependencies"])
EXTRAS = {extra: declared(lines) for extra, lines in PROJECT["optional-dependencies"].items()}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """The line and the top-level name of every import, those inside functions too."""
    for node in nodes_of(source):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [str(node.args[0].value)] if called in IMPORTERS else []
        for name in names:
            yield node.lineno, name.partition(".")[0]


def undeclared(name: str, source: str, allowed: Mapping[str, set[str]] = EXTRAS_OF) -> list[str]:
    """The imports of a file that are neither the standard library's, ours, the core's, nor its extra's."""
    extras = [extra for place, of in allowed.items() if name.startswith(place) for extra in of]
    known = CORE.union({*PACKAGES}, sys.stdlib_module_names, *(EXTRAS[extra] for extra in extras))
    return [
        f"{name}:{line} imports {module}"
        for line, module in imported(source)
        if module not in known and (name, module) not in LOOKED_FOR
    ]


def test_every_import_is_declared() -> None:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 200
    found = [
        line for file in files for line in undeclared(str(file.relative_to(ROOT)), file.read_text("utf-8"))
    ]
    assert not found, f"declare the package in pyproject.toml, or name the file's extra here: {found}"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("safe_data/shards/info.py", "import librosa"),
        ("safe_data/shards/info.py", "def f():\n    from torch.nn import Linear"),
        ("safe_eval/report/page.py", "import great_expectations as gx"),
        ("safe_eval/scoring/score.py", "import importlib\nimportlib.import_module('pandas')"),
    ],
)
def test_this_test_can_fail(name: str, source: str) -> None:
    assert undeclared(name, source)
    assert not undeclared(name, "import json, numpy, yaml\nfrom PIL import Image\nimport safe_data.records")


def asked_for(source: str) -> list[tuple[str, set[str]]]:
    """The extras and the modules of each call of `require_extra` that names them literally."""
    found = []
    for node in nodes_of(source):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require_extra":
            given = [one.value for one in node.args[1:] if isinstance(one, ast.Constant)]
            if given:
                found.append((str(given[0]), {*map(str, given[1:])}))
    return found


def test_the_extra_that_a_message_names_installs_what_it_says_is_missing() -> None:
    calls = [
        call
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for call in asked_for(file.read_text("utf-8"))
    ]
    assert {extra for extras, _ in calls for extra in extras.split(",")} == {*EXTRAS} - {"dev", "captions"}
    for extras, modules in calls:
        assert modules <= set().union(*(EXTRAS[extra] for extra in extras.split(",")))


def test_an_extra_that_does_not_install_it_is_found() -> None:
    assert asked_for('require_extra("x", "gx", "ray")') == [("gx", {"ray"})]
    assert "ray" not in EXTRAS["gx"]


def test_what_is_declared_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text("utf-8").lower().replace("-", "_")
    pinned = set(re.findall(r"^([a-z0-9_.]+)==", pins, re.MULTILINE))
    requirements = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {distribution(line) for lines in requirements for line in lines}
    assert names - pinned <= {"safe_hearing"}


def asks_for_versions(source: str) -> bool:
    """Whether a file reads the metadata of distributions, which raises for one that is not installed."""
    entry_points = "from importlib.metadata import EntryPoint, entry_points\n"  # which asks for no version
    return bool(
        re.search(r"importlib\.metadata|importlib import .*\bmetadata\b", source.replace(entry_points, ""))
    )


def test_versions_are_asked_for_in_one_place() -> None:
    asking = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if asks_for_versions(file.read_text("utf-8"))
    ]
    assert asking == ["safe_data/core/options_file.py"], (
        "installed_versions() leaves out what is not installed"
    )
    assert asks_for_versions("from importlib import metadata")
    assert not asks_for_versions("from importlib.metadata import EntryPoint, entry_points\n")
