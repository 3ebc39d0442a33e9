"""safe-eval: predictions → scores → verdict → report."""

import sys
from collections.abc import Sequence
from pathlib import Path

from safe_data.core import command
from safe_data.core.phases import Phases
from safe_data.core.table import Format
from safe_data.core.table_choice import TableChoice
from safe_data.core.terminal import say
from safe_eval.baselining import baselines
from safe_eval.importing import import_logs
from safe_eval.labelling import agreement, annotate
from safe_eval.options import (
    CalibrateOptions,
    CompareOptions,
    PowerOptions,
    Sampling,
    ScoreOptions,
)
from safe_eval.publishing import card, report
from safe_eval.running import run
from safe_eval.viewing import view

SUMMARY = "Ask models, score their answers, judge the scores, and write the report."


def score(
    predictions: list[Path],
    *,
    out: Path,
    options: ScoreOptions,
    sampling: Sampling,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Score predictions files and write OUT/scores.json, OUT/items.parquet and OUT/flips.csv.

    Args:
        predictions: JSON Lines or Parquet files, scored together; faulty rows are all reported at once
        out: folder for scores.json, items.parquet, flips.csv (answers that flip between models), and
            disagreements.csv where rows give scores of another harness
        format: how the table is printed
        force: replace other scores, and other tables, that are there
        quiet: show no progress

    Examples:
        safe-eval score predictions.jsonl --out runs/mine
        safe-eval score base.jsonl safe.jsonl --out runs/both --metric exact_match
        safe-eval score predictions.jsonl --out runs/mine --format csv --table comparisons
    """
    from safe_eval.results.flips import FLIPS_FILE
    from safe_eval.results.given_scores import DISAGREEMENTS_FILE
    from safe_eval.scoring.score import score_files
    from safe_eval.text.scores_tables import SCORES_TABLES, scores_tables
    from safe_eval.text.scores_text import scores_table

    choice.check(format, SCORES_TABLES)
    with Phases("scoring", quiet=quiet) as at:
        scores = score_files(predictions, sampling, options, out=out, force=force, at=at)
    written = [out / "scores.json", out / "items.parquet", out / FLIPS_FILE]
    written += [out / DISAGREEMENTS_FILE] if scores.given_scores else []
    choice.show(scores_tables(scores), format, scores, [*scores_table(scores), ""], written, force=force)


def verdict(
    run: Path,
    *,
    criteria: str,
    set: tuple[str, ...] = (),
    baseline: str | None = None,
    expect: tuple[Path, ...] = (),
    expect_split: tuple[str, ...] = (),
    labels: Path | None = None,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Score a run's predictions again, judge them and write RUN/verdict.json: 0 go, 1 no-go, 2 not measured.

    Args:
        run: folder that score wrote to, with the predictions where scores.json says
        criteria: name of a shipped criteria file, such as demo or success (all: safe-eval criteria list), or
            the path of a file; a shipped name always means the shipped file
        set: NAME=VALUE, a parameter of the criteria file, such as model=alpha
        baseline: model that the criteria compare with; short for --set baseline=NAME
        expect: dataset root, or JSON Lines or Parquet file, of the examples that the run should have answered
        expect_split: split of it that should have been answered (default: those of which any example was)
        labels: table of labelled answers, for criteria on the agreement of scorer and person (default:
            RUN/annotations.csv)
        format: how the verdict is printed
        force: replace another verdict, or other tables, that are there
        quiet: show no progress

    Examples:
        safe-eval verdict runs/mine --criteria success
        safe-eval verdict runs/mine --criteria mine.yaml --force --format markdown
        safe-eval verdict runs/both --criteria demo --set model=alpha --baseline beta
    """
    from safe_eval.judging.verdict import EXIT_CODES, VERDICT_FILE, decide
    from safe_eval.text.verdict_text import VERDICT_TABLES, verdict_table, verdict_tables

    choice.check(format, VERDICT_TABLES)
    with Phases("judging", quiet=quiet) as at:
        decided = decide(
            run,
            criteria,
            expect,
            expect_split=expect_split,
            settings=set,
            baseline=baseline,
            labels=labels,
            force=force,
            at=at,
        )
    tables, text = verdict_tables(decided), verdict_table(decided)
    choice.show(tables, format, decided, text, [run / VERDICT_FILE], force=force)
    return EXIT_CODES[decided.decision]


def criteria(words: list[str]) -> None:
    """List the criteria files that come with safe-eval, show one, or print the JSON schema of such files.

    Args:
        words: list, or show NAME (a shipped name or a path), or schema

    Examples:
        safe-eval criteria list
        safe-eval criteria show success
        safe-eval criteria schema
    """
    from safe_eval.text.criteria_text import criteria_lines

    say(criteria_lines(words))


def calibrate(
    *,
    dev: Path,
    test: Path,
    options: CalibrateOptions,
    sampling: Sampling,
    out: Path | None = None,
    format: Format = "text",
    choice: TableChoice,
    quiet: bool = False,
) -> None:
    """Fit a calibrator on dev predictions, and say how honest test confidences are before and after it.

    Args:
        dev: predictions file to fit on; its untouched input (condition full) is used
        test: predictions file to judge, under any conditions
        out: folder for calibration.json, which also holds the data of reliability diagrams
        format: how the tables are printed
        quiet: show no progress

    Examples:
        safe-eval calibrate --dev dev.jsonl --test test.jsonl
        safe-eval calibrate --dev dev.jsonl --test test.jsonl --model safe --out runs/calibrated
    """
    from safe_eval.calibration.calibrate import CALIBRATION_FILE, calibrate_files
    from safe_eval.text.calibration_text import CALIBRATION_TABLES, calibration_lines, calibration_tables

    choice.check(format, CALIBRATION_TABLES)
    with Phases("calibrating", quiet=quiet):
        found = calibrate_files(dev, test, sampling, options, out=out)
    written = [] if out is None else [out / CALIBRATION_FILE]
    text = calibration_lines(found)
    choice.show(calibration_tables(found), format, found, text, written, force=options.force)


def validate(
    predictions: list[Path],
    *,
    allow_partial: bool = False,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Check predictions files, and say what can be measured with them and what cannot.

    Args:
        predictions: JSON Lines or Parquet files, taken together
        allow_partial: leave out a last line that was cut off, instead of refusing the file
        format: how the tables are printed
        force: replace other tables that are there
        quiet: show no progress

    Examples:
        safe-eval validate predictions.jsonl
        safe-eval validate predictions.jsonl --format csv --table arms
    """
    from safe_eval.scoring.validate import validate_files
    from safe_eval.text.validation_text import VALIDATION_TABLES, validation_lines, validation_tables

    choice.check(format, VALIDATION_TABLES)
    with Phases("validating", quiet=quiet):
        found = validate_files(predictions, allow_partial=allow_partial)
    choice.show(list(validation_tables(found)), format, found, validation_lines(found), force=force)


def compare(
    files: list[Path],
    *,
    options: CompareOptions,
    sampling: Sampling,
    out: Path | None = None,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Compare two models example by example: A − B under each condition that both answered.

    Exit codes: 0 compared. With --margin: 0 equivalent, 1 not shown to be, 2 not measured.

    Args:
        files: A and B, predictions files, run folders or other harnesses' logs; one is enough for both models
        out: folder for comparison.json, flips.csv with every answer that is right on one side only, and
            disagreements.csv with every item that is scored differently, and why
        format: how the tables are printed
        force: replace another comparison, or other tables, that are there
        quiet: show no progress

    Examples:
        safe-eval compare ours.jsonl theirs.jsonl --by question_type --margin 0.005
        safe-eval compare runs/mine --model-a safe --model-b base --condition-a full
        safe-eval compare 20260218_samples_mme.jsonl llava_MME.xlsx --pair-by prompt --out runs/both
        safe-eval compare ours.jsonl theirs.jsonl --tables tables
    """
    from safe_eval.comparison.compare import COMPARISON_FILE, compare_files
    from safe_eval.comparison.comparison_file import EXIT_CODES
    from safe_eval.results.flips import FLIPS_FILE
    from safe_eval.results.given_scores import DISAGREEMENTS_FILE
    from safe_eval.text.comparison_text import COMPARISON_TABLES, comparison_lines, comparison_tables

    choice.check(format, COMPARISON_TABLES)
    with Phases("comparing", quiet=quiet) as at:
        found = compare_files(files, sampling, options, out=out, force=force, at=at)
    written = [] if out is None else [out / COMPARISON_FILE, out / FLIPS_FILE, out / DISAGREEMENTS_FILE]
    choice.show(comparison_tables(found), format, found, comparison_lines(found), written, force=force)
    return 0 if found.decision is None else EXIT_CODES[found.decision]


def power(
    *, options: PowerOptions, format: Format = "text", choice: TableChoice, force: bool = False
) -> None:
    """Say how many items show what is planned for, what so many items can show, or how often they do.

    Args:
        format: how the plan is printed
        force: replace another table that is there

    Examples:
        safe-eval power --difference 0.01 --like runs/mine --a safe/full --b base/full
        safe-eval power --items 2000 --changed 0.1 --cluster-size 4 --correlation 0.2
        safe-eval power --goal non_inferiority --margin 0.005 --changed 0.02
        safe-eval power --goal lomo_drop --share-lost 0.9 --accuracy 0.7
        safe-eval power --goal seeds --items 5000 --seed-std 0.002
    """
    from safe_eval.comparison.power import plan_power
    from safe_eval.text.power_text import POWER_TABLES, power_lines, power_tables

    choice.check(format, POWER_TABLES)
    plan = plan_power(options)
    choice.show(power_tables(plan), format, plan, power_lines(plan), force=force)


COMMANDS: dict[str, command.Command] = {
    "run": run,
    "import": import_logs,
    "baselines": baselines,
    "score": score,
    "calibrate": calibrate,
    "verdict": verdict,
    "criteria": criteria,
    "report": report,
    "view": view,
    "card": card,
    "compare": compare,
    "power": power,
    "validate": validate,
    "annotate": annotate,
    "agreement": agreement,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run safe-eval; returns the exit code."""
    return command.run("safe-eval", SUMMARY, COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
