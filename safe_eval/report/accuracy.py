"""The accuracies of the page: numbers of scores.json laid out as tables."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safe_eval.report import numbers
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.scorers.scorer import CAPTION_METRICS
from safe_eval.scoring.scores import Scores

SLICES = {"vl": "VL", "audio": "Audio", "all": "All"}
_TYPE = "type:"
_CONDITIONS = {
    "full": "full input",
    "mute_audio": "audio muted",
    "noise_audio": "audio as noise",
    "swap_audio": "audio swapped",
    "mute_vision": "picture greyed",
    "gate_off": "gate off",
}


@dataclass(frozen=True)
class Column:
    """One model under one condition."""

    model: str
    condition: str
    is_baseline: bool = False

    @property
    def key(self) -> str:
        """The arm as comparisons and criteria name it."""
        return f"{self.model}/{self.condition}"

    @property
    def title(self) -> str:
        """The name of the model for full input, otherwise what was done to the input."""
        if self.condition == "full":
            return self.model
        changed = condition_title(self.condition)
        return f"{self.model}, {changed}" if self.is_baseline else changed


@dataclass(frozen=True)
class Cell:
    """One table cell: an accuracy as shown."""

    value: str
    interval: str
    size: str
    metric: Metric


@dataclass(frozen=True)
class Row:
    """The accuracies of one slice; `size` is their number of items, or empty where they differ."""

    slice: str
    label: str
    size: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Panel:
    """The accuracies of one metric, dataset and seed: the main table, and the table by question type."""

    title: str
    interval_note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    type_rows: tuple[Row, ...]


def condition_title(name: str) -> str:
    """A condition in words.

    >>> condition_title("swap_audio"), condition_title("snr_10db")
    ('audio swapped', 'noise at 10 dB SNR')
    """
    noisy = re.fullmatch(r"snr_(-?\d+)db", name)
    return f"noise at {noisy[1]} dB SNR" if noisy else _CONDITIONS.get(name, name)


def slice_title(name: str, noun: str = "questions") -> str:
    """A slice in words.

    >>> slice_title("vl"), slice_title("all", "captions"), slice_title("type:count")
    ('VL questions', 'All captions', 'count')
    """
    return f"{SLICES[name]} {noun}" if name in SLICES else name.removeprefix(_TYPE)


def noun_of(metric: str) -> str:
    """What a metric judges.

    >>> noun_of("cider_d"), noun_of("vqa_accuracy")
    ('captions', 'questions')
    """
    return "captions" if metric in CAPTION_METRICS else "questions"


def slices_in_order(names: Iterable[str]) -> list[str]:
    """Slices in the order of the tables: VL, audio, all, then the others by name."""
    known = list(SLICES)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def set_title(metric: str, dataset: str | None, seed: int) -> str:
    """The title of a table: metric, dataset and seed.

    >>> set_title("vqa_accuracy", None, 0)
    'vqa_accuracy · seed 0'
    """
    return " · ".join(part for part in (metric, dataset, f"seed {seed}") if part)


def is_accuracy(metric: str) -> bool:
    """Whether a metric is a fraction to be shown in percent."""
    return "accuracy" in metric


def panels(scores: Scores) -> tuple[Panel, ...]:
    """One panel per accuracy metric, dataset, seed and model, with the baseline in its first columns."""
    accuracies = [metric for metric in scores.metrics if is_accuracy(metric.metric)]
    rows = without_repeats(accuracies, ("metric", "dataset", "seed", "model", "condition"))
    baseline = scores.provenance.baseline
    tested = [row for row in rows if row.model != baseline] or rows
    found = []
    for key in dict.fromkeys((m.metric, m.dataset, m.seed, m.model) for m in tested):
        own = [m for m in tested if (m.metric, m.dataset, m.seed, m.model) == key]
        title = set_title(*key[:3]) + ("" if len({m.model for m in tested}) == 1 else f" · {key[3]}")
        found.append(_panel(title, [*_baseline_rows(rows, own[0], baseline), *own], baseline))
    return tuple(found)


def _baseline_rows(rows: Sequence[Metric], tested: Metric, baseline: str | None) -> list[Metric]:
    """The baseline's rows of the same seed, or of its only seed."""
    if tested.model == baseline:
        return []
    same = [m for m in rows if (m.model, m.metric, m.dataset) == (baseline, tested.metric, tested.dataset)]
    seeds = {m.seed for m in same}
    return [m for m in same if m.seed == tested.seed or len(seeds) == 1]


def _panel(title: str, metrics: Sequence[Metric], baseline: str | None) -> Panel:
    arms = dict.fromkeys((m.model, m.condition) for m in metrics)
    columns = tuple(Column(model, condition, model == baseline) for model, condition in arms)
    by_place = {(m.slice, m.model, m.condition): m for m in metrics}
    names = slices_in_order(metric.slice for metric in metrics)

    def row(name: str) -> Row:
        cells = tuple(_cell(by_place.get((name, column.model, column.condition))) for column in columns)
        sizes = {cell.size for cell in cells if cell}
        return Row(name, slice_title(name), sizes.pop() if len(sizes) == 1 else "", cells)

    return Panel(
        title=title,
        interval_note=_interval_note(metrics),
        columns=columns,
        rows=tuple(row(name) for name in names if not name.startswith(_TYPE)),
        type_rows=tuple(row(name) for name in names if name.startswith(_TYPE)),
    )


def _cell(metric: Metric | None) -> Cell | None:
    if metric is None:
        return None
    interval = numbers.interval(numbers.percent(metric.ci_low), numbers.percent(metric.ci_high))
    size = f"{numbers.count(metric.n, 'item')} in {numbers.count(metric.clusters, 'cluster')}"
    return Cell(numbers.percent(metric.value), interval, size, metric)


def _interval_note(metrics: Sequence[Metric]) -> str:
    kinds = dict.fromkeys(metric.interval for metric in metrics if metric.interval)
    if not kinds:
        return "no interval could be computed"
    return f"in brackets, the {numbers.percent(metrics[0].confidence, 0)} % interval ({' or '.join(kinds)})"
