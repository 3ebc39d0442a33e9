"""A verdict on rows, without files: as `decide` makes it, with what no criterion judges at its end."""

from collections.abc import Sequence
from pathlib import Path

from made_rows import scored

from safe_eval.arms.all_arms import all_arms
from safe_eval.judging.criteria_file import criteria_path, fill_criteria
from safe_eval.judging.judged import Judged, judge, overall
from safe_eval.judging.unjudged import find_unjudged, unjudged_rows
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction

QUICK = Sampling(resamples=100)


def judged_rows(
    rows: Sequence[Prediction],
    criteria: str | Path,
    *settings: str,
    sampling: Sampling = QUICK,
    options: ScoreOptions | None = None,
) -> list[Judged]:
    """The rows of a verdict on predictions by a criteria file."""
    filled, options = fill_criteria(criteria_path(criteria), settings), options or ScoreOptions()
    scores = scored(rows, sampling, options)
    arms = all_arms(rows, metrics=options.metric, baseline=options.baseline, pairs=options.pairs)
    claims = find_unjudged(filled.criteria, arms, filled.scope)
    judged = [judge(criterion, scores, None, filled.scope) for criterion in filled.criteria]
    return [*judged, *unjudged_rows(claims.unjudged)]


def decision(rows: Sequence[Prediction], criteria: str | Path, *settings: str) -> str:
    """The verdict in one word."""
    return overall(judged_rows(rows, criteria, *settings))
