"""Consultation: on which examples a model used the sound, where its predictions say so."""

from collections.abc import Iterator, Sequence

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.arm import Arm
from safe_eval.arms.scored_arm import ScoredArm, scored_arm
from safe_eval.prediction import Prediction

Matches = list[tuple[Prediction, Prediction]]  # two answers to the same example

CONSULTED, SKIPPED = "consulted", "skipped"
CONSULTATION_METRICS = {CONSULTED: 1.0, SKIPPED: 1.0}  # and their highest


def consultation_arms(arms: Sequence[Arm]) -> dict[str, tuple[ScoredArm, ...]]:
    """`consulted`, 1 where the sound was used, and `skipped`, 1 where it was not: a mean is a share.

    On the slice vl, questions that need no sound, `consulted` is the false consultation rate; under
    `swap_audio` and `noise_audio` it says whether an irrelevant sound is left alone. Rows that failed or do
    not say are left out; `consultation_notes` counts them.
    """
    scored: dict[str, list[ScoredArm]] = {CONSULTED: [], SKIPPED: []}
    for arm in arms:
        at = np.flatnonzero([_says(row) for row in arm.rows])
        if len(at):
            used = np.array([arm.rows[place].consulted for place in at.tolist()], dtype=float)
            scored[CONSULTED].append(scored_arm(CONSULTED, arm, at, used))
            scored[SKIPPED].append(scored_arm(SKIPPED, arm, at, 1 - used))
    return {metric: tuple(found) for metric, found in scored.items() if found}


def both_say(matches: Matches) -> tuple[Matches, list[str]]:
    """The matches of which both answers say whether they used the sound, and how many do not.

    Raises:
        InputError: there is no such match.
    """
    saying = [match for match in matches if all(map(_says, match))]
    if not saying:
        raise InputError("no example of which both sides say whether the sound was 'consulted'")
    silent = len(matches) - len(saying)
    note = f"{silent} of {len(matches)} examples, of which a side does not say, are in no consultation"
    return saying, [note] if silent else []


def consultation_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """One line per arm of which only some rows say whether the sound was consulted."""
    for arm in arms:
        silent = sum(not _says(row) for row in arm.rows)
        if 0 < silent < len(arm.rows):
            yield (
                f"{silent} of {len(arm.rows)} rows of {arm.key.name}, seed {arm.key.seed}, failed or do not "
                "say whether the sound was consulted: they are not in consulted and skipped"
            )


def _says(row: Prediction) -> bool:
    return row.consulted is not None and row.error is None
