"""The table of arms is the only place that numbers examples and clusters and matches them between arms."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import safe_eval

PACKAGE = Path(safe_eval.__file__).parent
TABLE = "arms/arm.py"
# These match the labels of examples in two predictions files, dev and test: labels are not the numbers of one
# table, and two datasets may share a label.
LABELS = ("calibration/calibrate.py", "statistics/calibration/calibration.py")

# Two runs are compared, and what is filtered is told, by items.parquet, which the table wrote: no predictions
# are needed.
FROM_ITEMS = {"comparison/item_pairs.py": ["arm_of_items"]}


def matching_calls(source: str) -> Iterator[int]:
    """The lines that use or import np.intersect1d."""
    for node in ast.walk(ast.parse(source)):
        names = [node.attr] if isinstance(node, ast.Attribute) else []
        if isinstance(node, ast.ImportFrom) and node.module == "numpy":
            names = [alias.name for alias in node.names]
        if "intersect1d" in names:
            yield node.lineno


def makers(source: str) -> Iterator[str]:
    """The functions that construct an `Arm` of their own; one of a plan is a model under a condition."""
    if re.search(
        r"^from safe_eval\.runner\.plan import .*\bArm\b|^class Arm\(NamedTuple\)", source, re.MULTILINE
    ):
        return
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(isinstance(call.func, ast.Name) and call.func.id == "Arm" for call in calls):
                yield function.name


def files() -> dict[str, str]:
    """The source of every file of the package by its place."""
    found = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    assert TABLE in found
    return found


def test_only_the_table_matches_examples() -> None:
    found = {place: lines for place, source in files().items() if (lines := list(matching_calls(source)))}
    assert list(found[TABLE])
    assert found.keys() - set(LABELS) == {TABLE}


def test_only_the_table_makes_arms() -> None:
    found = {place: names for place, source in files().items() if (names := list(makers(source)))}
    assert found == {TABLE: ["make_arms"], **FROM_ITEMS}


@pytest.mark.parametrize(
    "source",
    [
        "np.intersect1d(a, b)",
        "shared, _, _ = numpy.intersect1d(a, b)",
        "from numpy import intersect1d",
    ],
)
def test_the_first_rule_can_fail(source: str) -> None:
    assert list(matching_calls(source)) == [1]


def test_the_second_rule_can_fail() -> None:
    assert list(makers("def f():\n    return Arm(key, rows, places, examples, clusters, answers)")) == ["f"]
