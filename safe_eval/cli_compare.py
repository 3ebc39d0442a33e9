"""The commands compare and power: what two models differ in, and how many questions would show it."""

from pathlib import Path
from typing import Literal

from safe_eval.tables.formats import Format
from safe_eval.tables.output import say, wrote


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
    from safe_eval.comparison.compare import COMPARISON_FILE, Options, compare_files
    from safe_eval.comparison.compared import EXIT_CODES
    from safe_eval.scoring.score import write_json
    from safe_eval.statistics import Sampling
    from safe_eval.tables.compared_tables import compared_lines, compared_tables
    from safe_eval.tables.formats import render

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
    from safe_eval.comparison.power_plan import (
        assumed_differences,
        observed_differences,
        power_lines,
        power_plan,
        power_tables,
    )
    from safe_eval.tables.formats import render

    if like is None:
        differences = assumed_differences(changed, difference or 0.0, cluster_size, correlation)
    else:
        differences = observed_differences(like, a, b, metric=metric, slice_name=slice)
    plan = power_plan(differences, difference=difference, items=items, power=power, confidence=confidence)
    say(render(power_tables(plan), format, plan, power_lines(plan)))
