"""The report of one run or several: one self-contained HTML page, and a Markdown summary next to it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.core.overwriting import check_not_read, write_all_new
from safe_eval.judging.verdict import VERDICT_FILE
from safe_eval.report import accuracy
from safe_eval.report.chain import chain_sentence
from safe_eval.report.gates import gate_tables
from safe_eval.report.page import render_page
from safe_eval.report.run_folder import Results, read_results
from safe_eval.report.side_by_side import Shown, shown
from safe_eval.report.table import Cell, Table
from safe_eval.report.verdict_words import coverage_words, criterion_words, verdict_words
from safe_eval.scoring.items import ITEMS_FILE
from safe_eval.scoring.scores import SCORES_FILE, scored_files


def write_report(
    *runs: Path,
    shards: Path | None = None,
    out: Path | None = None,
    baseline: str | None = None,
    force: bool = False,
) -> Path:
    """Write the page and its summary for a run, or for several side by side, and return the path of the page.

    Every number is read from scores.json, verdict.json and items.parquet; nothing is scored again. Of several
    runs, the items of the later ones are compared with those of the first.

    Args:
        runs: folders with these three files; one or more
        shards: dataset with the pictures and sounds (default: the first run's folder `shards`, if it exists);
            without one, the page shows the items as text
        out: HTML file to write (default: report.html in the folder of a single run); the summary has the same
            name and ends in .md
        baseline: model that the others are compared with (default: the one of the scores, or of several runs
            the model of the same name in the first)
        force: replace another report that is there

    Raises:
        InputError: an input is missing or malformed, the inputs do not belong together, `out` is not given
            for several runs, ends in .md or is an input, or a package of the `report` extra is not installed.
    """
    if not runs:
        raise InputError("no run folder given")
    if out is None and len(runs) > 1:
        raise InputError(f"{len(runs)} runs on one page belong to no folder of theirs; add --out FILE.html")
    folders = [Path(run) for run in runs]
    out = folders[0] / "report.html" if out is None else Path(out)
    if out.suffix == ".md":
        raise InputError(f"{out}: is a name for the summary; name the page: {out.with_suffix('.html')}")
    found = [read_results(folder) for folder in folders]
    page = shown(folders, found, baseline)
    if shards is None and (folders[0] / "shards" / "dataset.json").is_file():
        shards = folders[0] / "shards"
    summary = out.with_suffix(".md")
    for folder, one in zip(folders, found, strict=True):
        check_not_read((out, summary), _read_from(folder, one))
    texts = {out: render_page(page, shards, summary.name), summary: render_summary(page, out.name)}
    write_all_new({path: text.encode() for path, text in texts.items()}, force=force)
    return out


def _read_from(run: Path, results: Results) -> list[Path]:
    """The files that the page of a run comes from, among them the predictions behind its scores."""
    names = (SCORES_FILE, ITEMS_FILE, VERDICT_FILE)
    return [*(run / name for name in names), *scored_files(run, results.scores)]


def render_summary(page: Shown, page_name: str) -> str:
    """The verdict, the criteria, the accuracies and the coverage in Markdown, short enough for a comment.

    All text from outside is escaped.
    """
    parts = [part for run in page.runs for part in _verdict(run)]
    parts += [_escaped(note) for note in page.notes]
    for panel in accuracy.panels(page.scores, page.models):
        arms = panel.arms if page.is_one else [arm for arm in panel.arms if arm[1] == "full"]
        parts += [f"{_escaped(panel.title)}; {_escaped(panel.note)}.", _accuracy_table(panel, arms)]
    for table in gate_tables(page.scores, page.models, short=True):
        parts += [f"{_escaped(table.caption)}; {_escaped(table.note)}.", _gate_table(table)]
    coverage = coverage_words(page.scores, page.models, [run.verdict for run in page.runs])
    parts.append(("" if coverage["complete"] else "**Incomplete.** ") + _escaped(coverage["sentence"]))
    if page.is_one or not coverage["complete"]:
        parts.append("\n".join(f"- {_escaped(row['text'])}" for row in coverage["rows"]))
    parts += [
        f"Chain{'' if page.is_one else f' of {_escaped(run.name)}'}: {_escaped(chain_sentence(run.chain))}."
        for run in page.runs
    ]
    hashes = [
        ("" if page.is_one else f"{_escaped(run.name)}: ")
        + ", ".join(f"{_escaped(name)} `{sha256[:12]}`" for name, sha256 in run.file_hashes.items())
        for run in page.runs
    ]
    parts.append(f"Details in {_escaped(page_name)}; {'; '.join(hashes)}.")
    return "\n\n".join(parts) + "\n"


def _verdict(run: Results) -> Iterator[str]:
    """The verdict of a run with its criteria, and what it says about the freeze."""
    verdict = verdict_words(run.verdict)
    yield f"## {_escaped(verdict['word'])}: {_escaped(run.name)}"
    yield _escaped(verdict["sentence"])
    if run.freeze.faults:
        yield f"**The freeze does not hold**: {_escaped(', '.join(run.freeze.faults))}."
    criteria = [criterion_words(judged) for judged in run.verdict.criteria]
    if criteria:
        rows = [
            [_escaped(row["name"]), f"{row['value']} {row['interval']}", row["bound"], row["decision"]]
            for row in criteria
        ]
        yield _table(["Criterion", "value", "bound", "decision"], rows)


def _accuracy_table(panel: accuracy.Panel, arms: Sequence[accuracy.Arm]) -> str:
    table = accuracy.slice_table(panel, panel.main_slices, arms)
    rows = [
        [
            _escaped(row.label),
            *(f"{cell.value} {cell.interval}" if cell else "not measured" for cell in row.cells),
            row.detail or "differs",
        ]
        for row in table.rows
    ]
    return _table(["Accuracy", *(_escaped(column.title) for column in table.columns), "size"], rows)


def _gate_table(table: Table) -> str:
    rows = [
        [
            _escaped(row.label if row.group == "Time" else f"{row.group}: {row.label}"),
            *map(_gate_cell, row.cells),
        ]
        for row in table.rows
    ]
    return _table([table.first, *(_escaped(column.title) for column in table.columns)], rows)


def _gate_cell(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    return " ".join(filter(None, [cell.value, cell.interval, *map(_escaped, cell.lines)]))


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escaped(value: str) -> str:
    """Text on one line that Markdown and HTML show as it is: no markup, and no mention of anybody."""
    flat = " ".join(value.split())
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
