"""Result: what a sweep found, as results.json holds it: a row a point, and what each rule found."""

from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.numerals import MISSING
from safe_data.core.table import Table, Value
from safe_train.sweeps.candidate import Fixed, Metric, Scored
from safe_train.sweeps.grid import Grid
from safe_train.sweeps.measured import Measured
from safe_train.sweeps.point import Point
from safe_train.sweeps.rules import Ruled
from safe_train.sweeps.rules_file import METRICS
from safe_train.sweeps.trial import FINISHED

FORMAT_VERSION = 1


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a point: its mean over seeds, sd between them, and interval; None is not measured.

    The interval of a score is for new seeds and new questions at once.
    """

    mean: float
    sd: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    by_seed: tuple[float, ...] = ()
    questions: int | None = None
    clusters: int | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A point: what it varies, its seeds, why it is no candidate if it is none, and its metrics."""

    point: str
    varied: dict[str, Any]
    presets: tuple[str, ...]
    seeds: tuple[int, ...]
    status: str
    missing: str | None
    metrics: dict[str, Cell]
    wrong_audio: int | None
    wrong_vl: int | None


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The content of results.json, and the files that were written.

    `decision` is no-go if a rule says so, go if every rule names a point, and else not measured.
    """

    format_version: int = FORMAT_VERSION
    grid: str
    about: str
    decision: str
    winner: str | None
    rows: tuple[Row, ...]
    rules: tuple[Ruled, ...]
    wrong_always: dict[str, int]
    seeds: tuple[int, ...]
    split: str
    confidence: float
    versions: dict[str, str] = {}
    files: tuple[Path, ...] = ()


def row_of(point: Point, found: Measured, grid: Grid) -> Row:
    """The row of a point."""
    wrong = {kind: sum(one.kind == kind for one in found.wrong) for kind in ("audio", "vl")}
    is_scored = bool(found.trials) and found.candidate.missing is None
    stopped = next((trial.status for trial in found.trials if trial.status != FINISHED), None)
    status = FINISHED if is_scored else stopped or "not run"
    return Row(
        point=point.name,
        varied=dict(point.varied),
        presets=point.presets,
        seeds=tuple(trial.seed for trial in found.trials),
        status=status,
        missing=found.candidate.missing,
        metrics={
            name: cell_of(found.candidate.metrics[name], grid.confidence)
            for name in METRICS
            if name in found.candidate.metrics
        },
        wrong_audio=wrong["audio"] if is_scored else None,
        wrong_vl=wrong["vl"] if is_scored else None,
    )


def cell_of(metric: Metric, confidence: float) -> Cell:
    """A metric with its spread.

    >>> from safe_train.sweeps.candidate import BySeed
    >>> cell_of(BySeed((1.0, 3.0)), 0.95).sd.__round__(3)
    1.414
    """
    if isinstance(metric, Fixed):
        return Cell(mean=metric.value)
    interval = metric.interval(confidence)
    values = metric.by_seed
    middle = sum(values) / len(values)
    spread = sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1)
    scored = isinstance(metric, Scored)
    return Cell(
        mean=metric.value,
        sd=spread**0.5 if len(values) > 1 else None,
        ci_low=interval.low,
        ci_high=interval.high,
        by_seed=values,
        questions=metric.scores.shape[1] if isinstance(metric, Scored) else None,
        clusters=len(set(metric.clusters.tolist())) if scored and isinstance(metric, Scored) else None,
    )


_SHOWN = (  # column, metric, factor, digits
    ("audio", "audio_score", 100, 1),
    ("gain", "audio_gain", 100, 1),
    ("VL", "vl_score", 100, 1),
    ("drift", "vl_drift", 100, 1),
    ("ms", "latency_ms", 1, 1),
    ("of base", "latency_ratio", 1, 2),
    ("swing", "oscillation", 1, 2),
)


def results_table(result: SweepResult) -> Table:
    """A row a point: mean ± sd over seeds, with the interval of what is scored."""
    columns = ("point", "trained", *(name for name, *_ in _SHOWN), "diverged", "wrong", "seeds")
    rows: list[list[Value]] = []
    for row in result.rows:
        trained = row.metrics.get("parameters")
        diverged = row.metrics.get("diverged")
        shown: list[Value] = [row.point, f"{trained.mean:,.0f}" if trained else None]
        for _, metric, factor, digits in _SHOWN:
            shown.append(_written(row.metrics.get(metric), factor, digits))
        wrong = None if row.wrong_audio is None else f"{row.wrong_audio} + {row.wrong_vl}"
        seeds = ", ".join(map(str, row.seeds)) or MISSING
        shown += [_yes(diverged), wrong, seeds if row.status == FINISHED else f"{seeds} ({row.status})"]
        rows.append(shown)
    return Table(f"{result.grid}: mean ± sd over seeds, on {result.split}", columns, rows)


def _yes(diverged: Cell | None) -> str | None:
    if diverged is None:
        return None
    return "no" if not diverged.mean else f"{diverged.mean:.0%} of seeds"


def _written(cell: Cell | None, factor: float, digits: int) -> str | None:
    if cell is None:
        return None
    text = f"{factor * cell.mean:.{digits}f}"
    if cell.sd is not None:
        text += f" ± {factor * cell.sd:.{digits}f}"
    if cell.questions is not None and cell.ci_low is not None and cell.ci_high is not None:
        text += f" [{factor * cell.ci_low:.{digits}f}, {factor * cell.ci_high:.{digits}f}]"
    return text.replace("-", "−")


def csv_table(result: SweepResult) -> Table:
    """Every digit: a row for each metric of each point, in the units of results.json."""
    rows: list[list[Value]] = [
        [
            row.point,
            metric,
            cell.mean,
            cell.sd,
            cell.ci_low,
            cell.ci_high,
            len(cell.by_seed) or None,
            row.status,
        ]
        for row in result.rows
        for metric, cell in row.metrics.items()
    ]
    columns = ("point", "metric", "mean", "sd", "ci_low", "ci_high", "seeds", "status")
    return Table("results", columns, rows)
