"""The command that reads other harnesses' logs: import writes their rows as one file of predictions."""

from pathlib import Path

from safe_data.core.phases import Phases
from safe_data.core.table import Format
from safe_data.core.table_choice import TableChoice
from safe_eval.import_options import ImportOptions


def import_logs(
    logs: list[Path],
    *,
    out: Path,
    options: ImportOptions,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Read logs of lmms-eval, lm-evaluation-harness, inspect_ai, VLMEvalKit, or any table, as predictions.

    Rows keep the harness's own scores, and what a log states about itself is computed again from them.
    Exit codes: 0 all of it follows, 1 a number does not, 2 rows were left out or nothing could be compared.

    Args:
        logs: log files, or folders of them; what a harness writes beside a log is read with it
        out: file of predictions to write, as JSON Lines
        format: how the tables are printed
        force: replace another file, and other tables, that are there
        quiet: show no progress

    Examples:
        safe-eval import logs/2026.eval --out predictions.jsonl
        safe-eval import lmms/20260218_samples_mme.jsonl --out p.jsonl --filter 1 --model llava
        safe-eval import mine.csv --out p.jsonl --map answer=reply --map scores.judge=grade
    """
    from safe_eval.scoring.imported import import_logs as read_logs
    from safe_eval.text.imported_text import IMPORTED_TABLES, imported_lines, imported_tables

    choice.check(format, IMPORTED_TABLES)
    with Phases("importing", quiet=quiet) as at:
        found = read_logs(logs, options, out=out, force=force, at=at)
    text = imported_lines(found)
    choice.show(list(imported_tables(found)), format, found, text, [out], force=force)
    return found.exit_code
