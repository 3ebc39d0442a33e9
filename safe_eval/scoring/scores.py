"""Scores: the content of scores.json, with every number traced to its predictions; read and write it."""

from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_json
from safe_eval.arms.coverage import ArmCoverage, Coverage
from safe_eval.results.aggregates import AggregateRow
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric
from safe_eval.results.retention import RetentionRow
from safe_eval.results.seeds import SeedComparison, SeedRow

SCORES_FILE = "scores.json"
FORMAT_VERSION = 2


class PredictionsFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file by its name and hash, and its path from the folder of the scores if it lies elsewhere."""

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
    partial: bool = False  # a last line that was cut off may be left out
    metrics: tuple[str, ...] = ()  # asked for by name
    java: bool = False  # whether any number was made in Java
    frequencies: PredictionsFile | None = None  # of CIDEr; none: those of the references scored
    spice: PredictionsFile | None = None
    items_sha256: str | None = None  # of items.parquet, where it was written beside the scores
    python: str
    versions: dict[str, str]


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The content of scores.json."""

    format_version: int = FORMAT_VERSION
    coverage: dict[str, Coverage]
    cells: tuple[ArmCoverage, ...]
    metrics: tuple[Metric, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]  # what a reader of the numbers must know
    provenance: Provenance
    aggregates: tuple[AggregateRow, ...] = ()
    seeds: tuple[SeedRow, ...] = ()
    seed_comparisons: tuple[SeedComparison, ...] = ()
    retention: tuple[RetentionRow, ...] = ()


class _Version(msgspec.Struct):
    format_version: int = 1  # older files do not say


def scored_files(run: Path, scores: Scores) -> list[Path]:
    """The predictions a run's scores were computed from."""
    return [file_of(run, file) for file in scores.provenance.predictions]


def file_of(run: Path, file: PredictionsFile) -> Path:
    """Where a file lies that scores were computed from: beside them, or where it lay when they were made."""
    beside = run / Path(file.name).name
    return beside if file.path is None or beside.is_file() else run / file.path


def write_scores(scores: Scores, out: Path) -> Path:
    """Write scores.json into a folder, whole or not at all."""
    return write_json(out / SCORES_FILE, scores)


def read_scores(run: Path) -> Scores:
    """Read a run's scores.json, and make sure that it was computed from the predictions it names.

    Raises:
        InputError: no scores, not scores, or scores of other predictions than those found.
    """
    path = run / SCORES_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: safe-eval score PREDICTIONS --out {run}")
    try:
        version = msgspec.json.decode(path.read_bytes(), type=_Version).format_version
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: is of format {version}, this version reads {FORMAT_VERSION}; score the predictions "
                f"again: safe-eval score PREDICTIONS --out {run}"
            )
        scores = msgspec.json.decode(path.read_bytes(), type=Scores)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a scores file: {error}; score the predictions again") from None
    if not scores.provenance.predictions:
        raise InputError(f"{path}: names no predictions file it was computed from; use safe-eval score")
    made = scores.provenance
    files = " ".join(str(path) for path in scored_files(run, scores))
    for file in (*made.predictions, *filter(None, (made.frequencies, made.spice))):
        scored = file_of(run, file)
        if not scored.is_file():
            raise InputError(
                f"{scored}: no such file, so nothing shows that {SCORES_FILE} was computed from it; "
                f"put {file.name} beside its scores"
            )
        if file_sha256(scored) != file.sha256:
            raise InputError(
                f"{path}: was computed from another {file.name} than {scored}; "
                f"score again what is there: safe-eval score {files} --out {run}"
            )
    return scores
