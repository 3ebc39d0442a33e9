"""The coverage line, which stands beside the accuracies and is never folded away."""

from typing import Any

from safe_eval.report import numbers
from safe_eval.report.accuracy import Column
from safe_eval.scoring.cells import BASE
from safe_eval.scoring.coverage import CellCoverage
from safe_eval.scoring.score import Scores


def coverage_words(scores: Scores) -> dict[str, Any]:
    """How much of what was expected was answered, as a sentence and for each model and condition."""
    sets = len({(cell.dataset, cell.seed) for cell in scores.cells})
    models = {cell.model for cell in scores.cells} - {BASE}
    rows = []
    for cell in scores.cells:
        column = Column(cell.model, cell.condition)
        where = f" ({cell.dataset or 'dataset unnamed'}, seed {cell.seed})" if sets > 1 else ""
        title = (column.title if len(models) == 1 else column.key) + where
        rows.append({"text": _coverage_text(title, cell), "complete": cell.answered == cell.expected})
    gaps = sum(not row["complete"] for row in rows)
    if not rows:
        sentence = "Coverage unknown: the scores do not say how many items were expected."
    elif gaps:
        sentence = f"Coverage incomplete in {gaps} of {numbers.count(len(rows), 'column')}."
    else:
        sentence = "Coverage complete: every expected item was answered."
    return {"complete": bool(rows) and not gaps, "sentence": sentence, "rows": rows}


def _coverage_text(title: str, cell: CellCoverage) -> str:
    missing = cell.expected - cell.answered - cell.errored - cell.unparsed - cell.excluded
    lost = {"errored": cell.errored, "unparsed": cell.unparsed, "excluded": cell.excluded, "missing": missing}
    told = "".join(f", {numbers.count(amount)} {what}" for what, amount in lost.items() if amount)
    return f"{title}: {numbers.count(cell.answered)} of {numbers.count(cell.expected)} answered{told}"
