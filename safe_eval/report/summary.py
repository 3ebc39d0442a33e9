"""The summary in Markdown: the verdict and the main table, small enough for a pull-request comment."""

import re

from safe_eval.report import accuracy
from safe_eval.report.run_folder import Results
from safe_eval.report.verdict_words import coverage_words, criterion_cells, verdict_words


def render_summary(results: Results, report_name: str) -> str:
    """The verdict, the criteria, the accuracies and the coverage, with all text from outside escaped."""
    words = verdict_words(results.verdict)
    parts = [f"## {_text(words['word'])}: {_text(results.name)}", _text(words["sentence"])]
    criteria = [criterion_cells(judged) for judged in results.verdict.criteria]
    if criteria:
        rows = [
            [_text(row["name"]), f"{row['value']} {row['interval']}", row["bound"], row["decision"]]
            for row in criteria
        ]
        parts.append(_table(["Criterion", "value", "bound", "decision"], rows))
    for panel in accuracy.panels(results.scores):
        header = ["Accuracy in %", *(_text(column.title) for column in panel.columns), "size"]
        rows = [
            [
                _text(row.label),
                *(f"{cell.value} {cell.interval}" if cell else "not measured" for cell in row.cells),
                row.size or "differs",
            ]
            for row in panel.rows
        ]
        parts += [f"{_text(panel.title)}; {_text(panel.interval_note)}.", _table(header, rows)]
    coverage = coverage_words(results.scores)
    parts.append(("" if coverage["complete"] else "**Incomplete.** ") + _text(coverage["sentence"]))
    parts.append("\n".join(f"- {_text(row['text'])}" for row in coverage["rows"]))
    hashes = ", ".join(f"{name} `{sha256[:12]}`" for name, sha256 in results.file_hashes.items())
    parts.append(f"Details in {_text(report_name)}; {hashes}.")
    return "\n\n".join(parts) + "\n"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: str) -> str:
    """Text that Markdown and HTML take for text: no markup, no mention of anybody, no second line."""
    flat = " ".join(value.split())
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
