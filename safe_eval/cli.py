"""safe-eval: predictions → scores → verdict → report."""

from collections.abc import Sequence
from pathlib import Path

from safe_data.core import command
from safe_data.core.table import Format, render
from safe_data.core.terminal import say, wrote
from safe_eval.options import (
    CalibrateOptions,
    CompareOptions,
    PowerOptions,
    Sampling,
    ScoreOptions,
)

SUMMARY = "Score predictions, judge the scores, and write the report."


def score(
    predictions: list[Path], *, out: Path, options: ScoreOptions, sampling: Sampling, format: Format = "text"
) -> None:
    """Score predictions files and write OUT/scores.json, OUT/items.parquet and OUT/flips.csv.

    Args:
        predictions: JSON Lines or Parquet files, scored together; faulty rows are all reported at once
        out: folder for scores.json, items.parquet, and flips.csv: the answers that flip between models
        format: how the table is printed
    """
    from safe_eval.results.flips import FLIPS_FILE
    from safe_eval.scoring.score import score_files
    from safe_eval.text.scores_tables import scores_tables
    from safe_eval.text.scores_text import scores_table

    scores = score_files(predictions, sampling, options, out=out)
    say(render(scores_tables(scores), format, scores, [*scores_table(scores), ""]))
    wrote([out / "scores.json", out / "items.parquet", out / FLIPS_FILE], format)


def verdict(
    run: Path,
    *,
    criteria: str,
    set: tuple[str, ...] = (),
    expect: tuple[Path, ...] = (),
    expect_split: tuple[str, ...] = (),
    labels: Path | None = None,
    format: Format = "text",
) -> int:
    """Score a run's predictions again, judge them and write RUN/verdict.json: 0 go, 1 no-go, 2 not measured.

    Args:
        run: folder that score wrote to, with the predictions where scores.json says
        criteria: name of a shipped criteria file, such as demo or success (all: safe-eval criteria list), or
            the path of a file; a shipped name always means the shipped file
        set: NAME=VALUE, a parameter of the criteria file, such as model=alpha
        expect: dataset root, or JSON Lines or Parquet file, of the examples that the run should have answered
        expect_split: split of it that should have been answered (default: those of which any example was)
        labels: table of labelled answers, for criteria on the agreement of scorer and person (default:
            RUN/annotations.csv)
        format: how the verdict is printed
    """
    from safe_eval.judging.verdict import EXIT_CODES, VERDICT_FILE, decide
    from safe_eval.text.verdict_text import verdict_lines

    decided = decide(run, criteria, expect, expect_split=expect_split, settings=set, labels=labels)
    say(verdict_lines(decided, format))
    wrote([run / VERDICT_FILE], format)
    return EXIT_CODES[decided.decision]


def criteria(words: list[str]) -> None:
    """List the criteria files that come with safe-eval, show one, or print the JSON schema of such files.

    Args:
        words: list, or show NAME (a shipped name or a path), or schema
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
) -> None:
    """Fit a temperature on dev predictions, and say how honest test confidences are before and after it.

    Args:
        dev: predictions file to fit the temperature on; its untouched input (condition full) is used
        test: predictions file to judge the temperature on, under any conditions
        out: folder for calibration.json, which also holds the data of reliability diagrams
        format: how the tables are printed
    """
    from safe_eval.calibration.calibrate import CALIBRATION_FILE, calibrate_files
    from safe_eval.text.calibration_text import calibration_lines

    say(calibration_lines(calibrate_files(dev, test, sampling, options, out=out), format))
    if out is not None:
        wrote([out / CALIBRATION_FILE], format)


def report(run: Path, *, shards: Path | None = None, out: Path | None = None) -> None:
    """Write one self-contained HTML page about a run.

    Args:
        run: folder with scores.json, items.parquet and verdict.json
        shards: folder of the dataset, to show pictures and sounds (default: RUN/shards if it is there)
        out: file of the page (default: RUN/report.html)
    """
    from safe_eval.report.report import write_report

    say([f"wrote {write_report(run, shards=shards, out=out)}"])


def validate(predictions: list[Path], *, allow_partial: bool = False, format: Format = "text") -> None:
    """Check predictions files, and say what can be measured with them and what cannot.

    Args:
        predictions: JSON Lines or Parquet files, taken together
        allow_partial: leave out a last line that was cut off, instead of refusing the file
        format: how the tables are printed
    """
    from safe_eval.scoring.validate import validate_files
    from safe_eval.text.validation_text import validation_lines

    say(validation_lines(validate_files(predictions, allow_partial=allow_partial), format))


def annotate(
    run: Path, *, sample: int = 100, seed: int = 0, out: Path | None = None, allow_partial: bool = False
) -> None:
    """Write a table of answers for a person to label right or wrong, blind to model and score.

    Args:
        run: folder with predictions.jsonl, or a predictions file
        sample: number of answers to draw, in proportion to condition and question type; 1 or more
        seed: seed of the draw, 0 or more
        out: file of the table (default: annotations.csv beside the predictions); one that exists is refused
        allow_partial: leave out a last line that was cut off, instead of refusing the file
    """
    from safe_eval.annotation.annotate import draw_sample
    from safe_eval.text.annotation_text import sample_lines

    drawn = draw_sample(run, sample=sample, seed=seed, out=out, allow_partial=allow_partial)
    say(sample_lines(*drawn))


def agreement(table: Path, *, sampling: Sampling) -> None:
    """Compare a labelled table with the scorer: share of agreement and Cohen's kappa, with intervals.

    Args:
        table: labelled table as annotate wrote it; its key file must lie beside it
    """
    from safe_eval.annotation.annotate import label_agreement
    from safe_eval.text.annotation_text import agreement_lines

    say(agreement_lines(label_agreement(table, sampling)))


def compare(
    files: list[Path],
    *,
    options: CompareOptions,
    sampling: Sampling,
    out: Path | None = None,
    format: Format = "text",
) -> int:
    """Compare two models example by example: A − B under each condition that both answered.

    Exit codes: 0 compared. With --margin: 0 equivalent, 1 not shown to be, 2 not measured.

    Args:
        files: A and B, two predictions files or run folders; one is enough if it holds both models
        out: folder for comparison.json, and for flips.csv with every answer that is right on one side only
        format: how the tables are printed
    """
    from safe_eval.comparison.compare import COMPARISON_FILE, compare_files
    from safe_eval.comparison.comparison_file import EXIT_CODES
    from safe_eval.results.flips import FLIPS_FILE
    from safe_eval.text.comparison_text import comparison_lines, comparison_tables

    found = compare_files(files, sampling, options, out=out)
    say(render(comparison_tables(found), format, found, comparison_lines(found)))
    if out is not None:
        wrote([out / COMPARISON_FILE, out / FLIPS_FILE], format)
    return 0 if found.decision is None else EXIT_CODES[found.decision]


def power(*, options: PowerOptions, format: Format = "text") -> None:
    """Say how many items show a difference, or what difference so many items can show.

    Args:
        format: how the plan is printed
    """
    from safe_eval.comparison.power import plan_power
    from safe_eval.text.power_text import power_lines, power_tables

    plan = plan_power(options)
    say(render(power_tables(plan), format, plan, power_lines(plan)))


COMMANDS: dict[str, command.Command] = {
    "score": score,
    "calibrate": calibrate,
    "verdict": verdict,
    "criteria": criteria,
    "report": report,
    "compare": compare,
    "power": power,
    "validate": validate,
    "annotate": annotate,
    "agreement": agreement,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run safe-eval; returns the exit code."""
    return command.run("safe-eval", SUMMARY, COMMANDS, argv)
