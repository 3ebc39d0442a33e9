"""Run folder: the items, scores and verdict of a run, checked to belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.judging.verdict import VERDICT_FILE, Verdict, overall
from safe_eval.scoring.items import ITEMS_FILE, read_items
from safe_eval.scoring.scores import SCORES_FILE, Scores, read_scores, scored_files

if TYPE_CHECKING:
    import pyarrow as pa

MADE_WITH = ("options.yaml", "freeze.json", "adapter/config.json", "adapter/adapter.safetensors")


@dataclass(frozen=True)
class Results:
    """Everything that the report shows."""

    name: str
    items: "pa.Table"  # see `scoring.items`
    scores: Scores
    verdict: Verdict
    file_hashes: dict[str, str]


def read_results(run: Path) -> Results:
    """Read a run's scores.json, verdict.json and items.parquet; nothing is scored again: `verdict` did that.

    Raises:
        InputError: a file is missing or malformed, or the files do not belong together.
    """
    if not run.is_dir():
        raise InputError(
            f"{run}: no such run folder; it holds {SCORES_FILE}, {ITEMS_FILE} and {VERDICT_FILE}"
        )
    scores = read_scores(run)
    verdict = _read_verdict(run)
    files = scored_files(run, scores)
    made = [path for name in MADE_WITH if (path := run / name).is_file()]
    named = [*files, run / SCORES_FILE, run / VERDICT_FILE, *made]
    return Results(
        name=run.resolve().name,
        items=read_items(run, scores.provenance.items_sha256),
        scores=scores,
        verdict=verdict,
        file_hashes={_shown(path, run): file_sha256(path) for path in named},
    )


def _shown(path: Path, run: Path) -> str:
    """A file in the report: its path within the run, or its bare name."""
    return str(path.relative_to(run)) if path.is_relative_to(run) and ".." not in path.parts else path.name


def _read_verdict(run: Path) -> Verdict:
    path = run / VERDICT_FILE
    command = f"safe-eval verdict {run} --criteria FILE.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with: {command}")
    command += " --force"
    try:
        verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is not a verdict file: {error}; judge the scores again: {command}"
        ) from None
    if verdict.scores_sha256 != file_sha256(run / SCORES_FILE):
        raise InputError(
            f"{path}: judges other scores than the {SCORES_FILE} next to it; judge these: {command}"
        )
    if verdict.decision != overall(verdict.criteria):
        raise InputError(
            f"{path}: says {verdict.decision}, its criteria say {overall(verdict.criteria)}; "
            f"judge the scores again: {command}"
        )
    return verdict
