"""Coverage: the outcome of every example that should have been answered."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_eval.arms.arm import Arm, count_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.scorers.scorer import metrics_for

OUTCOMES = ("answered", "errored", "unparsed", "excluded")
_ANSWERED, _ERRORED, _UNPARSED, _EXCLUDED = range(len(OUTCOMES))

Outcomes = Int[ndarray, " rows"]  # places in OUTCOMES


class Coverage(msgspec.Struct, frozen=True):
    """Counts of examples. An expected example in no other count has no row at all."""

    expected: int
    answered: int  # with text, and a metric judges it
    errored: int  # the model or its media failed; counted as wrong
    unparsed: int  # not understood, counted as wrong; or blank, wrong unless the references are blank too
    excluded: int  # no metric here judges it: for its task there is none, or it has no references


class ArmCoverage(Coverage, frozen=True, kw_only=True):
    """The coverage of one arm."""

    dataset: str | None
    seed: int
    model: str
    condition: str


def arm_outcomes(arms: Sequence[Arm], judged: Mapping[str, Sequence[ScoredArm]]) -> list[Outcomes]:
    """The outcome of each row of each arm.

    `judged` holds the arms as their metrics scored them: it says which replies were not understood.
    """
    not_understood: dict[int, list[Int[ndarray, " rows"]]] = {}
    for scored in (arm for found in judged.values() for arm in found):
        not_understood.setdefault(id(scored.arm), []).append(scored.at[scored.unparsed])
    return [_outcomes(arm, not_understood.get(id(arm), ())) for arm in arms]


def coverage_of(
    arms: Sequence[Arm], outcomes: Sequence[Outcomes], beside: Sequence[Arm] = ()
) -> list[ArmCoverage]:
    """Count the outcomes of each arm; it is expected to answer every example of its dataset.

    The examples of arms `beside` these are expected too.

    >>> from safe_eval.arms.arm import make_arms
    >>> from safe_eval.prediction import Prediction
    >>> row = Prediction(example_id="q1", references=("yes",), answer="yes")
    >>> other = Prediction(example_id="q2", references=("no",), answer=" ", condition="mute_audio")
    >>> arms = make_arms([row, other])
    >>> [(c.condition, c.expected, c.answered, c.unparsed) for c in coverage_of(arms, arm_outcomes(arms, {}))]
    [('full', 2, 1, 0), ('mute_audio', 2, 0, 1)]
    """
    expected = count_examples((*arms, *beside))
    counts = [np.bincount(found, minlength=len(OUTCOMES)).tolist() for found in outcomes]
    return [
        ArmCoverage(expected[arm.key.dataset], *count, **arm.key._asdict())
        for arm, count in zip(arms, counts, strict=True)
    ]


def coverage_by_condition(arms: Sequence[ArmCoverage]) -> dict[str, Coverage]:
    """The coverage of each condition, summed over models, seeds and datasets."""
    names = [field.name for field in msgspec.structs.fields(Coverage)]
    return {
        condition: Coverage(
            *(sum(getattr(arm, name) for arm in arms if arm.condition == condition) for name in names)
        )
        for condition in dict.fromkeys(arm.condition for arm in arms)
    }


def _outcomes(arm: Arm, not_understood: Sequence[Int[ndarray, " rows"]]) -> Outcomes:
    found = np.full(len(arm.rows), _ANSWERED)
    found[[not (row.answer or "").strip() for row in arm.rows]] = _UNPARSED
    for at in not_understood:
        found[at] = _UNPARSED
    found[arm.answers < 0] = _ERRORED
    for asked, at in arm.tasks.items():
        if not metrics_for(arm.key.dataset, *asked):
            found[at] = _EXCLUDED
    if arm.referenced is not None:
        found[~arm.referenced] = _EXCLUDED
    return found
