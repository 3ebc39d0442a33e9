"""Recheck: compute the numbers of a run again from its predictions, so that no forged file passes."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_data.core.phases import Phase, unseen
from safe_eval.arms.all_arms import Arms
from safe_eval.options import CORPUS, Sampling, ScoreOptions
from safe_eval.scorers.captions.caption_scores import JAVA_METRICS
from safe_eval.scoring.items import ITEMS_FILE, same_items
from safe_eval.scoring.score import read_arms, scores_of
from safe_eval.scoring.scores import SCORES_FILE, Scores, file_of, read_scores, score_again, scored_files

TABLES = ("cells", "metrics", "comparisons", "aggregates", "seeds", "seed_comparisons", "retention")
TOLERANCE = 1e-6  # other releases of NumPy and SciPy may round the last digits differently

_NAMES = ("metric", "name", "dataset", "slice", "model", "condition", "against", "a", "b", "seed", "seeds")

Row = dict[str, Any]


def check_scores(run: Path, at: Phase = unseen) -> Scores:
    """Read a run's scores, score its predictions again in the same way, and check that both agree.

    `at` is told which phase of the work begins.

    Raises:
        InputError: see `read_scores`; or numbers or items differ from what the predictions give, all reported
            at once.
    """
    scores = read_scores(run)
    arms, again = _again(run, scores, at)
    faults = [*_of_tables(scores, again), *_of_rows_and_notes(scores, again, arms)]
    if faults:
        raise InputError(_complaint(run, scores, again, faults))
    at("checking items.parquet")
    _check_items(run, scores, arms)
    return scores


def _again(run: Path, scores: Scores, at: Phase) -> tuple[Arms, Scores]:
    made = scores.provenance
    options = ScoreOptions(
        metric=made.metrics,
        df=CORPUS if made.frequencies is None else str(file_of(run, made.frequencies)),
        spice=None if made.spice is None else file_of(run, made.spice),
        no_java=not made.java,
        tokenizer=made.tokenizer,
        baseline=made.baseline,
        pairs=made.pairs,
        allow_partial=made.partial,
    )
    sampling = Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)
    arms, _ = read_arms(scored_files(run, scores), options, at)
    at("intervals and differences")
    return arms, scores_of(arms, sampling, options)


def _check_items(run: Path, scores: Scores, arms: Arms) -> None:
    """The items.parquet of the scores, which the report shows, must hold what the predictions give."""
    if scores.provenance.items_sha256 is None and not (run / ITEMS_FILE).is_file():
        return
    if not same_items(run, scores.provenance.items_sha256, arms, TOLERANCE):
        raise InputError(
            f"{run / ITEMS_FILE}: does not hold what the predictions give; score them again: "
            f"{score_again(run, scores)}"
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
    return "\n".join([*lines, f"score them again: {score_again(run, scores)}"])


def _of_tables(scores: Scores, again: Scores) -> Iterator[str]:
    for table in TABLES:
        said, found = _by_name(getattr(scores, table)), _by_name(getattr(again, table))
        for name in dict.fromkeys([*said, *found]):
            yield from _of_row(f"{table} {' '.join(name)}", said.get(name, []), found.get(name, []))


def _of_rows_and_notes(scores: Scores, again: Scores, arms: Arms) -> Iterator[str]:
    """Differences in what stands beside the tables. Notes on captions depend on the installed Java."""
    said, found = msgspec.to_builtins(scores.coverage), msgspec.to_builtins(again.coverage)
    for condition in dict.fromkeys([*said, *found]):
        stated, counted = said.get(condition), found.get(condition)
        if stated != counted:
            yield f"coverage {condition} is {stated}, the predictions give {counted}"
    for field in ("rows", "cluster", "baseline"):
        stated, counted = getattr(scores.provenance, field), getattr(again.provenance, field)
        if stated != counted:
            yield f"{field} is {stated!r}, the predictions give {counted!r}"
    for note in again.notes:
        if note not in (*scores.notes, *arms.notes):
            yield f"the note {note!r} is missing"


def _of_row(name: str, said: list[Row], found: list[Row]) -> Iterator[str]:
    if not found and said[0].get("metric") in JAVA_METRICS:
        yield f"{name}: cannot be checked without Java; run this where Java is installed"
    elif not found:
        yield f"{name}: the predictions give no such row"
    elif not said:
        yield f"{name}: is missing"
    elif len(said) != len(found):
        yield f"{name}: {len(said)} rows, the predictions give {len(found)}"
    for row, other in zip(said, found, strict=False):
        for field, value in other.items():
            if not _equal(row[field], value):
                yield f"{name}: {field} is {_shown(row[field])}, the predictions give {_shown(value)}"


def _by_name(rows: Sequence[msgspec.Struct]) -> dict[tuple[str, ...], list[Row]]:
    """Rows by the names that identify them, without rows that only say why there is no number."""
    by_name: dict[tuple[str, ...], list[Row]] = {}
    for row in map(msgspec.to_builtins, rows):
        if "why_not" in row and "value" in row and row["value"] is None:
            continue
        name = tuple(f"{row[field]}" for field in _NAMES if row.get(field) is not None)
        by_name.setdefault(name, []).append(row)
    return by_name


def _equal(said: Any, found: Any) -> bool:
    if isinstance(said, float) and isinstance(found, float):
        return math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(said, list | tuple) and isinstance(found, list | tuple):
        return len(said) == len(found) and all(map(_equal, said, found))
    return bool(said == found)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
