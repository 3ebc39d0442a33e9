"""safe_eval: predictions → scores → verdict → report. Loads no model library and no Great Expectations.

Names load their module when they are first used. Each command of `safe-eval` is a function here.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_eval.annotation.annotate import LabelAgreement, draw_sample, label_agreement
    from safe_eval.baselines.baselines import Baselines, baseline_predictions
    from safe_eval.calibration.calibrate import CalibrationReport, calibrate_files
    from safe_eval.card.card import Card, write_card
    from safe_eval.comparison.compare import compare_files
    from safe_eval.comparison.comparison_file import ComparisonFile
    from safe_eval.comparison.power import PowerPlan, plan_power
    from safe_eval.condition import CONDITIONS
    from safe_eval.import_options import ImportOptions
    from safe_eval.judging.verdict import Verdict, decide
    from safe_eval.models.model import Answer, Input, Model
    from safe_eval.options import (
        CalibrateOptions,
        CardOptions,
        CompareOptions,
        PowerOptions,
        Sampling,
        ScoreOptions,
    )
    from safe_eval.prediction import Prediction
    from safe_eval.predictions import read_predictions, write_predictions
    from safe_eval.report.report import write_report
    from safe_eval.run_options import ModelOptions, RunOptions
    from safe_eval.runner.evaluation import Evaluated, evaluate
    from safe_eval.runner.run import run
    from safe_eval.scoring.imported import Imported, import_logs
    from safe_eval.scoring.score import score_files, score_predictions
    from safe_eval.scoring.scores import Scores, read_scores
    from safe_eval.scoring.validate import Validation, validate_files
    from safe_eval.text.criteria_text import criteria_lines
    from safe_eval.viewer.serving import view_runs

__all__ = [
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

_MODULES = {
    "annotation.annotate": ("LabelAgreement", "draw_sample", "label_agreement"),
    "baselines.baselines": ("Baselines", "baseline_predictions"),
    "calibration.calibrate": ("CalibrationReport", "calibrate_files"),
    "card.card": ("Card", "write_card"),
    "comparison.compare": ("compare_files",),
    "comparison.comparison_file": ("ComparisonFile",),
    "comparison.power": ("PowerPlan", "plan_power"),
    "import_options": ("ImportOptions",),
    "judging.verdict": ("Verdict", "decide"),
    "models.model": ("Answer", "Input", "Model"),
    "options": (
        "CalibrateOptions",
        "CardOptions",
        "CompareOptions",
        "PowerOptions",
        "Sampling",
        "ScoreOptions",
    ),
    "condition": ("CONDITIONS",),
    "prediction": ("Prediction",),
    "predictions": ("read_predictions", "write_predictions"),
    "report.report": ("write_report",),
    "viewer.serving": ("view_runs",),
    "run_options": ("ModelOptions", "RunOptions"),
    "runner.evaluation": ("Evaluated", "evaluate"),
    "runner.run": ("run",),
    "scoring.imported": ("Imported", "import_logs"),
    "scoring.score": ("score_files", "score_predictions"),
    "scoring.scores": ("Scores", "read_scores"),
    "scoring.validate": ("Validation", "validate_files"),
    "text.criteria_text": ("criteria_lines",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"safe_eval.{module}"), name)
    raise AttributeError(f"module 'safe_eval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
