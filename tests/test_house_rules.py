"""The rules that a machine can check: file sizes, one definition of each thing, no pickle, no registry.

Each rule is a function from text to faults, and each has a test that it finds a fault.
"""

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from syntax import nodes_of

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safe_data", "safe_eval", "safe_train")
LONGEST_FILE_LINES, SHORTEST_FILE_LINES = 320, 60
# Files below the shortest length, and why each is a file. Corpora, scorers and `__init__` need no reason.
SHORT_FILES = {
    **{f"{package}/__main__.py": "python -m, the second way to a program" for package in PACKAGES},
    "safe_data/audit/alike/all_alike.py": "the table of kinds of likeness",
    "safe_data/audit/alike/neighbours.py": "one search, for prints and embeddings",
    "safe_data/audit/alike/exact.py": "what the manifest knows without reading a file",
    "safe_data/audit/facts/all_facts.py": "the table of facts",
    "safe_data/audit/facts/captions.py": "the one fact that reads texts with a model",
    "safe_data/audit/check_files.py": "the files of one command",
    "safe_data/build/engines/piece.py": "what passes between a build and its engines",
    "safe_data/build/engines/start.py": "the choice between engines",
    "safe_data/build/sample.py": "one command",
    "safe_data/media/checks/extents.py": "reading of parts, which every check of a format needs",
    "safe_data/media/formats.py": "the list of formats that are read",
    "safe_data/media/checks/mpeg_ps.py": "one file format",
    "safe_data/media/checks/pauses.py": "one rule of every format",
    "safe_data/media/checks/mp3_header.py": "what the walk and the tag of an MP3 share",
    "safe_data/media/checks/whole.py": "what the checks of all formats share",
    "safe_data/core/only_writer.py": "one lock",
    "safe_data/core/differences.py": "one question to two runs",
    "safe_data/core/cores.py": "one question to the machine",
    "safe_data/core/byte_order.py": "one rule of every file of text",
    "safe_data/shards/webdataset_view.py": "the one file that imports webdataset",
    "safe_data/sources/all_sources.py": "the table of sources",
    "safe_data/splitting/metadata.py": "one file format",
    "safe_eval/judging/judged_places.py": "where evidence is owed",
    "safe_eval/text/pairs_text.py": "the lines that two tables of differences share",
    "safe_data/media/length.py": "one question to a file",
    "safe_data/sources/synthetic/questions.py": "one part of a corpus",
    "safe_data/sources/sound_kinds.py": "one question of several sources",
    "safe_eval/arms/delivery.py": "one check of an arm",
    "safe_eval/arms/replies.py": "the notes on one kind of answer",
    "safe_eval/card/hub_results.py": "one format",
    "safe_eval/card/junit.py": "one format",
    "safe_data/core/markdown.py": "the one place that escapes Markdown",
    "safe_eval/card/summary.py": "one format",
    "safe_eval/judging/headline.py": "one rule",
    "safe_eval/judging/lomo_evidence.py": "one kind of evidence",
    "safe_eval/judging/metric_names.py": "the table of metrics",
    "safe_eval/models/model.py": "one protocol",
    "safe_eval/scorers/captions/java.py": "one program that two metrics run",
    "safe_eval/import_options.py": "the options of one command",
    "safe_eval/importing.py": "one command",
    "safe_eval/labelling.py": "two commands",
    "safe_eval/publishing.py": "two commands",
    "safe_eval/viewing.py": "one command",
    "safe_eval/statistics/calibration/smooth_ece.py": "one statistic",
    "safe_eval/statistics/multiplicity.py": "one statistic",
    "safe_eval/text/annotation_text.py": "the text of two commands",
    "safe_eval/text/criteria_text.py": "the text of one command",
    "safe_eval/text/power_text.py": "the text of one command",
    "safe_eval/text/validation_text.py": "the text of one command",
    "safe_eval/text/verdict_text.py": "the text of one command",
    "safe_train/predict/alone.py": "asking one by one, which the demo and the pilot share",
    "safe_train/base/activations.py": "the one way to activation checkpointing",
    "safe_data/core/recent.py": "one cache that sounds, prompts and pictures use",
    "safe_data/core/interruption.py": "one rule of every long command",
    "safe_eval/statistics/folds.py": "one rule of everything that is judged out of fold",
    "safe_train/experiments/all_experiments.py": "the list of the plan's experiments",
    "safe_train/finetune/finetune_text.py": "the text of one command",
    "safe_train/finetune/tempered.py": "one use of a temperature",
    "safe_train/demonstrating.py": "two commands",
    "safe_train/explaining.py": "one command",
    "safe_train/real/language_model.py": "one format of one package",
    "safe_train/finetuning.py": "two commands",
    "safe_train/pathway/precision.py": "the one way to a lower precision",
    "safe_train/parity/freeze_proof.py": "one file of the demo",
    "safe_train/parity/pathways.py": "what a proof is made on",
    "safe_train/profiling/operations.py": "the one file that runs torch.profiler",
    "safe_train/stages/training_pass.py": "what the loop and the profile share",
    "safe_train/presets.py": "the one way to a preset from Python",
    "safe_train/settings/adaptation.py": "one section of the settings",
    "safe_train/settings/data.py": "one section of the settings",
    "safe_train/settings/stage_c.py": "one section of the settings",
    "safe_train/stages/drift_guard.py": "one guard of every stage",
    "safe_train/stages/logs.py": "the logs of every stage",
    "safe_train/stages/losses.py": "the loss of one stage",
    "safe_train/stages/optimizer.py": "the one file that knows AdamW's state",
    "safe_train/stages/processes.py": "one rule of every training",
    "safe_train/stages/stage_a_text.py": "the text of one command",
    "safe_train/stages/schedule.py": "one formula that every training loop uses",
    "safe_train/stages/work.py": "what a stage hands to the loop",
}
PRINTER = "safe_data/core/terminal.py"  # the one file that prints
WRITER = "safe_data/core/files.py"  # the one file that moves a file into its place
HINTS = "safe_data/core/errors.py"  # the one file that guesses what a misspelt name meant


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


