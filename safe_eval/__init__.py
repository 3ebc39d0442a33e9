"""safe_eval: predictions → scores → verdict. Loads neither torch nor transformers nor Great Expectations.

Names load their module when they are first used. `run` and `report` stay in the modules of that name.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_eval.judging.verdict import Verdict, decide
    from safe_eval.models.model import Answer, Input, Model
    from safe_eval.prediction import CONDITIONS, Prediction
    from safe_eval.predictions import read_predictions, write_predictions
    from safe_eval.scoring.score import score_files, score_predictions
    from safe_eval.scoring.scores import Scores, read_scores, write_scores
    from safe_eval.statistics.sampling import Sampling

__all__ = [
    "CONDITIONS",
    "Answer",
    "Input",
    "Model",
    "Prediction",
    "Sampling",
    "Scores",
    "Verdict",
    "decide",
    "read_predictions",
    "read_scores",
    "score_files",
    "score_predictions",
    "write_predictions",
    "write_scores",
]

_MODULES = {
    "models.model": ("Answer", "Input", "Model"),
    "prediction": ("CONDITIONS", "Prediction"),
    "predictions": ("read_predictions", "write_predictions"),
    "scoring.score": ("score_files", "score_predictions"),
    "scoring.scores": ("Scores", "read_scores", "write_scores"),
    "statistics.sampling": ("Sampling",),
    "judging.verdict": ("Verdict", "decide"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"safe_eval.{module}"), name)
    raise AttributeError(f"module 'safe_eval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
