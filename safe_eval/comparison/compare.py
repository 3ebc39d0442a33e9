"""Compare: two models on the same examples, paired by id and condition: comparison.json."""

import itertools
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.options_file import installed_versions
from safe_eval.arms.all_arms import AllCells, all_cells, check_metrics
from safe_eval.arms.arm import Cell, cluster_field
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.consultation import CONSULTATION_METRICS, both_say, consultation_cells
from safe_eval.arms.coverage import cell_coverage
from safe_eval.comparison.comparison_file import (
    EQUIVALENT,
    NOT_MEASURED,
    NOT_SHOWN,
    By,
    Compared,
    ComparisonProvenance,
    FlipRow,
    PairedRow,
    SideCoverage,
)
from safe_eval.comparison.differences import CellPair, flip_rows, paired_rows
from safe_eval.comparison.matching import Matched, Side, condition_pairs, match, predictions_file, read_side
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes
from safe_eval.scorers.captions.caption_scores import JAVA_METRICS
from safe_eval.statistics.multiplicity import benjamini_hochberg, holm
from safe_eval.statistics.sampling import Sampling

COMPARISON_FILE = "comparison.json"
_NO_JAVA = "Java was not to be used"  # in the notes on captions
_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")

Pairs = list[tuple[Prediction, Prediction]]


@dataclass(frozen=True)
class Options:
    """Which answers of two files to compare, and how; `decides` is the slice that decides equivalence."""

    condition_a: str | None = None
    condition_b: str | None = None
    model_a: str | None = None
    model_b: str | None = None
    seed_a: int | None = None
    seed_b: int | None = None
    metric: str | None = None
    by: By | None = None
    margin: float | None = None
    decides: str = "all"
    intersect: bool = False
    allow_partial: bool = False


