"""Scoring needs no model library: a fresh interpreter shows what importing safe_eval loads."""

import inspect
import subprocess
import sys
from collections.abc import Callable

import pytest

import safe_eval
from safe_eval.cli import COMMANDS

HEAVY = {"torch", "transformers", "great_expectations", "pandas", "ray", "altair", "librosa"}


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return HEAVY & {line.partition(".")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "statement",
    [
        "import safe_eval, safe_eval.cli",
        "import safe_eval\nfor name in safe_eval.__all__: getattr(safe_eval, name)",
        "import safe_eval.runner.run, safe_eval.text.scores_text, safe_eval.judging.verdict",
    ],
)
def test_safe_eval_loads_no_model_library(statement: str) -> None:
    assert loaded_by(statement) == set()


def test_this_test_can_fail() -> None:
    assert loaded_by("import pandas") == {"pandas"}
    assert "torch" in loaded_by("import torch")


def test_the_bare_import_loads_not_even_numpy() -> None:
    code = "import sys, safe_eval\nassert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    assert sorted(safe_eval.__all__) == dir(safe_eval)
    assert all(getattr(safe_eval, name) is not None for name in safe_eval.__all__)
    assert safe_eval.__all__ == [
        "CONDITIONS",
        "Answer",
        "Baselines",
        "CalibrateOptions",
        "CalibrationReport",
        "Card",
        "CardOptions",
        "CompareOptions",
        "ComparisonFile",
        "Evaluated",
        "ImportOptions",
        "Imported",
        "Input",
        "LabelAgreement",
        "Model",
        "ModelOptions",
        "PowerOptions",
        "PowerPlan",
        "Prediction",
        "RunOptions",
        "Sampling",
        "ScoreOptions",
        "Scores",
        "Validation",
        "Verdict",
        "baseline_predictions",
        "calibrate_files",
        "compare_files",
        "criteria_lines",
        "decide",
        "draw_sample",
        "evaluate",
        "import_logs",
        "label_agreement",
        "plan_power",
        "read_predictions",
        "read_scores",
        "run",
        "score_files",
        "score_predictions",
        "validate_files",
        "view_runs",
        "write_card",
        "write_predictions",
        "write_report",
    ]
    with pytest.raises(AttributeError, match="module 'safe_eval' has no attribute 'scored'"):
        _ = safe_eval.scored


FUNCTIONS: dict[str, Callable[..., object]] = {
    "import": safe_eval.import_logs,
    "run": safe_eval.evaluate,
    "baselines": safe_eval.baseline_predictions,
    "score": safe_eval.score_files,
    "calibrate": safe_eval.calibrate_files,
    "verdict": safe_eval.decide,
    "criteria": safe_eval.criteria_lines,
    "report": safe_eval.write_report,
    "view": safe_eval.view_runs,
    "card": safe_eval.write_card,
    "compare": safe_eval.compare_files,
    "power": safe_eval.plan_power,
    "validate": safe_eval.validate_files,
    "annotate": safe_eval.draw_sample,
    "agreement": safe_eval.label_agreement,
}
ONLY_TYPED = {"format", "choice", "quiet", "force"}  # how to print, and what may be written over
OTHER_NAMES = {"predictions": "paths", "set": "settings"}


def test_every_command_has_a_function_that_takes_what_it_takes() -> None:
    assert FUNCTIONS.keys() == COMMANDS.keys()
    for command, function in FUNCTIONS.items():
        options = inspect.signature(COMMANDS[command]).parameters.keys() - ONLY_TYPED
        needed = {OTHER_NAMES.get(name, name) for name in options}
        assert needed <= inspect.signature(function).parameters.keys(), command
