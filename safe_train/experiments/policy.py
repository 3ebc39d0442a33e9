"""Policy: what the policy of stage B skips and loses; it also chooses how many audio tokens to hear.

    FOLDER/seed-N/             a copy of the checkpoint of seed N, with the policy as its gate, and stage_b/
    FOLDER/answers-N.jsonl     what it, the base and its twin that always listens answer
    FOLDER/scores.json, verdict.json

It is the plan's experiment 12. The criteria are those of gates.yaml. The questions of the split were asked by
the experiment gates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import check_above_zero, check_at_least_one
from safe_eval.judging.judged import NOT_MEASURED
from safe_eval.options import Sampling
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work, by_criteria
from safe_train.experiments.gated import copy_checkpoint, gated_answers
from safe_train.experiments.gates import MODELS, after_gates, checkpoint_of
from safe_train.experiments.plan_questions import NONE, NOT_THERE, questions_of
from safe_train.gates.gate_files import FOLDER, read_gate
from safe_train.gates.outcomes import OUTCOMES
from safe_train.settings.plan import PlanConfig
from safe_train.settings.stage_b import StageBConfig
from safe_train.stages.policy_result import RESULT
from safe_train.stages.stage_b import OUT, stage_b

CRITERIA = "gates"


@dataclass(frozen=True)
class PolicySettings:
    """What the policy pays, and how it is judged.

    Raises:
        InputError: a number outside the range that its option names.
    """

    kind: str = "entropy"
    """kind of the gate beside which the experiment gates keeps the outcomes"""

    alpha: float = 0.1
    """score that the dearest budget costs, above 0"""

    gamma: float = 0.02
    """score that listening costs where it is irrelevant, above 0"""

    budgets: tuple[int, ...] = ()
    """budgets to choose from, 0 and trained ones (default: all that were trained)"""

    vl_bound: float = 0.005
    """accuracy that a budget may lose on VL questions, by its bound, above 0"""

    skips: float = 0.3
    """share of audio questions that must skip the sound, above 0"""

    timed_questions: int = 150
    """questions of each seed, at most, that are asked alone to be timed, at least 1"""

    def __post_init__(self) -> None:
        check_above_zero(self, "alpha", "gamma", "vl_bound", "skips")
        check_at_least_one(self, "timed_questions")


def run(work: Work) -> Sequence[Finding]:
    """Learn a policy for every seed, ask the test split, and judge all seeds together.

    Raises:
        InputError: see `stage_b`, `score_files` and `by_criteria`.
    """
    files: list[Path] = []
    for seed in work.plan.seeds:
        if why := _learn(work, seed):
            return [_none(seed, why)]
        file = work.folder / f"answers-{seed}.jsonl"
        gated_answers(
            work.folder / f"seed-{seed}",
            work.material,
            file,
            seed=seed,
            conditions=("full",),
            timed_questions=work.settings.timed_questions,
            quiet=work.quiet,
        )
        files.append(file)
    score_files(files, Sampling(), out=work.folder, force=True)
    return by_criteria(CRITERIA, work.folder, within=work.folder, settings={"skips": work.settings.skips})


def _learn(work: Work, seed: int) -> str | None:
    """Make the policy the gate of a copy of the checkpoint; why there is none, where there is none."""
    settings: PolicySettings = work.settings
    checkpoint = copy_checkpoint(
        work.adapter(seed),
        work.folder / f"seed-{seed}",
        checkpoint_of(work.earlier["gates"], seed, settings.kind),
    )
    if is_learned(checkpoint):
        return None
    learnt = stage_b(
        checkpoint,
        StageBConfig(
            outcomes=checkpoint / FOLDER / OUTCOMES,
            alpha=settings.alpha,
            gamma=settings.gamma,
            budgets=settings.budgets,
            vl_bound=settings.vl_bound,
            seeds=(seed,),
            trackers=("none",),
            quiet=True,
            force=True,
        ),
    )
    return None if learnt.gate is not None else "; ".join(learnt.result.notes)


def is_learned(checkpoint: Path) -> bool:
    """Whether stage B has ended here: its result is written last, after the gate."""
    return (checkpoint / OUT / RESULT).is_file() and read_gate(checkpoint) is not None


def _none(seed: int, why: str) -> Finding:
    return Finding(
        name="a_policy_is_learned",
        bound="some budget is shown to spare VL questions",
        decision=NOT_MEASURED,
        evidence=f"seed {seed}: {why}",
        judged_by="safe-train stage-b",
        file=f"seed-{seed}/{OUT}/{RESULT}",
    )


def _estimate(plan: PlanConfig, settings: PolicySettings) -> Estimate:
    found = questions_of(plan, "test")
    return Estimate(
        answers=len(plan.seeds) * MODELS * (found or NONE).all,
        alone=len(plan.seeds) * MODELS * settings.timed_questions,
        unknown="" if found else NOT_THERE,
    )


EXPERIMENT = Experiment(
    number=12,
    name="policy",
    title="Policy of stage B",
    settings=PolicySettings,
    needs=after_gates,
    run=run,
    estimate=_estimate,
)
