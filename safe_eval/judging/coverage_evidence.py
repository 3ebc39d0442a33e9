"""Coverage evidence: how many of the expected examples were answered, by whom the fewest.

An arm that a criteria file leaves out by its condition may have been asked a sample of them alone.
"""

import itertools
from collections.abc import Sequence

from safe_eval.arms.coverage import ArmCoverage
from safe_eval.judging.absent_evidence import why_nothing
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.row_evidence import Evidence
from safe_eval.judging.sampled import Sampled, as_asked, judged_cells, sampled_arms, sampled_text
from safe_eval.judging.scope import EVERYTHING, Scope
from safe_eval.scoring.scores import Scores


def coverage_evidence(criterion: Criterion, scores: Scores, scope: Scope = EVERYTHING) -> Evidence:
    """The share of the expected examples that all the arms answered which a criterion asks about.

    Arms that `scope` leaves out by their condition lack only what failed, and stand for no answers to a
    dataset.
    """
    cells = [cell for cell in scores.cells if criterion.dataset in (None, cell.dataset)]
    arms = [
        arm
        for arm in (*as_asked(cells, scope), *absent_arms(judged_cells(cells, scope), cells))
        if criterion.condition in (None, f"{arm.model}/{arm.condition}")
    ]
    if not arms:
        return Evidence(why_nothing(criterion, scores))
    return of_coverage(arms, sampled_arms(cells, scope) if criterion.condition is None else ())


def of_coverage(arms: Sequence[ArmCoverage], sampled: Sequence[Sampled] = ()) -> Evidence:
    """The share of expected examples that all these arms answered; `sampled` were expected to answer less."""
    answered, expected = sum(arm.answered for arm in arms), sum(arm.expected for arm in arms)
    text = f"{answered} of {expected} examples answered"
    worst = min(arms, key=lambda arm: arm.answered / arm.expected)
    if worst.answered < worst.expected:
        text += f"; fewest by {worst.model}/{worst.condition}: {worst.answered} of {worst.expected}"
        text += f" in {worst.dataset}" if len({arm.dataset for arm in arms}) > 1 else ""
    text += f"; left out on purpose: {sampled_text(sampled)}" if sampled else ""
    return Evidence(text, value=answered / expected, n=expected)


def absent_arms(judged: Sequence[ArmCoverage], cells: Sequence[ArmCoverage]) -> list[ArmCoverage]:
    """A model under `full` for each dataset of which nothing is judged, while it or another model answered.

    A model that answers under some conditions only is not among them: it may have been asked no more.

    >>> one = ArmCoverage(9, 9, 0, 0, 0, dataset="gqa", seed=0, model="safe", condition="snr_10db")
    >>> [(arm.condition, arm.answered) for arm in absent_arms([], [one])], absent_arms([one], [one])
    ([('full', 0)], [])
    """
    expected = {arm.dataset: arm.expected for arm in cells}
    asked = {(arm.dataset, arm.model) for arm in judged}
    return [
        ArmCoverage(expected[dataset], 0, 0, 0, 0, dataset=dataset, seed=0, model=model, condition="full")
        for dataset, model in itertools.product(expected, dict.fromkeys(arm.model for arm in cells))
        if (dataset, model) not in asked
    ]
