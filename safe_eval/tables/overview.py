"""Overview: metrics without a whole table of their own, a column each; their intervals are in scores.json."""

from collections.abc import Iterator, Sequence

from safe_eval.scorers import CAPTION_METRICS
from safe_eval.scoring.confidences import CALIBRATION_METRICS
from safe_eval.scoring.consultation import CONSULTATION_METRICS
from safe_eval.scoring.metric import Metric
from safe_eval.scoring.scores import Scores
from safe_eval.scoring.slices import COMPARED_SLICES
from safe_eval.tables import numerals

# Each group is one table; the first caption metric has a whole table of its own.
GROUPS = {
    "other caption metrics": CAPTION_METRICS[1:],
    "confidence and consultation": (*CALIBRATION_METRICS, *CONSULTATION_METRICS),
}
BESIDE = frozenset(metric for group in GROUPS.values() for metric in group)
_COLUMNS, _NAME, _SLICE, _NARROWEST = 80, 20, 7, 7


def overview_lines(scores: Scores) -> Iterator[str]:
    """A table for each group, dataset and seed; columns that do not fit stand below."""
    for title, group in GROUPS.items():
        rows = [row for row in scores.metrics if row.metric in group]
        for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in rows):
            own = [row for row in rows if (row.dataset, row.seed) == (dataset, seed)]
            names = [name for name in group if any(row.metric == name for row in own)]
            yield ""
            yield f"{title}, seed {seed}" if dataset is None else f"{title} on {dataset}, seed {seed}"
            for shown in _fitting(names):
                yield from _table(own, shown)


def _table(rows: Sequence[Metric], names: Sequence[str]) -> Iterator[str]:
    values = {(row.model, row.condition, row.slice, row.metric): row for row in rows}
    yield f"  {'':<{_NAME}} slice " + "".join(f"{name:>{_width(name)}}" for name in names)
    for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
        title = f"{model}/{condition}"
        whole = [values.get((model, condition, "all", name)) for name in names]
        for slice_name in COMPARED_SLICES:
            found = [values.get((model, condition, slice_name, name)) for name in names]
            told = slice_name != "all" and all(
                row is None or (of_all is not None and row.n == of_all.n)
                for row, of_all in zip(found, whole, strict=True)
            )
            if told or not any(found):
                continue
            cells = (
                f"{numerals.fraction(row.value) if row else '':>{_width(name)}}"
                for name, row in zip(names, found, strict=True)
            )
            line = f"  {title[:_NAME]:<{_NAME}} {slice_name:<{_SLICE - 1}}" + "".join(cells)
            yield line.rstrip()
            title = ""


def _fitting(names: Sequence[str]) -> Iterator[list[str]]:
    """The names in portions whose columns fit in a line."""
    portion: list[str] = []
    for name in names:
        if 2 + _NAME + _SLICE + sum(map(_width, [*portion, name])) > _COLUMNS:
            yield portion
            portion = []
        portion.append(name)
    if portion:
        yield portion


def _width(name: str) -> int:
    return max(_NARROWEST, len(name) + 1)
