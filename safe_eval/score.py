"""Scores: what predictions are worth, with intervals, comparisons and coverage: scores.json."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.errors import InputError
from safe_eval.cells import cluster_field, score_cells
from safe_eval.comparisons import Comparison, compare_cells
from safe_eval.coverage import CellCoverage, Coverage, cell_coverage, coverage_by_condition
from safe_eval.metric import Metric, metric_rows
from safe_eval.predictions import Prediction, file_sha256, read_predictions
from safe_eval.scorers import SCORERS
from safe_eval.statistics import Sampling

SCORES_FILE = "scores.json"
_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")


class PredictionsFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file by its name and hash, and the way to it from the folder of the scores if it lies elsewhere."""

    name: str
    sha256: str
    path: str | None = None


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers came from, and what would make them again."""

    predictions: tuple[PredictionsFile, ...]
    rows: int
    cluster: str  # the field whose values are the clusters
    seed: int
    resamples: int
    confidence: float
    python: str
    versions: dict[str, str]


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The content of scores.json."""

    coverage: dict[str, Coverage]
    cells: tuple[CellCoverage, ...]
    metrics: tuple[Metric, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]  # what a reader of the numbers must know
    provenance: Provenance


def score_files(paths: Sequence[Path], sampling: Sampling, out: Path | None = None) -> Scores:
    """Score predictions files together, as one set of predictions; `out` is where the scores will lie.

    Raises:
        InputError: see `read_predictions` and `score_predictions`.
    """
    if not paths:
        raise InputError("no predictions file given")
    predictions = read_predictions(*paths)
    files = tuple(PredictionsFile(path.name, file_sha256(path), _way(path, out)) for path in paths)
    return score_predictions(predictions, sampling, files)


def score_predictions(
    predictions: Sequence[Prediction], sampling: Sampling, files: tuple[PredictionsFile, ...] = ()
) -> Scores:
    """Score predictions with every metric that judges any of them.

    Raises:
        InputError: no predictions, none of a task that can be scored, or clusters given in some rows only.
    """
    if not predictions:
        raise InputError("no predictions: an empty set has no score")
    cells = {metric: found for metric in SCORERS if (found := score_cells(metric, predictions))}
    if not cells:
        tasks = ", ".join(sorted({str(row.task) for row in predictions}))
        raise InputError(f"no metric judges the tasks of these predictions ({tasks})")
    coverage = cell_coverage(predictions, [cell for found in cells.values() for cell in found])
    return Scores(
        coverage=coverage_by_condition(coverage),
        cells=tuple(coverage),
        metrics=tuple(row for name in cells for row in metric_rows(name, cells[name], sampling)),
        comparisons=tuple(row for name in cells for row in compare_cells(name, cells[name], sampling)),
        notes=tuple(_notes(predictions)),
        provenance=Provenance(
            predictions=files,
            rows=len(predictions),
            cluster=cluster_field(predictions),
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            python=platform.python_version(),
            versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        ),
    )


def _way(path: Path, out: Path | None) -> str | None:
    """From the folder of the scores to the predictions, where they do not lie beside them."""
    if out is None or path.resolve().parent == out.resolve():
        return None
    return Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()


def scored_files(run: Path, scores: Scores) -> list[Path]:
    """The predictions a run's scores were computed from: beside them, or where they lay when scored."""
    files = []
    for file in scores.provenance.predictions:
        beside = run / Path(file.name).name
        files.append(beside if file.path is None or beside.is_file() else run / file.path)
    return files


def write_scores(scores: Scores, out: Path) -> Path:
    """Write scores.json into a folder, whole or not at all."""
    return write_json(out / SCORES_FILE, scores)


def write_json(path: Path, content: msgspec.Struct) -> Path:
    """Write a result as indented JSON, whole or not at all; what is not a number becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    part.replace(path)
    return path


def read_scores(run: Path) -> Scores:
    """Read a run's scores.json, and make sure that it was computed from the predictions it names.

    Raises:
        InputError: no scores, not scores, or scores of other predictions than those found.
    """
    path = run / SCORES_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: safe-eval score PREDICTIONS --out {run}")
    try:
        scores = msgspec.json.decode(path.read_bytes(), type=Scores)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a scores file: {error}; score the predictions again") from None
    if not scores.provenance.predictions:
        raise InputError(f"{path}: names no predictions file it was computed from; use safe-eval score")
    for scored, file in zip(scored_files(run, scores), scores.provenance.predictions, strict=True):
        if not scored.is_file():
            raise InputError(
                f"{scored}: no such file, so nothing shows that {SCORES_FILE} was computed from it; "
                "put the predictions beside their scores"
            )
        if file_sha256(scored) != file.sha256:
            raise InputError(
                f"{path}: was computed from another {file.name} than {scored}; "
                f"score it again: safe-eval score {scored} --out {run}"
            )
    return scores


def _notes(predictions: Sequence[Prediction]) -> Iterator[str]:
    few = {row.example_id for row in predictions if len(row.references) in (2, 3)}
    if few:
        yield (
            f"{len(few)} examples have 2 or 3 references: the official VQA accuracy gives even a perfect "
            "answer 1/3 or 2/3 there"
        )
    clusters = cluster_field(predictions)
    if clusters != "group":
        yield f"no row has a 'group', so each {clusters} is taken for a cluster of its own"