def faults(rule: Callable[[str, str], list[str]], files: list[Path]) -> list[str]:
    """What a rule finds in files, each after the name of its file."""
    texts = {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}
    return [f"{name}: {fault}" for name, text in texts.items() for fault in rule(name, text)]


def lengths(name: str, source: str) -> list[str]:
    """Whether a file is too long, or too short to be one."""
    lines = len(source.splitlines())
    if lines > LONGEST_FILE_LINES:
        return [f"{lines} lines; split it by its nouns, not by its length"]
    is_corpus = name.startswith("safe_data/sources/") and "\ndef read(" in source
    is_scorer = name.startswith("safe_eval/scorers/") and name.count("/") == 2
    if lines >= SHORTEST_FILE_LINES or is_corpus or is_scorer or name.endswith("__init__.py"):
        return []
    return (
        [] if name in SHORT_FILES else [f"{lines} lines; join it to its user, or give SHORT_FILES a reason"]
    )


def test_a_file_is_one_noun() -> None:
    assert faults(lengths, package_files()) == []
    assert [name for name in SHORT_FILES if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(("lines", "name"), [(321, "safe_data/records.py"), (59, "safe_eval/text/new.py")])
def test_a_file_that_is_none_is_found(lines: int, name: str) -> None:
    assert lengths(name, "#\n" * lines)


def logic_in_init(name: str, source: str) -> list[str]:
    """What an `__init__.py` holds beside its docstring; a package's own may load its public face lazily."""
    if not name.endswith("__init__.py"):
        return []
    is_face = name in {f"{package}/__init__.py" for package in PACKAGES}
    body = ast.parse(source).body
    if not is_face:
        return [f"line {node.lineno} is more than a docstring" for node in body[1:]]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    found = [node for node in ast.walk(ast.Module(body, [])) if isinstance(node, functions)]
    return [
        f"line {node.lineno} defines something; give it a file"
        for node in found
        if getattr(node, "name", "") not in ("__getattr__", "__dir__")
    ]


def test_no_logic_lives_in_init() -> None:
    assert faults(logic_in_init, package_files()) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("safe_data/__init__.py", "def load():\n    pass"),
        ("safe_data/shards/__init__.py", '"""Shards."""\nfrom safe_data.shards.tar import TarWriter'),
    ],
)
def test_logic_in_init_is_found(name: str, source: str) -> None:
    assert logic_in_init(name, source)


