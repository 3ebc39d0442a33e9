"""The success criteria: each depends on one number, and no run passes with a number missing."""

from pathlib import Path

import msgspec
import pytest
from made_success import success_rows

from safe_eval.judging.criteria_file import SHIPPED, read_criteria
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import judge, overall
from safe_eval.judging.lomo_evidence import LOMO_METRICS
from safe_eval.judging.metric_names import CHANGED, COVERAGE, SEED_STD
from safe_eval.judging.verdict import Verdict
from safe_eval.options import Sampling
from safe_eval.results.retention import DRIFT_METRICS
from safe_eval.results.separation import SEPARATION
from safe_eval.scoring.score import score_predictions
from safe_eval.scoring.scores import PredictionsFile, Scores
from safe_eval.text.verdict_text import verdict_table

SUCCESS = {
    criterion.name: criterion
    for criterion in read_criteria(SHIPPED / "success.yaml", ["metric=vqa_accuracy"])
}
CLOSELY = "seeing_is_kept_closely"  # a warning that needs more clusters than a quick test has
DECIDED = sorted(SUCCESS.keys() - {CLOSELY})


@pytest.fixture(scope="module")
def scores() -> Scores:
    return score_predictions(success_rows(), Sampling(resamples=200))


def decisions(scores: Scores) -> dict[str, str]:
    return {name: judge(criterion, scores).decision for name, criterion in SUCCESS.items()}


def verdict(scores: Scores) -> str:
    return overall([judge(criterion, scores) for criterion in SUCCESS.values()])


def test_a_run_that_meets_all_is_go(scores: Scores) -> None:
    assert {name for name, decision in decisions(scores).items() if decision != "go"} == {CLOSELY}
    assert verdict(scores) == "go"


def rows_of(criterion: Criterion) -> str:
    if criterion.metric == COVERAGE:
        return "cells"
    if criterion.metric in DRIFT_METRICS:
        return "retention"
    if criterion.metric in LOMO_METRICS:
        return "separation" if criterion.metric == SEPARATION else "lomo"
    if criterion.metric.endswith(SEED_STD):
        return "seeds"
    if criterion.combines_seeds:
        return "seed_comparisons" if criterion.against else "seeds"
    return "comparisons" if criterion.against else "metrics"


def is_asked(row: msgspec.Struct, criterion: Criterion, *, of_each: bool = False) -> bool:
    """Whether a row of the scores is one the criterion is about; `of_each`: or of one of its seeds."""
    of_seeds = {criterion.combines_seeds, criterion.combines_seeds and not of_each}
    if criterion.metric == COVERAGE:
        return True
    if criterion.metric in LOMO_METRICS:
        at = (f"{row.model}/{row.condition}", getattr(row, "slice", "all"))
        return at == (criterion.condition, criterion.slice) and (row.seed is None) in of_seeds
    if criterion.metric in DRIFT_METRICS or not criterion.against:
        at = (f"{row.model}/{row.condition}", row.slice) == (criterion.condition, criterion.slice)
        return at and (
            criterion.metric in DRIFT_METRICS or row.metric == criterion.metric.removesuffix(SEED_STD)
        )
    sides = {row.a, row.b} == {criterion.condition, criterion.against} and row.slice == criterion.slice
    return sides and criterion.metric in (row.metric, CHANGED)


def broken(row: msgspec.Struct, criterion: Criterion) -> msgspec.Struct:
    """The row with the one number that the criterion reads moved just beyond its bound."""
    bound = criterion.parsed_bound()
    beyond = bound.limit + (-1e-3 if bound.operator in (">=", ">") else 1e-3)
    if criterion.metric == COVERAGE:
        return msgspec.structs.replace(row, answered=row.answered - 1)
    if criterion.metric == CHANGED:
        return msgspec.structs.replace(row, changed=1)
    value = {
        "comparisons": "difference",
        "retention": criterion.metric,
        "seeds": "seed_std",
        "metrics": "value",
    }
    value |= {"lomo": criterion.metric, "separation": "value"}
    fields = {"value": value.get(rows_of(criterion), ""), "equivalence": "equivalence_high"}
    if criterion.use == "non_inferiority":
        turned = row.a != criterion.condition  # scores.json holds one order only
        return msgspec.structs.replace(
            row, **{"equivalence_high": -beyond} if turned else {"equivalence_low": beyond}
        )
    return msgspec.structs.replace(row, **{fields.get(criterion.use, criterion.use): beyond})


@pytest.mark.parametrize("name", DECIDED)
def test_each_criterion_flips_by_its_own_number(scores: Scores, name: str) -> None:
    criterion = SUCCESS[name]
    rows = list(getattr(scores, rows_of(criterion)))
    place = max(place for place, row in enumerate(rows) if is_asked(row, criterion))  # of the last seed only
    rows[place] = broken(rows[place], criterion)
    worse = msgspec.structs.replace(scores, **{rows_of(criterion): tuple(rows)})
    before, after = decisions(scores), decisions(worse)
    assert {other for other in SUCCESS if before[other] != after[other]} == {name}
    assert after[name] == "no-go"
    assert verdict(worse) == ("no-go" if criterion.severity == "critical" else "go")


