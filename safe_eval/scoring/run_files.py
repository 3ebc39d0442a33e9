"""Run files: the predictions files that a run was scored from, for every command that takes a run folder."""

import shlex
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.scoring.scores import SCORES_FILE, PredictionsFile, Scores, file_of, score_again

PREDICTIONS_FILE = "predictions.jsonl"  # in a run folder that has not been scored yet


class _Provenance(msgspec.Struct):
    predictions: tuple[PredictionsFile, ...]
    baseline: str | None = None
    protocol: str | None = None


class _Scores(msgspec.Struct):
    """The part of scores.json that names files; it is the same in all format versions."""

    provenance: _Provenance


def predictions_of(path: Path) -> list[Path]:
    """The predictions files of a run folder, checked by their hashes; a file stands for itself.

    A folder that has been scored says in scores.json which files it was scored from, wherever they lie. One
    that has not been scored holds predictions.jsonl.

    Raises:
        InputError: the folder holds neither file, scores.json cannot be read, or a file that it names is
            missing or has changed.
    """
    if not path.is_dir():
        return [path]
    scores = path / SCORES_FILE
    if not scores.is_file():
        if (path / PREDICTIONS_FILE).is_file():
            return [path / PREDICTIONS_FILE]
        raise InputError(
            f"{path}: holds neither {SCORES_FILE} nor {PREDICTIONS_FILE}; give a predictions file, or the "
            "folder that safe-eval score wrote to"
        )
    named = _provenance(scores).predictions
    if not named:
        raise InputError(f"{scores}: names no predictions file it was computed from; use safe-eval score")
    files = [file_of(path, file) for file in named]
    for file, recorded in zip(files, named, strict=True):
        if not file.is_file():
            raise InputError(
                f"{file}: no such file, but {scores} was computed from it; put {recorded.name} beside its "
                "scores, or give the predictions file itself"
            )
        if file_sha256(file) != recorded.sha256:
            raise InputError(
                f"{file}: has changed since {scores} was computed from it; score it again: "
                f"{_again(path, files)}"
            )
    return files


def _again(run: Path, files: list[Path]) -> str:
    """The command that scores a run again; without its options where another version wrote its scores."""
    try:
        return score_again(run, msgspec.json.decode((run / SCORES_FILE).read_bytes(), type=Scores))
    except msgspec.MsgspecError:
        return f"safe-eval score {shlex.join(map(str, [*files, '--out', run, '--force']))}"


def run_baseline(path: Path) -> str | None:
    """The baseline that a run folder was scored with; None for a file, or for a run that has none.

    Raises:
        InputError: scores.json cannot be read.
    """
    scores = path / SCORES_FILE
    return _provenance(scores).baseline if path.is_dir() and scores.is_file() else None


def run_protocol(path: Path) -> str | None:
    """The published rule that a run folder was scored by in place of the usual one; None if it had none.

    Raises:
        InputError: scores.json cannot be read.
    """
    scores = path / SCORES_FILE
    return _provenance(scores).protocol if path.is_dir() and scores.is_file() else None


def _provenance(scores: Path) -> _Provenance:
    try:
        return msgspec.json.decode(scores.read_bytes(), type=_Scores).provenance
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{scores}: is not a scores file: {error}; score the predictions again") from None