def assigned_twice(_: str, source: str) -> list[str]:
    """The names of a module that a later assignment makes forget their value."""
    seen: set[str] = set()
    found = []
    for node in nodes_of(source)[0].body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        names = {
            inner.id
            for target in targets
            for inner in ast.walk(target)
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
        }
        found += [f"line {node.lineno} assigns {name} again" for name in sorted(names & seen)]
        seen |= names
    return found


def test_a_constant_is_assigned_once() -> None:
    assert faults(assigned_twice, package_files()) == []


def test_a_constant_assigned_twice_is_found() -> None:
    assert assigned_twice("", "A, B = 1, 2\nC = 3\nB: int = 4\n") == ["line 3 assigns B again"]
    assert not assigned_twice("", "A = {}\nA |= {1: 2}\nA[2] = 3\ndef f():\n    A = 4\n")


def private_imports(_: str, source: str) -> list[str]:
    """The imports of names that their module keeps to itself."""
    return [
        f"line {node.lineno} imports {alias.name} of {node.module}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGES)
        for alias in node.names
        if alias.name.startswith("_")
    ]


def test_no_private_name_is_imported() -> None:
    assert faults(private_imports, [*package_files(), *sorted((ROOT / "tests").rglob("*.py"))]) == []


def test_a_private_import_is_found() -> None:
    assert private_imports("", "def f():\n    from safe_data.records import Record, _check\n")


def raw_prints(name: str, source: str) -> list[str]:
    """Calls of `print` outside the file whose functions replace what could control a terminal."""
    if name == PRINTER:
        return []
    return [
        f"line {node.lineno} prints; call say or complain of {PRINTER}"
        for node in nodes_of(source)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]


def test_one_file_prints() -> None:
    assert faults(raw_prints, package_files()) == []


def test_a_print_elsewhere_is_found() -> None:
    assert raw_prints("safe_data/cli.py", "def f():\n    print('a')\n")


def second_definitions(name: str, source: str) -> list[str]:
    """Hints at misspelt names, and files moved into their place, outside the file that does it for all."""
    found = []
    for node in nodes_of(source):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if called == "get_close_matches" and name != HINTS:
            found.append(f"line {node.lineno} guesses a name; call did_you_mean")
        # A path's own method takes one argument; that of a text, and the function for structs, take more.
        arguments = len(node.args) + len(node.keywords)
        moves = called in ("replace", "rename") and (owner == "os" or arguments == 1)
        if moves and name != WRITER:
            found.append(f"line {node.lineno} moves a file into its place; call committing or write_bytes")
    return found


def test_hints_and_whole_files_are_made_in_one_place() -> None:
    assert faults(second_definitions, package_files()) == []


@pytest.mark.parametrize(
    "line",
    ["difflib.get_close_matches(a, b)", "part.replace(path)", "part.rename(path)", "os.replace(part, path)"],
)
def test_a_second_definition_is_found(line: str) -> None:
    assert second_definitions("safe_data/cli.py", line)
    assert not second_definitions("safe_data/cli.py", "'a'.replace('a', 'b'); replace(row, model=side)")


def forbidden_calls(source: str) -> list[str]:
    """Calls that would run code found in data."""
    found = []
    for node in nodes_of(source):
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


def paths_named(text: str) -> list[str]:
    """The paths of the project in a text, but for those that a reader is to add."""
    found = re.findall(r"`((?:safe_\w+|tests|docs)/[\w./]*)`", text)
    return [path for path in found if not re.search(r"/(test_)?my\w+\.py$", path)]


def test_contributing_names_files_that_exist() -> None:
    named = paths_named((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert paths_named("`safe_data/gone.py`, `safe_data/sources/mycorpus.py`") == ["safe_data/gone.py"]
