"""Coverage: what became of every example that should have been answered."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec

from safe_eval.arms.arm import Cell, CellKey, cell_key
from safe_eval.prediction import Prediction
from safe_eval.scorers.scorer import metrics_for


class Coverage(msgspec.Struct, frozen=True):
    """Counts of examples; one that is expected and counted nowhere else has no row at all."""

    expected: int
    answered: int  # with text that a metric judges
    errored: int  # the model or its media failed; counted as wrong
    unparsed: int  # not understood, which is wrong; or blank, wrong unless the references are blank too
    excluded: int  # of a task that no metric judges; in no score


class CellCoverage(Coverage, frozen=True, kw_only=True):
    """The coverage of one model under one condition, with one seed, on one dataset."""

    dataset: str | None
    seed: int
    model: str
    condition: str


def cell_coverage(predictions: Sequence[Prediction], cells: Iterable[Cell] = ()) -> list[CellCoverage]:
    """Count each cell against all examples that any row of its dataset asks, in the order of the tables.

    `cells` are the same predictions as scored by their metrics, which say what was not understood.

    >>> row = Prediction(example_id="q1", references=("yes",), answer="yes")
    >>> other = Prediction(example_id="q2", references=("no",), answer=" ", condition="mute_audio")
    >>> [(c.condition, c.expected, c.answered, c.unparsed) for c in cell_coverage([row, other])]
    [('full', 2, 1, 0), ('mute_audio', 2, 0, 1)]
    """
    return coverage_of(predictions, outcomes(predictions, cells))


def coverage_of(predictions: Sequence[Prediction], became: Sequence[str]) -> list[CellCoverage]:
    """As `cell_coverage`, of predictions whose outcomes are known."""
    asked: dict[str | None, set[str]] = {row.dataset: set() for row in predictions}
    for row in predictions:
        asked[row.dataset].add(row.example_id)
    found: dict[CellKey, Counter[str]] = {}
    for (key, outcome), count in Counter(zip(map(cell_key, predictions), became, strict=True)).items():
        found.setdefault(key, Counter())[outcome] = count
    return [
        CellCoverage(
            expected=len(asked[key.dataset]),
            answered=found[key]["answered"],
            errored=found[key]["errored"],
            unparsed=found[key]["unparsed"],
            excluded=found[key]["excluded"],
            **key._asdict(),
        )
        for key in sorted(found, key=lambda key: key.order)
    ]


def outcomes(predictions: Iterable[Prediction], cells: Iterable[Cell] = ()) -> list[str]:
    """What became of each prediction: answered, errored, unparsed or excluded."""
    unparsed = _unparsed(cells)
    return [_outcome(row, unparsed.get(cell_key(row), ())) for row in predictions]


def coverage_by_condition(cells: Sequence[CellCoverage]) -> dict[str, Coverage]:
    """The coverage of each condition: the sum over models, seeds and datasets."""
    names = msgspec.structs.fields(Coverage)
    return {
        condition: Coverage(
            *(sum(getattr(cell, f.name) for cell in cells if cell.condition == condition) for f in names)
        )
        for condition in dict.fromkeys(cell.condition for cell in cells)
    }


def _unparsed(cells: Iterable[Cell]) -> dict[CellKey, set[str]]:
    """The examples that a metric did not understand, by cell."""
    found: dict[CellKey, set[str]] = {}
    for cell in cells:
        names = (name for name, unparsed in zip(cell.example_ids, cell.unparsed, strict=True) if unparsed)
        found.setdefault(cell.key, set()).update(names)
    return found


def _outcome(row: Prediction, unparsed: Collection[str]) -> str:
    if not metrics_for(row.dataset, row.task):
        return "excluded"
    if row.error is not None or row.answer is None:
        return "errored"
    return "answered" if row.answer.strip() and row.example_id not in unparsed else "unparsed"