@pytest.mark.parametrize("name", DECIDED)
def test_a_number_that_is_missing_is_not_measured(scores: Scores, name: str) -> None:
    criterion = SUCCESS[name]
    tables = {rows_of(criterion), "comparisons" if criterion.against else "metrics"}
    if not criterion.combines_seeds or criterion.metric in LOMO_METRICS:
        tables = {rows_of(criterion)}
    less = msgspec.structs.replace(
        scores,
        **{
            table: tuple(row for row in getattr(scores, table) if not is_asked(row, criterion, of_each=True))
            for table in tables
        },
    )
    found = judge(criterion, less)
    assert (found.decision, found.value) == ("not measured", None)
    shared = name == "confidence_is_honest_beyond_chance"  # a critical criterion reads the same row
    assert verdict(less) == ("not measured" if criterion.severity == "critical" or shared else "go")


OF_A_SEED = [name for name in DECIDED if not SUCCESS[name].metric.endswith((COVERAGE, SEED_STD))]


@pytest.mark.parametrize("name", OF_A_SEED)
def test_no_seed_passes_by_lacking_a_number(scores: Scores, name: str) -> None:
    """Where the criterion is about one seed only, the other may have failed for all we know."""
    criterion = SUCCESS[name]
    rows = getattr(scores, rows_of(criterion))
    if criterion.combines_seeds:
        each = "of_each_seed" if criterion.metric in LOMO_METRICS else "means"
        rows = [
            msgspec.structs.replace(row, seeds=row.seeds[:2], **{each: getattr(row, each)[:2]})
            if is_asked(row, criterion)
            else row
            for row in rows
        ]
    else:
        rows = [row for row in rows if not (row.seed == 2 and is_asked(row, criterion))]
    found = judge(criterion, msgspec.structs.replace(scores, **{rows_of(criterion): tuple(rows)}))
    assert found.decision == "not measured"
    assert ("with seed 2 (made)" if criterion.combines_seeds else "(made, seed 2)") in found.evidence


def test_one_seed_is_not_measured() -> None:
    alone = score_predictions(success_rows(20, seeds=(0,)), Sampling(resamples=200))
    found = judge(SUCCESS["seeds_agree_on_sounds"], alone)
    assert found.decision == "not measured"
    assert "score the predictions of several seeds, of the same examples, together" in found.evidence


def test_readme_counts_the_criteria_that_there_are() -> None:
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text("utf-8")
    assert f"Of the {len(SUCCESS)} criteria that SAFE itself must meet" in " ".join(readme.split())


def test_each_severity_is_there() -> None:
    assert {criterion.severity for criterion in SUCCESS.values()} == {"critical", "warning"}


def test_too_few_examples_are_the_reason_given(scores: Scores) -> None:
    found = judge(SUCCESS[CLOSELY], scores)
    assert (found.decision, found.value) == ("no-go", 0.0)
    assert "too few examples show that it stays so" in found.evidence
    assert "too few" not in judge(SUCCESS["seeing_is_kept"], scores).evidence


def test_the_table_fits_80_columns(scores: Scores) -> None:
    judged = tuple(judge(criterion, scores) for criterion in SUCCESS.values())
    file = PredictionsFile("success.yaml", "0" * 64)
    table = verdict_table(
        Verdict(decision=overall(judged), criteria=judged, scores_sha256="0" * 64, criteria_file=file)
    )
    assert max(map(len, table)) <= 80


def test_a_fifth_of_what_is_heard_is_not_enough_to_lose_in_silence() -> None:
    """Silence costs 20 points of accuracy, four times what is asked for, and 22 % of the right answers."""
    rows = [
        msgspec.structs.replace(row, answer="yes" if int(row.record_id[1:]) % 10 not in (0, 1, 5) else "no")
        if row.condition == "mute_audio" and row.needs_audio
        else row
        for row in success_rows(100, seeds=(0,))
    ]
    scored = score_predictions(rows, Sampling(resamples=200))
    asked = ("sound_helps", *(name for name, one in SUCCESS.items() if one.metric in LOMO_METRICS))
    found = {name: judge(SUCCESS[name], scored) for name in asked}
    assert {name: one.decision for name, one in found.items()} == {
        "sound_helps": "go",
        "hearing_needs_the_sound": "no-go",
        "hearing_needs_the_sound_beyond_chance": "no-go",
        "hearing_and_seeing_are_separated": "go",
    }
    assert found["hearing_needs_the_sound"].value == pytest.approx(2 / 9)
