"""Training: the runs of stage A that lie beside the scores, as a fragment of the page with its charts."""

from collections.abc import Sequence
from pathlib import Path

from safe_data.core.errors import require_extra
from safe_eval.report import numbers
from safe_eval.report.markup import REPORT, ours, template
from safe_eval.report.table import Cell, Column, Row, Table, in_parts
from safe_eval.viewer.chart import Chart
from safe_eval.viewer.told import Seen
from safe_eval.viewer.training_charts import training_charts
from safe_eval.viewer.training_log import LOSSES, TrainingLog, find_logs

PACKAGES = ("jinja2", "altair", "vl_convert")
TEMPLATES = ("safe_eval.viewer", REPORT)


def training_html(seen: Seen) -> str:
    """The training of the runs that are shown, as a fragment of HTML.

    Raises:
        InputError: see `training_of`.
    """
    return training_of(folders_of(seen))


def folders_of(seen: Seen) -> list[tuple[str, Path]]:
    """The names and folders of the runs."""
    return [(run.name, run.folder) for run in seen.runs]


def training_of(runs: Sequence[tuple[str, Path]]) -> str:
    """The training of the runs with these names and folders, as a fragment of HTML.

    Raises:
        InputError: a package of the `report` extra is missing.
    """
    require_extra("the viewer", "view", *PACKAGES)
    logs = find_logs(runs)
    return template("training.html.j2", TEMPLATES).render(
        table_ids="training-",
        ours=ours,
        logs=[_log(log) for log in logs],
        charts=tuple(training_charts(logs)),
        epochs=[part for log in logs if log.epochs for part in in_parts(_epochs(log))],
        missing=[name for name, folder in runs if not find_logs([(name, folder)])],
        file=LOSSES,
    )


def charts_of(runs: Sequence[tuple[str, Path]]) -> dict[str, Chart]:
    """The charts of the training by name."""
    return {chart.name: chart for chart in training_charts(find_logs(runs))}


def _log(log: TrainingLog) -> dict[str, object]:
    last = max((line.at for line in log.losses), default=None)
    steps = "no step" if last is None else f"{numbers.count(len(log.losses), 'step')}, the last is {last}"
    done = numbers.count(len(log.evaluations), "evaluation")
    return {"name": log.name, "sentence": f"{steps}; {done}", "damaged": log.damaged}


def _epochs(log: TrainingLog) -> Table:
    """A row per pass over the questions about sounds."""
    return Table(
        caption=f"Epochs of {log.name}",
        note="a pass over the questions about sounds; the most frequent answer is a share of what was learnt",
        first="Epoch",
        columns=tuple(map(Column, ("Questions", "Unique questions", "Unique clips", "Most frequent answer"))),
        rows=tuple(
            Row(
                numbers.count(line.at),
                (
                    *(
                        Cell(numbers.count(round(line.numbers[name]))) if name in line.numbers else None
                        for name in ("questions", "unique_questions", "unique_clips")
                    ),
                    Cell(numbers.share(line.numbers["most_frequent_answer"]))
                    if "most_frequent_answer" in line.numbers
                    else None,
                ),
            )
            for line in log.epochs
        ),
        empty="–",
    )
