"""Run folder: the items, scores and verdict of a run, checked to belong together, and proof of its freeze."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.judging.chain import Link, chain_links, read_verdict
from safe_eval.judging.expectation import with_expected
from safe_eval.judging.verdict import VERDICT_FILE, Verdict
from safe_eval.report.explanation import EXPLAIN_FILE, Explanation, read_explanation
from safe_eval.report.freeze_evidence import FILES, FreezeEvidence, read_freeze_evidence
from safe_eval.scoring.items import ITEMS_FILE, read_items
from safe_eval.scoring.scores import SCORES_FILE, Scores, read_scores, scored_files

if TYPE_CHECKING:
    import pyarrow as pa

EXPLAINED = f"explain/{EXPLAIN_FILE}"
MADE_WITH = ("options.yaml", *FILES, EXPLAINED, "adapter/config.json", "adapter/adapter.safetensors")


@dataclass(frozen=True)
class Results:
    """Everything that the report shows."""

    name: str
    items: "pa.Table"  # see `scoring.items`
    scores: Scores
    verdict: Verdict
    chain: tuple[Link, ...]
    file_hashes: dict[str, str]
    freeze: FreezeEvidence
    baseline: str | None  # the model that the scores compare the others with
    explanation: Explanation | None = None  # of `safe-train explain`


def read_results(run: Path) -> Results:
    """Read a run's scores.json, verdict.json and items.parquet; nothing is scored again: `verdict` did that.

    Raises:
        InputError: a file is missing or malformed, or the files do not belong together. The predictions may
            be elsewhere; then the chain says that they were not compared.
    """
    if not run.is_dir():
        raise InputError(
            f"{run}: no such run folder; it holds {SCORES_FILE}, {ITEMS_FILE} and {VERDICT_FILE}"
        )
    scores = read_scores(run, absent=True)
    verdict = read_verdict(run, scores)
    files = [file for file in scored_files(run, scores) if file.is_file()]
    made = [path for name in MADE_WITH if (path := run / name).is_file()]
    named = [*files, run / SCORES_FILE, run / VERDICT_FILE, *made]
    return Results(
        name=run.resolve().name,
        items=read_items(run, scores.provenance.items_sha256),
        scores=with_expected(scores, verdict.expected, verdict.scope),
        verdict=verdict,
        chain=chain_links(run, scores, verdict),
        file_hashes={_shown(path, run): file_sha256(path) for path in named},
        freeze=read_freeze_evidence(run),
        baseline=scores.provenance.baseline,
        explanation=read_explanation(run / EXPLAINED) if (run / EXPLAINED).is_file() else None,
    )


def _shown(path: Path, run: Path) -> str:
    """A file in the report: its path within the run, or its bare name."""
    return str(path.relative_to(run)) if path.is_relative_to(run) and ".." not in path.parts else path.name
