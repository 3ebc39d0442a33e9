"""Score: predictions → scores.json and items.parquet."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_json
from safe_data.core.options_file import installed_versions
from safe_eval.arms.all_arms import AllCells, all_cells
from safe_eval.arms.arm import Cell, cluster_field
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.consultation import consultation_cells, consultation_notes
from safe_eval.arms.coverage import coverage_by_condition, coverage_of, outcomes
from safe_eval.arms.delivery import delivery_notes
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.results.calibration import calibration_rows, confidence_notes
from safe_eval.results.comparisons import compare_cells
from safe_eval.results.metrics import metric_rows
from safe_eval.results.retention import retention_rows
from safe_eval.results.seeds import paired_rows, seed_notes, seed_rows
from safe_eval.scorers.scorer import metrics_for
from safe_eval.scoring.items import items_table, write_items
from safe_eval.scoring.scores import (
    SCORES_FILE,
    PredictionsFile,
    Provenance,
    Scores,
    read_scores,
    scored_files,
    write_scores,
)
from safe_eval.statistics.sampling import Sampling

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "SCORES_FILE",
    "Asked",
    "PredictionsFile",
    "Provenance",
    "Scores",
    "read_scores",
    "score_files",
    "score_into",
    "score_predictions",
    "scored_files",
    "write_json",
    "write_scores",
]

_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")


@dataclass(frozen=True)
class Asked:
    """What is wanted beside what every score holds: metrics by name, and what captions are scored with."""

    metrics: tuple[str, ...] = ()
    captions: CaptionInputs = field(default_factory=CaptionInputs)


@dataclass(frozen=True)
class _Scored:
    scores: Scores
    items: "pa.Table"


def score_into(
    out: Path,
    paths: Sequence[Path],
    sampling: Sampling,
    asked: Asked | None = None,
    *,
    allow_partial: bool = False,
) -> Scores:
    """Score predictions files together, and write scores.json and items.parquet into a folder.

    Raises:
        InputError: see `score_files`; nothing is written then.
    """
    scored = _score_files(paths, sampling, out, asked, allow_partial)
    write_items(out, scored.items)
    write_scores(scored.scores, out)
    return scored.scores


def score_files(
    paths: Sequence[Path],
    sampling: Sampling,
    out: Path | None = None,
    asked: Asked | None = None,
    *,
    allow_partial: bool = False,
) -> Scores:
    """Score predictions files together, as one set of predictions; `out` is where the scores will lie.

    Raises:
        InputError: see `read_predictions` and `score_predictions`.
    """
    return _score_files(paths, sampling, out, asked, allow_partial).scores


def score_predictions(
    predictions: Sequence[Prediction], sampling: Sampling, asked: Asked | None = None
) -> Scores:
    """Score predictions with every metric that judges any of them, and those that are asked for.

    Raises:
        InputError: see `all_cells`.
    """
    return _score(predictions, sampling, asked or Asked()).scores


def _score_files(
    paths: Sequence[Path], sampling: Sampling, out: Path | None, asked: Asked | None, allow_partial: bool
) -> _Scored:
    if not paths:
        raise InputError("no predictions file given")
    asked = asked or Asked()
    predictions = read_predictions(*paths, allow_partial=allow_partial)
    cut_off = tuple(partial_notes(paths)) if allow_partial else ()
    return _score(predictions, sampling, asked, paths, out, cut_off)


def _score(
    predictions: Sequence[Prediction],
    sampling: Sampling,
    asked: Asked,
    paths: Sequence[Path] = (),
    out: Path | None = None,
    cut_off: Sequence[str] = (),
) -> _Scored:
    found = all_cells(predictions, metrics=asked.metrics, captions=asked.captions, sampling=sampling)
    judging = [cell for judged in found.judging.values() for cell in judged]
    became = outcomes(predictions, judging)
    coverage = coverage_of(predictions, became)
    cells = found.cells | consultation_cells(predictions)
    scores = Scores(
        coverage=coverage_by_condition(coverage),
        cells=tuple(coverage),
        **_numbers(predictions, cells, found, sampling, cut_off),
        provenance=Provenance(
            predictions=tuple(_file(path, out) for path in paths),
            rows=len(predictions),
            cluster=cluster_field(predictions),
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            partial=bool(cut_off),
            metrics=asked.metrics,
            java="meteor" in cells or ("spice" in cells and asked.captions.spice is None),
            frequencies=None if (file := asked.captions.frequencies) is None else _file(file, out),
            spice=None if (file := asked.captions.spice) is None else _file(file, out),
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )
    return _Scored(scores, items_table(predictions, became, cells))


def _numbers(
    predictions: Sequence[Prediction],
    cells: Mapping[str, Sequence[Cell]],
    found: AllCells,
    sampling: Sampling,
    notes: Sequence[str],
) -> dict[str, Any]:
    """The fields of the scores that hold numbers, and the notes on them."""
    means = [row for name in cells for row in metric_rows(name, cells[name], sampling)]
    calibration = calibration_rows(predictions, found.judging, sampling)
    return {
        "metrics": (*means, *calibration),
        "comparisons": tuple(row for name in cells for row in compare_cells(name, cells[name], sampling)),
        "measures": found.measures,
        "seeds": tuple(row for name in cells for row in seed_rows(name, cells[name], sampling)),
        "seed_comparisons": tuple(row for name in cells for row in paired_rows(name, cells[name], sampling)),
        "retention": tuple(retention_rows(predictions, found.judging, sampling)),
        "notes": (
            *notes,
            *_notes(predictions),
            *found.notes,
            *dict.fromkeys(note for judged in cells.values() for note in seed_notes(judged)),
            *delivery_notes(predictions),
            *consultation_notes(predictions),
            *confidence_notes(calibration, means),
        ),
    }


def _file(path: Path, out: Path | None) -> PredictionsFile:
    """A file by its hash, and the way to it from the folder of the scores, where it does not lie there."""
    way = None
    if out is not None and path.resolve().parent != out.resolve():
        way = Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    return PredictionsFile(path.name, file_sha256(path), way)


def _notes(predictions: Sequence[Prediction]) -> Iterator[str]:
    vqa = (row for row in predictions if metrics_for(row.dataset, row.task) == ("vqa_accuracy",))
    few = {row.example_id for row in vqa if len(row.references) in (2, 3)}
    if few:
        yield (
            f"{len(few)} examples have 2 or 3 references: the official VQA accuracy gives even a perfect "
            "answer 1/3 or 2/3 there"
        )
    clusters = cluster_field(predictions)
    if clusters != "group":
        yield f"no row has a 'group', so each {clusters} is taken for a cluster of its own"
