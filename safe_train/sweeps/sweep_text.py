"""Sweep text: what a sweep would do, and what it found, in the terminal."""

from safe_data.core.numerals import MISSING
from safe_data.core.table import Table, Value, render
from safe_train.settings.sweep import SweepConfig
from safe_train.sweeps.dry_run import plan_points, table_of, total_line
from safe_train.sweeps.result import Cell, Row, SweepResult
from safe_train.sweeps.result_text import rule_lines
from safe_train.sweeps.search import planned
from safe_train.sweeps.sweep import chosen_grid


def dry_run_lines(config: SweepConfig) -> list[str]:
    """The points of a sweep in their order, and the steps in all.

    Raises:
        InputError: the grid is none, or options of a point do not go together.
    """
    grid = chosen_grid(config)
    points = plan_points(planned(grid), grid.seeds, config.audit)
    lines = [grid.about, ""] if grid.about else []
    if points:
        lines += render([table_of(config.grid, points)], "text")
    return [*lines, total_line(points, None if points else grid.trials)]


def sweep_lines(result: SweepResult) -> list[str]:
    """A row a point in 80 columns, and the decision of each rule; results.md has the intervals."""
    columns = ("point", "trained", "audio", "VL", "drift", "ms", "swing", "seeds")
    rows = [_row(row) for row in result.rows]
    table = Table(f"{result.grid}: mean ± sd over seeds, on {result.split}", columns, rows)
    verdict = [f"decision: {result.decision}", *(f"  {line}" for line in rule_lines(result.rules))]
    return ["", *render([table], "text"), "", *verdict, ""]


def _row(row: Row) -> list[Value]:
    trained = row.metrics.get("parameters")
    seeds = str(len(row.seeds)) if row.status == "finished" else row.status
    return [
        row.point,
        None if trained is None else f"{trained.mean:,.0f}",
        _short(row.metrics.get("audio_score"), 100),
        _short(row.metrics.get("vl_score"), 100),
        _short(row.metrics.get("vl_drift"), 100),
        _short(row.metrics.get("latency_ms"), 1, spread=False),
        _short(row.metrics.get("oscillation"), 1, digits=2, spread=False),
        seeds,
    ]


def _short(cell: Cell | None, factor: float, *, digits: int = 1, spread: bool = True) -> str:
    """A mean, with its sd where there are several seeds.

    >>> _short(Cell(mean=0.512, sd=0.02), 100)
    '51.2 ± 2.0'
    """
    if cell is None:
        return MISSING
    text = f"{factor * cell.mean:.{digits}f}"
    if spread and cell.sd is not None:
        text += f" ± {factor * cell.sd:.{digits}f}"
    return text.replace("-", "−")
