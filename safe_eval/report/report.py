"""The report of a run: one self-contained HTML file, and a Markdown summary beside it."""

from pathlib import Path

from safe_data.core.files import write_bytes


def write_report(run: Path, *, shards: Path | None = None, out: Path | None = None) -> Path:
    """Write `report.html` and `report.md` for a run, and return the path of the first.

    `run` holds predictions.jsonl, scores.json and verdict.json; `shards` holds the pictures and sounds
    (run/shards if that is there; without any, the items are shown as text); `out` is the HTML file to
    write (run/report.html). Every number is taken from scores.json and verdict.json.

    Raises:
        InputError: an input is missing, malformed or belongs to other predictions, or a package of the
            `report` extra is not installed.
    """
    from safe_eval.report.page import render_page
    from safe_eval.report.run_folder import read_results
    from safe_eval.report.summary import render_summary

    run, out = Path(run), Path(out) if out is not None else Path(run) / "report.html"
    results = read_results(run)
    if shards is None and (run / "shards" / "dataset.json").is_file():
        shards = run / "shards"
    summary = out.with_suffix(".md")
    texts = {out: render_page(results, shards, summary.name), summary: render_summary(results, out.name)}
    for path, text in texts.items():
        write_bytes(path, text.encode())
    return out
