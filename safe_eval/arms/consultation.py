"""Consultation: on which examples a model used the sound, if its predictions say so."""

from collections.abc import Iterator, Sequence

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.arm import Arm
from safe_eval.arms.scored_arm import ScoredArm, scored_arm
from safe_eval.prediction import Prediction

Matches = list[tuple[Prediction, Prediction]]  # the answers of A and B to the same examples

CONSULTED, SKIPPED = "consulted", "skipped"
CONSULTATION_METRICS = {CONSULTED: 1.0, SKIPPED: 1.0}  # with their highest value


def consultation_arms(arms: Sequence[Arm]) -> dict[str, tuple[ScoredArm, ...]]:
    """Two metrics: `consulted` is 1 where the model used the sound, `skipped` is 1 where it did not.

    On the slice vl, whose questions need no sound, `consulted` is the false consultation rate. Under
    `swap_audio` and `noise_audio` it shows whether the model ignores an irrelevant sound. Rows that failed or
    do not say are left out; `consultation_notes` counts them.
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
    """The examples on which both sides say whether they used the sound, and a note on how many do not.

    Raises:
        InputError: there is no such example.
    """
    saying = [match for match in matches if all(map(_says, match))]
    if not saying:
        raise InputError("on no example do both sides say whether the sound was 'consulted'")
    silent = len(matches) - len(saying)
    note = f"{silent} of {len(matches)} examples are left out of consultation: one side does not say"
    return saying, [note] if silent else []


def consultation_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """One line per arm in which only some rows say whether the sound was consulted."""
    for arm in arms:
        silent = sum(not _says(row) for row in arm.rows)
        if 0 < silent < len(arm.rows):
            yield (
                f"{silent} of {len(arm.rows)} rows of {arm.key.name}, seed {arm.key.seed}, failed or do not "
                "say whether the sound was consulted: they are not in consulted and skipped"
            )


def _says(row: Prediction) -> bool:
    return row.consulted is not None and row.error is None
