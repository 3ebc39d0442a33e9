"""Own numbers: each rule by hand, and what cannot be compared."""

from pathlib import Path
from typing import Any

import pytest
from made_rows import row

from safe_eval.logs.log import Log, OwnNumber
from safe_eval.logs.own_numbers import Reproduced, Tally
from safe_eval.prediction import Prediction


def found(own: OwnNumber, *rows: Prediction, expected: int | None = None) -> Reproduced:
    log = Log(Path("a"), "made", lambda _: iter(()), own=[own], expected=expected)
    tally = Tally(log.own)
    for one in rows:
        tally.add(one)
    return tally.reproduced(log, own)


def scored(value: float, example: str = "q1", **fields: Any) -> Prediction:
    return row(example, scores={"s": value}, **fields)


def test_a_mean_that_follows_and_one_that_does_not() -> None:
    rows = [scored(1.0), scored(0.0, "q2")]
    assert found(OwnNumber("acc", 50.0, "s", scale=100.0), *rows).agrees
    wrong = found(OwnNumber("acc", 0.51, "s"), *rows)
    assert (wrong.agrees, wrong.found, wrong.rows, wrong.by) == (False, 0.5, 2, "given scores")


def test_a_part_of_a_log_is_not_compared() -> None:
    part = found(OwnNumber("acc", 1.0, "s"), scored(1.0), expected=2017)
    assert (part.agrees, part.why_not) == (None, "1 of 2017 rows are here")


def test_an_unknown_rule_counts_only_where_it_is_a_mean() -> None:
    rows = [scored(1.0), scored(0.0, "q2")]
    assert found(OwnNumber("f1", 0.5, "s", "unknown"), *rows).agrees
    other = found(OwnNumber("f1", 0.6, "s", "unknown", aggregation="pope_f1"), *rows)
    assert (other.agrees, other.why_not) == (None, "it is no mean of scores: pope_f1")


def test_epochs_are_averaged_within_a_sample() -> None:
    rows = [scored(1.0), scored(0.0, seed=1), scored(1.0, "q2")]
    assert found(OwnNumber("acc", 0.75, "s", "mean_of_ids"), *rows).agrees


def test_the_score_of_mme_by_hand() -> None:
    picture = {"group": "a", "question_type": "OCR"}
    rows = [scored(1.0, **picture), scored(1.0, "q2", **picture)]
    other = {"group": "b", "question_type": "OCR"}
    rows += [scored(1.0, "q3", **other), scored(0.0, "q4", **other)]
    assert found(OwnNumber("OCR", 125.0, "s", "mme", category="OCR"), *rows).agrees
    assert found(OwnNumber("all", 125.0, "s", "mme"), *rows).agrees
    short = found(OwnNumber("perception", 125.0, "s", "mme", category="perception"), *rows)
    assert (short.agrees, short.why_not) == (None, "rows of its rule are missing")


def test_a_question_is_right_in_every_rotation() -> None:
    rows = [scored(1.0, group="5"), scored(0.0, "q2", group="5"), scored(1.0, "q3", group="6")]
    assert found(OwnNumber("Overall", 0.5, "s", "circular"), *rows).agrees


@pytest.mark.parametrize(("errors", "mean"), [(0, 1.0), (1, 0.5)])
def test_errors_leave_the_denominator_of_some(errors: int, mean: float) -> None:
    tally = Tally([])
    tally.add(scored(1.0))
    for _ in range(errors):
        tally.add(row("q2", None, error="broke"))
    assert (tally.means["s"], tally.mean_with_errors("s")) == (1.0, mean)
