"""The report of a run: one self-contained HTML page, and a Markdown summary next to it."""

import re
from pathlib import Path

from safe_data.core.overwriting import write_all_new
from safe_eval.report import accuracy
from safe_eval.report.page import render_page
from safe_eval.report.run_folder import Results, read_results
from safe_eval.report.verdict_words import coverage_words, criterion_words, verdict_words


def write_report(
    run: Path, *, shards: Path | None = None, out: Path | None = None, force: bool = False
) -> Path:
    """Write the page and its summary for a run, and return the path of the page.

    Every number is read from scores.json, verdict.json and items.parquet; nothing is scored again.

    Args:
        run: folder with these three files
        shards: dataset with the pictures and sounds (default: run/shards if it exists); without one, the
            page shows the items as text
        out: HTML file to write (default: run/report.html); the summary has the same name and ends in .md
        force: replace another report that is there

    Raises:
        InputError: an input is missing or malformed, the inputs do not belong together, or a package of the
            `report` extra is not installed.
    """
    run, out = Path(run), Path(out) if out is not None else Path(run) / "report.html"
    results = read_results(run)
    if shards is None and (run / "shards" / "dataset.json").is_file():
        shards = run / "shards"
    summary = out.with_suffix(".md")
    texts = {out: render_page(results, shards, summary.name), summary: render_summary(results, out.name)}
    write_all_new({path: text.encode() for path, text in texts.items()}, force=force)
    return out


def render_summary(results: Results, page_name: str) -> str:
    """The verdict, the criteria, the accuracies and the coverage in Markdown, short enough for a comment.

    All text from outside is escaped.
    """
    verdict = verdict_words(results.verdict)
    parts = [f"## {_escaped(verdict['word'])}: {_escaped(results.name)}", _escaped(verdict["sentence"])]
    criteria = [criterion_words(judged) for judged in results.verdict.criteria]
    if criteria:
        rows = [
            [_escaped(row["name"]), f"{row['value']} {row['interval']}", row["bound"], row["decision"]]
            for row in criteria
        ]
        parts.append(_table(["Criterion", "value", "bound", "decision"], rows))
    for panel in accuracy.panels(results.scores):
        parts += [f"{_escaped(panel.title)}; {_escaped(panel.interval_note)}.", _accuracy_table(panel)]
    coverage = coverage_words(results.scores)
    parts.append(("" if coverage["complete"] else "**Incomplete.** ") + _escaped(coverage["sentence"]))
    parts.append("\n".join(f"- {_escaped(row['text'])}" for row in coverage["rows"]))
    hashes = ", ".join(f"{name} `{sha256[:12]}`" for name, sha256 in results.file_hashes.items())
    parts.append(f"Details in {_escaped(page_name)}; {hashes}.")
    return "\n\n".join(parts) + "\n"


def _accuracy_table(panel: accuracy.Panel) -> str:
    rows = [
        [
            _escaped(row.label),
            *(f"{cell.value} {cell.interval}" if cell else "not measured" for cell in row.cells),
            row.size or "differs",
        ]
        for row in panel.rows
    ]
    return _table(["Accuracy (%)", *(_escaped(column.title) for column in panel.columns), "size"], rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escaped(value: str) -> str:
    """Text on one line that Markdown and HTML show as it is: no markup, and no mention of anybody."""
    flat = " ".join(value.split())
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
