"""All cells: the answers of every metric that judges them, scored item by item."""

from collections.abc import Sequence
from dataclasses import dataclass

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Cell, places_by_kind, score_cells
from safe_eval.arms.caption_arms import CaptionInputs, caption_cells
from safe_eval.prediction import Prediction
from safe_eval.results.aggregates import MeasureRow, measure_rows, unmeasured_captions
from safe_eval.scorers.scorer import CAPTION_METRICS, ON_REQUEST, SCORERS
from safe_eval.statistics.sampling import Sampling


@dataclass(frozen=True)
class AllCells:
    """The cells of each metric; `asked` are those on request, which say nothing new about coverage."""

    judging: dict[str, list[Cell]]
    asked: dict[str, list[Cell]]
    measures: tuple[MeasureRow, ...]
    notes: tuple[str, ...]

    @property
    def cells(self) -> dict[str, list[Cell]]:
        """Of all metrics, in the order of the tables."""
        return self.judging | self.asked


def all_cells(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[str] = (),
    captions: CaptionInputs | None = None,
    sampling: Sampling | None = None,
) -> AllCells:
    """Score predictions with every metric that judges any of them, and with those asked for by name.

    Measures, whose intervals are drawn, are made where `sampling` is given.

    Raises:
        InputError: no predictions, none of a task that can be scored, a metric that is unknown or judges none
            of them, clusters given in some rows only, or captions that cannot be measured.
    """
    if not predictions:
        raise InputError("no predictions: an empty set has no score")
    check_metrics(metrics)
    captioned = caption_cells(predictions, captions or CaptionInputs())
    kinds = places_by_kind(predictions)
    judging = {metric: found for metric in SCORERS if (found := score_cells(metric, predictions, kinds))}
    judging |= captioned.cells
    if not judging:
        tasks = ", ".join(sorted({str(row.task) for row in predictions}))
        raise InputError(f"no metric judges the tasks of these predictions ({tasks})")
    asked = {metric: score_cells(metric, predictions, kinds) for metric in metrics if metric in ON_REQUEST}
    for metric in metrics:
        if not asked.get(metric) and metric not in judging:
            raise InputError(f"{metric} judges none of these predictions; leave it out")
    measured = () if sampling is None else measure_rows(predictions, sampling)
    unmeasured = unmeasured_captions(captioned.cells, captioned.not_measured)
    return AllCells(judging, asked, (*measured, *unmeasured), captioned.notes)


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse a metric that does not exist, and say which was meant.

    Raises:
        InputError: no scorer makes it.
    """
    known = (*SCORERS, *CAPTION_METRICS, *ON_REQUEST)
    for metric in metrics:
        if metric not in known:
            hint = f"{did_you_mean(metric, known)} on request: {', '.join(ON_REQUEST)}"
            raise InputError(f"no metric is named {metric!r}; {hint.lstrip()}")
