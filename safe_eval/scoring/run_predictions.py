"""Run predictions: the predictions files of a run, found by its scores.json as `verdict` finds them."""

from pathlib import Path

from safe_data.core.errors import InputError
from safe_eval.scoring.scores import SCORES_FILE, read_scores, scored_files

PREDICTIONS_FILE = "predictions.jsonl"


def predictions_of(run: Path) -> list[Path]:
    """The predictions files of a run folder, or the path itself if it is a file.

    The folder's scores.json names them, wherever they lie. A folder that was not scored yet holds
    predictions.jsonl.

    Raises:
        InputError: there is no such file or folder; the folder names and holds no predictions; or they moved
            or changed after they were scored (see `read_scores`).
    """
    if not run.is_dir():
        if not run.exists():
            raise InputError(f"{run}: no such predictions file, and no such run folder")
        return [run]
    if (run / SCORES_FILE).is_file():
        return scored_files(run, read_scores(run))
    if (run / PREDICTIONS_FILE).is_file():
        return [run / PREDICTIONS_FILE]
    raise InputError(
        f"{run}: holds neither {SCORES_FILE} nor {PREDICTIONS_FILE}; score the run's predictions into it: "
        f"safe-eval score PREDICTIONS --out {run}"
    )


def names_of(files: list[Path]) -> str:
    """Predictions files in a message, by their names.

    >>> names_of([Path("a/base.jsonl"), Path("b/safe.jsonl")])
    'base.jsonl, safe.jsonl'
    """
    return ", ".join(file.name for file in files)
