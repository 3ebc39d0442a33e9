"""safe-eval: predictions → scores → verdict → report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from safe_data.core import command
from safe_data.core.table import Format
from safe_data.core.terminal import say, wrote
from safe_data.core.terminal import say as _say

SUMMARY = "Score predictions, judge the scores, and write the report."


def score(
    predictions: list[Path],
    *,
    out: Path,
    metric: list[str] = [],  # noqa: B006 - never changed, and what the help shows
    df: str = "corpus",
    write_df: Path | None = None,
    spice: Path | None = None,
    no_java: bool = False,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 10_000,
    allow_partial: bool = False,
    format: Format = "text",
) -> None:
    """Score predictions files and write OUT/scores.json and OUT/items.parquet.

    Args:
        predictions: JSON Lines or Parquet files, scored together
        out: folder for scores.json and items.parquet
        metric: one more metric, such as exact_match or vqa_accuracy_2017
        df: document frequencies of CIDEr: of the references scored (corpus), or of a FILE
        write_df: where to write the document frequencies of the references, for runs that share them
        spice: SPICE values made elsewhere, of one model under one condition: JSON or CSV
        no_java: leave out METEOR and SPICE, which run in Java
        seed: seed of the bootstrap
        confidence: of the intervals, between 0.5 and 1
        resamples: how many times the clusters are drawn
        allow_partial: leave out a last line that was cut off
        format: text, json, markdown, latex or csv
    """
    from safe_data.core.table import render
    from safe_eval.arms.caption_arms import caption_inputs
    from safe_eval.scoring.score import Asked, score_into
    from safe_eval.statistics.sampling import Sampling
    from safe_eval.text.scores_tables import scores_tables
    from safe_eval.text.scores_text import scores_table

    sampling = Sampling(confidence=confidence, resamples=resamples, seed=seed)
    captions = caption_inputs(df, write_df, spice, java=not no_java)
    asked = Asked(tuple(metric), captions)
    scores = score_into(out, predictions, sampling, asked, allow_partial=allow_partial)
    _say(render(scores_tables(scores), format, scores, [*scores_table(scores), ""]))
    wrote([out / "scores.json", out / "items.parquet"], format)


def verdict(run: Path, *, criteria: Path, format: Format = "text") -> int:
    """Judge RUN/scores.json and write RUN/verdict.json: 0 go, 1 no-go, 2 not measured.

    Args:
        run: folder with predictions.jsonl and scores.json
        criteria: YAML file of criteria, or the name of a shipped one: demo, success
        format: text, json, markdown, latex or csv
    """
    from safe_eval.judging.verdict import EXIT_CODES, VERDICT_FILE, decide
    from safe_eval.text.verdict_text import verdict_lines

    decided = decide(run, criteria)
    _say(verdict_lines(decided, format))
    wrote([run / VERDICT_FILE], format)
    return EXIT_CODES[decided.decision]


def calibrate(
    *,
    dev: Path,
    test: Path,
    model: str | None = None,
    force: bool = False,
    allow_partial: bool = False,
    out: Path | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 10_000,
    format: Format = "text",
) -> None:
    """Fit a temperature on dev predictions, and say how honest test confidences are before and after it.

    Args:
        dev: predictions the temperature is fitted on: those of the untouched input
        test: predictions it is judged by, under any conditions
        model: whose predictions, where a file holds those of several
        force: go on though test examples are in dev; the numbers are flattered, and say so
        allow_partial: leave out a last line that was cut off
        out: folder for calibration.json, with the data of reliability diagrams
        seed: seed of the bootstrap
        confidence: of the intervals, between 0.5 and 1
        resamples: how many times the clusters are drawn
        format: text, json, markdown, latex or csv
    """
    from safe_eval.calibration.calibrate import calibrate_files, write_calibration
    from safe_eval.statistics.sampling import Sampling
    from safe_eval.text.calibration_text import calibration_lines

    sampling = Sampling(confidence=confidence, resamples=resamples, seed=seed)
    calibrated = calibrate_files(dev, test, sampling, model=model, force=force, allow_partial=allow_partial)
    _say(calibration_lines(calibrated, format))
    if out is not None:
        wrote([write_calibration(calibrated, out)], format)


def report(run: Path, *, shards: Path | None = None, out: Path | None = None) -> None:
    """Write one self-contained HTML page about a run.

    Args:
        run: folder with predictions.jsonl, scores.json and verdict.json
        shards: the dataset's folder, to show pictures and sounds
        out: the page (default: RUN/report.html)
    """
    from safe_eval.report.report import write_report

    _say([f"wrote {write_report(run, shards=shards, out=out)}"])


def validate(predictions: list[Path], *, allow_partial: bool = False, format: Format = "text") -> None:
    """Check predictions files, and say what can be measured with them and what cannot.

    Args:
        predictions: JSON Lines or Parquet files, taken together
        allow_partial: leave out a last line that was cut off
        format: text, json, markdown, latex or csv
    """
    from safe_eval.scoring.validate import validate_files
    from safe_eval.text.validation_text import validation_lines

    _say(validation_lines(validate_files(predictions, allow_partial=allow_partial), format))


def annotate(run: Path, *, sample: int = 100, seed: int = 0, out: Path | None = None) -> None:
    """Write a table of answers for a person to label right or wrong, blind to model and score.

    Args:
        run: folder with predictions.jsonl, or a predictions file
        sample: how many answers, in proportion to condition and question type
        seed: which ones
        out: the table (default: annotations.csv beside the predictions)
    """
    from safe_eval.annotation.annotate import annotation_lines

    _say(annotation_lines(run, sample=sample, seed=seed, out=out))


def agreement(table: Path, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0) -> None:
    """Compare a labelled table with the scorer: share of agreement and Cohen's kappa, with intervals.

    Args:
        table: the labelled table; its key file must lie beside it
        confidence: of the intervals, between 0.5 and 1
        resamples: how many times the clusters are drawn
        seed: seed of the bootstrap
    """
    from safe_eval.annotation.annotate import agreement_lines
    from safe_eval.statistics.sampling import Sampling

    _say(agreement_lines(table, Sampling(confidence=confidence, resamples=resamples, seed=seed)))


def compare(
    a: Path,
    b: Path,
    *,
    by: Literal["question_type", "split", "dataset", "task"] | None = None,
    margin: float | None = None,
    slice: str = "all",
    intersect: bool = False,
    allow_partial: bool = False,
    metric: str | None = None,
    condition_a: str | None = None,
    condition_b: str | None = None,
    model_a: str | None = None,
    model_b: str | None = None,
    seed_a: int | None = None,
    seed_b: int | None = None,
    out: Path | None = None,
    format: Format = "text",
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> int:
    """Compare two models example by example: A − B under each condition that both answered.

    Exit codes: 0 compared. With --margin: 0 equivalent, 1 not shown to be, 2 not measured.

    Args:
        a: predictions file, or a run's folder
        b: the one to compare it with; the same file may be given twice
        by: also compare for each value of this field
        margin: largest difference that does not matter; half a point of accuracy is 0.005
        slice: on which items equivalence is decided, such as all, audio, vl or type:NAME
        intersect: leave out examples that are on one side only, instead of refusing
        allow_partial: leave out a last line that was cut off
        metric: this one only, such as cider_d or consulted
        condition_a: condition of A (default: each that both sides have)
        condition_b: condition of B (default: that of A)
        model_a: model of A, where its file holds several
        model_b: model of B, where its file holds several
        seed_a: trained seed of A, where its file holds several
        seed_b: trained seed of B, where its file holds several
        out: folder for comparison.json
        format: text, json, markdown, latex or csv
        seed: seed of the bootstrap
        confidence: of the intervals, between 0.5 and 1
        resamples: how many times the clusters are drawn
    """
    from safe_data.core.files import write_json
    from safe_data.core.table import render
    from safe_eval.comparison.compare import COMPARISON_FILE, Options, compare_files
    from safe_eval.comparison.comparison_file import EXIT_CODES
    from safe_eval.statistics.sampling import Sampling
    from safe_eval.text.comparison_text import compared_lines, compared_tables

    options = Options(
        condition_a=condition_a,
        condition_b=condition_b,
        model_a=model_a,
        model_b=model_b,
        seed_a=seed_a,
        seed_b=seed_b,
        metric=metric,
        by=by,
        margin=margin,
        decides=slice,
        intersect=intersect,
        allow_partial=allow_partial,
    )
    compared = compare_files(a, b, options, Sampling(confidence, resamples, seed))
    say(render(compared_tables(compared), format, compared, compared_lines(compared)))
    if out is not None:
        wrote([write_json(out / COMPARISON_FILE, compared)], format)
    return 0 if compared.decision is None else EXIT_CODES[compared.decision]


def power(
    *,
    difference: float | None = None,
    items: int | None = None,
    changed: float = 0.1,
    cluster_size: float = 1.0,
    correlation: float = 0.0,
    like: Path | None = None,
    a: str | None = None,
    b: str | None = None,
    metric: str | None = None,
    slice: str = "all",
    power: float = 0.8,
    confidence: float = 0.95,
    format: Format = "text",
) -> None:
    """Say how many items show a difference, or what difference so many items can show.

    Args:
        difference: between two models' accuracies, such as 0.02
        items: number of questions that both answer
        changed: share of questions on which just one of them is right
        cluster_size: questions a clip, speaker or picture
        correlation: how alike the differences of one cluster are
        like: predictions file, or run, to take these three from
        a: answers in it, as MODEL/CONDITION
        b: those to compare them with
        metric: score of those answers, where several judge them
        slice: such as all, audio, vl or type:NAME
        power: probability that a true difference is found
        confidence: of the two-sided test
        format: text, json, markdown, latex or csv
    """
    from safe_data.core.table import render
    from safe_eval.comparison.power import assumed_differences, observed_differences, power_plan
    from safe_eval.text.power_text import power_lines, power_tables

    if like is None:
        differences = assumed_differences(changed, difference or 0.0, cluster_size, correlation)
    else:
        differences = observed_differences(like, a, b, metric=metric, slice_name=slice)
    plan = power_plan(differences, difference=difference, items=items, power=power, confidence=confidence)
    say(render(power_tables(plan), format, plan, power_lines(plan)))


COMMANDS: dict[str, command.Command] = {
    "score": score,
    "calibrate": calibrate,
    "verdict": verdict,
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
