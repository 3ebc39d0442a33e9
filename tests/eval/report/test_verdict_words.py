"""Verdict words: a criterion stands on the page with the interval that decides."""

import pytest

from safe_eval.judging.judged import Judged
from safe_eval.report.verdict_words import criterion_words


@pytest.mark.parametrize(
    ("use", "shown"),
    [("value", "[−0.6, +0.6]"), ("ci_low", "[−0.6, +0.6]"), ("non_inferiority", "[−0.4, +0.4]")],
)
def test_a_criterion_shows_the_interval_that_decides(use: str, shown: str) -> None:
    """An interval of 95 % beyond the bound would seem to contradict a go by one-sided tests."""
    kept = Judged(
        name="kept", value=0.0, ci_low=-0.006, ci_high=0.006, equivalence_low=-0.004, equivalence_high=0.004,
        bound=">= -0.005", decision="go", evidence="", use=use, severity="critical",
        metric="vqa_accuracy", against="base/full",
    )  # fmt: skip
    assert criterion_words(kept)["interval"] == shown


def test_a_spread_has_no_sign_and_its_upper_limit_stands_alone() -> None:
    spread = Judged(
        name="std", value=0.004, ci_high=0.02, bound="<= 0.005", decision="no-go", evidence="", use="ci_high",
        severity="critical", metric="vqa_accuracy_seed_std",
    )  # fmt: skip
    words = criterion_words(spread)
    assert (words["value"], words["interval"]) == ("0.4 pp", "at most 2.0 pp")
