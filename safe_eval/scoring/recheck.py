"""Recheck: compute the numbers of a run again from its predictions, so that no forged file passes."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_eval.arms.all_arms import Arms
from safe_eval.options import CORPUS, Sampling, ScoreOptions
from safe_eval.scorers.captions.caption_scores import JAVA_METRICS
from safe_eval.scoring.items import ITEMS_FILE, same_items
from safe_eval.scoring.score import read_arms, scores_of
from safe_eval.scoring.scores import SCORES_FILE, Scores, file_of, read_scores, scored_files

TABLES = ("cells", "metrics", "comparisons", "aggregates", "seeds", "seed_comparisons", "retention")
TOLERANCE = 1e-6  # other releases of NumPy and SciPy may round the last digits differently

_NAMES = ("metric", "name", "dataset", "slice", "model", "condition", "a", "b", "seed", "seeds")

Row = dict[str, Any]


def check_scores(run: Path) -> Scores:
    """Read a run's scores, score its predictions again in the same way, and check that both agree.

    Raises:
        InputError: see `read_scores`; or numbers or items differ from what the predictions give, all reported
            at once.
    """
    scores = read_scores(run)
    arms, again = _again(run, scores)
    faults = list(_differences(scores, again))
    if faults:
        raise InputError(_complaint(run, scores, again, faults))
    _check_items(run, scores, arms)
    return scores


def _again(run: Path, scores: Scores) -> tuple[Arms, Scores]:
    made = scores.provenance
    options = ScoreOptions(
        metric=made.metrics,
        df=CORPUS if made.frequencies is None else str(file_of(run, made.frequencies)),
        spice=None if made.spice is None else file_of(run, made.spice),
        no_java=not made.java,
        allow_partial=made.partial,
    )
    sampling = Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)
    arms, _ = read_arms(scored_files(run, scores), options)
    return arms, scores_of(arms, sampling, options)


def _check_items(run: Path, scores: Scores, arms: Arms) -> None:
    """If there is an items.parquet, which the report shows, it must hold what the predictions give."""
    if not (run / ITEMS_FILE).is_file():
        return
    if not same_items(run, scores.provenance.items_sha256, arms, TOLERANCE):
        files = " ".join(map(str, scored_files(run, scores)))
        raise InputError(
            f"{run / ITEMS_FILE}: does not hold what the predictions give; score them again: "
            f"safe-eval score {files} --out {run}"
        )


def _complaint(run: Path, scores: Scores, again: Scores, faults: Sequence[str]) -> str:
    lines = [f"{run / SCORES_FILE}: {len(faults)} numbers are not what its predictions give"]
    lines += first_errors(faults)
    made, here = scores.provenance.versions, again.provenance.versions
    differing = [
        f"{name} {made.get(name)}, not {here[name]}" for name in here if made.get(name) != here[name]
    ]
    if differing:
        lines.append(f"the scores were made with {', '.join(differing)}")
    files = " ".join(map(str, scored_files(run, scores)))
    return "\n".join([*lines, f"score them again: safe-eval score {files} --out {run}"])


def _differences(scores: Scores, again: Scores) -> Iterator[str]:
    for table in TABLES:
        said, found = _by_name(getattr(scores, table)), _by_name(getattr(again, table))
        for name in dict.fromkeys([*said, *found]):
            yield from _of_row(f"{table} {' '.join(name)}", said.get(name), found.get(name))


def _of_row(name: str, said: Row | None, found: Row | None) -> Iterator[str]:
    row = said or found or {}
    if found is None and row.get("metric") in JAVA_METRICS:
        yield f"{name}: cannot be checked without Java; run this where Java is installed"
    elif found is None:
        yield f"{name}: the predictions give no such row"
    elif said is None:
        yield f"{name}: is missing"
    else:
        for field, value in found.items():
            if not _equal(said[field], value):
                yield f"{name}: {field} is {_shown(said[field])}, the predictions give {_shown(value)}"


def _by_name(rows: Sequence[msgspec.Struct]) -> dict[tuple[str, ...], Row]:
    """Rows by the names that identify them, without rows that only say why there is no number."""
    by_name: dict[tuple[str, ...], Row] = {}
    for row in map(msgspec.to_builtins, rows):
        if "why_not" in row and "value" in row and row["value"] is None:
            continue
        by_name[tuple(f"{row[field]}" for field in _NAMES if row.get(field) is not None)] = row
    return by_name


def _equal(said: Any, found: Any) -> bool:
    if isinstance(said, float) and isinstance(found, float):
        return math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(said, list | tuple) and isinstance(found, list | tuple):
        return len(said) == len(found) and all(map(_equal, said, found))
    return bool(said == found)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