def compare_files(a: Path, b: Path, options: Options, sampling: Sampling) -> Compared:
    """Compare two predictions files, or runs, example by example.

    Raises:
        InputError: see `read_side` and `match`; answers compared with themselves; or nothing that is judged.
    """
    check_metrics(_on_request(options.metric))
    asked = options.condition_a or options.condition_b, options.condition_b or options.condition_a
    partial, files = options.allow_partial, [predictions_file(a), predictions_file(b)]
    side_a, rows_a = read_side(
        a, "A", model=options.model_a, seed=options.seed_a, condition=asked[0], allow_partial=partial
    )
    side_b, rows_b = read_side(
        b, "B", model=options.model_b, seed=options.seed_b, condition=asked[1], allow_partial=partial
    )
    matched, both, notes = list[Matched](), list[Prediction](), list(partial_notes(files) if partial else ())
    coverage, rows, flipped = list[SideCoverage](), list[PairedRow](), list[FlipRow]()
    for conditions in condition_pairs(side_a, side_b, *asked):
        _check_two(side_a, side_b, conditions)
        found, pairs = match(rows_a, rows_b, conditions, intersect=options.intersect)
        matched.append(found)
        both = _sided(pairs)
        scored = _scored(both, options.metric)
        notes += _notes_on(scored.notes, options.metric)
        coverage += _coverage(both, itertools.chain(*scored.judging.values()))
        names = f"{side_a.model}/{conditions[0]}", f"{side_b.model}/{conditions[1]}"
        cells_of = scored.cells
        if options.metric in CONSULTATION_METRICS:
            pairs, said = both_say(pairs)
            cells_of = consultation_cells(_sided(pairs))
            notes += said
        for metric, cells in cells_of.items():
            for pair in _cell_pairs(metric, cells, pairs, names) if options.metric in (None, metric) else ():
                rows += paired_rows(pair, options.by, options.margin, sampling)
                flipped += flip_rows(pair, options.by)
    adjusted, family = _adjusted(rows)
    return Compared(
        a=side_a,
        b=side_b,
        matched=tuple(matched),
        coverage=tuple(coverage),
        rows=tuple(adjusted),
        flips=tuple(flipped),
        family=family,
        margin=options.margin,
        decided_on=options.decides,
        decision=None if options.margin is None else _decision(adjusted, options.decides),
        notes=tuple(dict.fromkeys([*_notes(side_a, side_b, matched, asked), *notes])),
        provenance=ComparisonProvenance(
            cluster=cluster_field(both),
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )


def _check_two(a: Side, b: Side, conditions: tuple[str, str]) -> None:
    if (a.sha256, a.model, a.seed, conditions[0]) == (b.sha256, b.model, b.seed, conditions[1]):
        raise InputError(
            f"A and B are the same answers, {a.model}/{conditions[0]} in {a.file}; choose others with "
            "--model-b, --condition-b or --seed-b"
        )


def _sided(pairs: Pairs) -> list[Prediction]:
    """All rows, each of a model that is named as its side."""
    return [
        msgspec.structs.replace(row, model=side, seed=0)
        for pair in pairs
        for side, row in zip("AB", pair, strict=True)
    ]


def _scored(rows: Sequence[Prediction], metric: str | None) -> AllCells:
    """The cells of all metrics, or of one; those in Java, slow to start, only if asked for by name."""
    return all_cells(rows, metrics=_on_request(metric), captions=CaptionInputs(java=metric in JAVA_METRICS))


def _on_request(metric: str | None) -> tuple[str, ...]:
    """What a scorer has to be asked for."""
    return () if metric is None or metric in CONSULTATION_METRICS else (metric,)


def _notes_on(notes: Sequence[str], metric: str | None) -> Iterator[str]:
    """What must be known of the scores; of metrics that were not asked for, how to ask."""
    unasked = [note for note in notes if _NO_JAVA in note]
    yield from (note for note in notes if note not in unasked)
    if unasked and metric is None:
        names = ", ".join(JAVA_METRICS)
        yield f"{names} run in Java and are compared one at a time: --metric {JAVA_METRICS[0]}"


def _coverage(rows: Sequence[Prediction], cells: Iterable[Cell]) -> Iterator[SideCoverage]:
    for found in cell_coverage(rows, cells):
        counts = msgspec.structs.asdict(found)
        side, _ = counts.pop("model"), counts.pop("seed")
        yield SideCoverage(side=side, **counts)


def _cell_pairs(
    metric: str, cells: Sequence[Cell], pairs: Pairs, names: tuple[str, str]
) -> Iterator[CellPair]:
    """A pair of cells for each dataset: what is judged on one side is judged on the other."""
    rows = {(a.dataset, a.example_id): a for a, _ in pairs}
    of_side = {(cell.key.dataset, cell.key.model): cell for cell in cells}
    for dataset in dict.fromkeys(dataset for dataset, _ in of_side):
        a, b = of_side[dataset, "A"], of_side[dataset, "B"]
        yield CellPair(metric, a, b, [rows[dataset, name] for name in a.example_ids], names)


def _adjusted(rows: Sequence[PairedRow]) -> tuple[list[PairedRow], int]:
    """The rows with p values adjusted over all that were tested, and how many those are."""
    p_values = np.array([row.p_value for row in rows if row.p_value is not None])
    if not len(p_values):
        return list(rows), 0
    of_family = iter(zip(holm(p_values).tolist(), benjamini_hochberg(p_values).tolist(), strict=True))
    adjusted = []
    for row in rows:
        of_row = (None, None) if row.p_value is None else next(of_family)
        adjusted.append(msgspec.structs.replace(row, holm_p=of_row[0], benjamini_hochberg_p=of_row[1]))
    return adjusted, len(p_values)


def _decision(rows: Sequence[PairedRow], slice_name: str) -> str:
    """Equivalent only if every metric, dataset and condition is, on the slice that decides."""
    deciding = [row for row in rows if row.slice == slice_name]
    if not deciding:
        slices = ", ".join(dict.fromkeys(row.slice for row in rows))
        raise InputError(f"no example is in the slice {slice_name!r} that should decide; there are {slices}")
    if any(row.equivalence != EQUIVALENT and row.equivalence_low is not None for row in deciding):
        return NOT_SHOWN
    return EQUIVALENT if all(row.equivalence == EQUIVALENT for row in deciding) else NOT_MEASURED


def _notes(
    a: Side, b: Side, matched: Sequence[Matched], asked: tuple[str | None, str | None]
) -> Iterator[str]:
    for side, other in ((a, b), (b, a)):
        alone = [name for name in side.conditions if name not in other.conditions]
        if alone and asked == (None, None):
            yield f"only {side.name} answered under {', '.join(alone)}, which is not compared"
    for found in matched:
        if found.only_a or found.only_b:
            yield (
                f"{found.only_a} examples of A {found.condition_a} and {found.only_b} of B "
                f"{found.condition_b} have no partner and are left out{_ids(found)}"
            )


def _ids(found: Matched) -> str:
    names = [*found.only_a_ids, *found.only_b_ids]
    return f": {', '.join(names)}{', …' if found.only_a + found.only_b > len(names) else ''}"
