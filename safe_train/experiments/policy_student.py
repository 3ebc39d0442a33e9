"""Policy student: whether stage C finds a small gate that chooses as well as the policy of stage B.

The bound is that of stage C: what the small gate loses beyond the policy, on audio and on VL questions. The
plan states no number for it, so it is a warning.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED, worst
from safe_train.experiments.experiment import WARNING, Finding
from safe_train.gates.gate_files import FOLDER
from safe_train.gates.outcomes import OUTCOMES
from safe_train.settings.stage_c import StageCConfig
from safe_train.stages.stage_c import OUT, RESULT, StageC, stage_c

STUDENT = "student"


def student_of(checkpoint: Path, taught: Path, *, extra: float, seed: int) -> StageC:
    """What stage C finds for a checkpoint; it is made once.

    Args:
        checkpoint: a copy with the outcomes that the policy was learned on
        taught: the folder of stage B's results
        extra: accuracy that the small gate may lose beyond the policy
        seed: of its first weights

    Raises:
        InputError: see `stage_c`.
    """
    file = checkpoint / OUT / RESULT
    if file.is_file():
        return msgspec.json.decode(file.read_bytes(), type=StageC)
    outcomes = checkpoint / FOLDER / OUTCOMES
    config = StageCConfig(outcomes=outcomes, stage_b=taught, extra=extra, seed=seed, quiet=True, force=True)
    return stage_c(checkpoint, config).result


def student_finding(students: Mapping[int, StageC], seeds: Sequence[int]) -> Finding:
    """Whether a small gate keeps up with the policy in every seed.

    It is not measured where so few groups could not show it, however few answers change.

    Args:
        students: what stage C found, of the seeds that have a policy
        seeds: of the plan
    """
    decisions = [_decision(students[seed]) if seed in students else NOT_MEASURED for seed in seeds]
    bounds = [bound for one in students.values() if (bound := _bound(one)) is not None]
    evidence = "; ".join(f"seed {seed}: {_told(one)}" for seed, one in students.items())
    limit = next((f"{one.extra:g}" for one in students.values()), "its limit")
    return Finding(
        name="a_small_gate_keeps_up",
        bound=f"<= {limit} lost beyond the policy on audio and on VL questions, by the upper bound",
        decision=worst(decisions),
        evidence=evidence or "no policy to learn from",
        judged_by="safe-train stage-c",
        file="; ".join(f"seed-{seed}/{STUDENT}/{OUT}/{RESULT}" for seed in students),
        value=max(bounds, default=None),
        severity=WARNING,
    )


def _decision(found: StageC) -> str:
    if found.chosen is not None:
        return GO
    least = found.students[0].least_audio
    return NOT_MEASURED if least is None or least > found.extra else NO_GO


def _bound(found: StageC) -> float | None:
    """The larger of both bounds, of the student that was chosen, or else of the largest."""
    student = next((one for one in found.students if one.name == found.chosen), found.students[-1])
    known = [one for one in (student.high_audio, student.high_vl) if one is not None]
    return max(known, default=None)


def _told(found: StageC) -> str:
    if found.chosen is None:
        return "; ".join(found.notes)
    student = next(one for one in found.students if one.name == found.chosen)
    return f"{student.name}, {student.weights} weights, loses {_bound(found) or 0:.4f} at most"
